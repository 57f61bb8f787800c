import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { runEngine } from '../../integration/engine/engine.ts';
import { comparePackets, makeHls, packets, referenceRemux } from '../../support/media/index.ts';
import { cutAtPackets, splitAudioFrames } from '../../support/media/ts-tools.ts';

const SHAPES = {
  'H.264 with B-frames and AAC': { bframes: 2, gopSeconds: 2 },
  'HEVC with AAC at 44.1 kHz': {
    video: 'hevc',
    bframes: 2,
    gopSeconds: 2,
    audio: [{ codec: 'aac', sampleRate: 44_100 }],
  },
} as const;

describe('random part boundaries', () => {
  it.each(Object.entries(SHAPES))('change nothing: %s', async (_title, shape) => {
    const hls = await makeHls({ seconds: 6, segmentSeconds: 1, ...shape });
    const whole = Buffer.concat(await Promise.all(hls.segments.map((path) => readFile(path))));
    const expected = await packets(await referenceRemux(hls.segments), { hash: true });
    const split = splitAudioFrames(whole, 0x101, 900);
    const total = Math.min(whole.length, split.length) / 188;
    const dir = await mkdtemp(join(tmpdir(), 'boundaries-'));
    const steps = fc.array(fc.integer({ min: 60, max: 500 }), { minLength: 3, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(steps, fc.boolean(), async (lengths, isSplit) => {
        let at = 0;
        const cuts = lengths.map((length) => (at += length)).filter((packet) => packet < total - 60);
        const bytes = isSplit ? split : whole;
        const { path } = await runEngine(dir, [{ segments: cutAtPackets(bytes, cuts) }]);
        const actual = await packets(path, { hash: true });
        // Frames packed otherwise have other rounding of times; their contents are the same.
        expect(isSplit ? comparePackets(untimed(actual), untimed(expected)) : comparePackets(actual, expected)).toEqual(
          [],
        );
      }),
      { numRuns: 8 },
    );
    await rm(dir, { recursive: true });
  });
});

function untimed(streams: Awaited<ReturnType<typeof packets>>) {
  return streams.map((stream) =>
    stream.codec === 'aac'
      ? { ...stream, packets: stream.packets.map((packet) => ({ ...packet, pts: 0, dts: 0 })) }
      : stream,
  );
}
