import { readFile } from 'node:fs/promises';
import {
  comparePackets,
  makeHls,
  type PacketStream,
  packets,
  referenceRemux,
  type StreamShape,
} from '../../support/media/index.ts';
import { cutAtPackets } from '../../support/media/ts-tools.ts';
import { type Compared, compareWays, expectEqual } from './compare.ts';

async function run(shape: Partial<StreamShape> = {}) {
  const hls = await makeHls({ seconds: 4, segmentSeconds: 1, bframes: 2, fps: '30000/1001', ...shape });
  return { paths: hls.segments, segments: await Promise.all(hls.segments.map((path) => readFile(path))) };
}

const at44 = [{ codec: 'aac', sampleRate: 44_100 }] as const;

describe('several runs', () => {
  it.each([
    ['the encoder starts again', [{}, {}]],
    ['time stamps jump', [{}, { startSeconds: 500 }, { startSeconds: 7 }]],
    ['time stamps jump, at 44.1 kHz', [{ audio: at44 }, { audio: at44, startSeconds: 77 }, { audio: at44 }]],
    ['the first run reaches past the 33-bit wrap', [{ startSeconds: 95_441 }, { startSeconds: 500 }]],
    ['the resolution changes', [{}, { width: 640, height: 360 }]],
    ['the sound becomes mono', [{}, { audio: [{ codec: 'aac', channels: 1 }] }]],
  ] as const)('are placed by engine and short way alike when %s', async (_title, shapes) => {
    const runs = await Promise.all(shapes.map((shape) => run(shape)));
    for (const joinRuns of [false, true]) {
      const compared = await compareWays(
        runs.map(({ segments }) => segments),
        { joinRuns },
      );
      expectEqual(compared);
      expect(compared.short.way).toBe('concat');
    }
  });

  it('begin where the one before ended, at the latest end of its tracks, each with its own offsets', async () => {
    const runs = [await run(), await run({ startSeconds: 500 })];
    const { streams } = await compareWays(runs.map(({ segments }) => segments));
    const [video, audio] = streams.map((stream) => stream.packets);
    // 4 s of AAC are 189 frames of 1024, longer than 120 pictures: that is where the second run begins.
    const end = 189 * 1024;
    const single = await packets(await referenceRemux(runs[1]?.paths ?? []));
    const begins = single.map((stream) => stream.packets[0]?.pts ?? 0);
    expect(video?.[120]?.pts).toBe(Math.round((end * 90_000) / 48_000) + (begins[0] ?? 0));
    expect(audio?.[189]?.pts).toBe(end + (begins[1] ?? 0));
  });

  it('that begin between two key frames keep their pictures, as ffmpeg keeps them', async () => {
    const first = await run();
    const joined = Buffer.concat((await run({ seconds: 6, gopSeconds: 2 })).segments);
    const second = cutAtPackets(joined, [100, 200, 320, 450, 600, 800]).slice(1);
    expectEqual(await compareWays([first.segments, second], { decode: false }));
  });

  it('have a second sample entry when the configuration changes', async () => {
    const runs = [await run(), await run({ width: 640, height: 360 })];
    const { engine } = await compareWays(runs.map(({ segments }) => segments));
    const head = Buffer.from(engine.head.bytes);
    const sizes: (readonly [number, number])[] = [];
    // Width and height stand 28 bytes behind the name of a VisualSampleEntry (ISO/IEC 14496-12 section 12.1.3).
    for (let at = head.indexOf('avc1'); at >= 0; at = head.indexOf('avc1', at + 4)) {
      sizes.push([head.readUInt16BE(at + 28), head.readUInt16BE(at + 30)]);
    }
    expect(sizes).toEqual([
      [320, 180],
      [640, 360],
    ]);
  });
});

describe('runs with different tracks', () => {
  it.each([
    ['H.264 becomes HEVC', {}, { video: 'hevc' }, ['h264', 'hevc', 'aac']],
    ['the sample rate changes', {}, { audio: at44 }, ['h264', 'aac', 'aac']],
    ['AAC becomes MP3', {}, { audio: [{ codec: 'mp3' }] }, ['h264', 'aac', 'mp3']],
    ['the sound vanishes', {}, { audio: [] }, ['h264', 'aac']],
    ['sound appears', { audio: [] }, {}, ['h264', 'aac']],
  ] as const)('keep every packet when %s', async (_title, before, after, codecs) => {
    const runs = [await run(before), await run(after)];
    const compared = await compareWays(runs.map(({ segments }) => segments));
    expectEqual(compared);
    expect(compared.short.way).toBe('engine');
    expect(compared.streams.map((stream) => stream.codec)).toEqual(codecs);
    // Both ways are the engine here, so the judge is a single-pass remux of each run.
    const singles = await Promise.all(
      runs.map(async ({ paths }) => await packets(await referenceRemux(paths), { hash: true })),
    );
    expect(contents(compared, singles.flat())).toEqual([]);
  });
});

/** How the packets of each codec and clock differ from those of the single runs one after the other, but for times. */
function contents(compared: Compared, singles: readonly PacketStream[]): string[] {
  const timeless = (streams: readonly PacketStream[]) => {
    const byTrack = Map.groupBy(streams, (stream) => `${stream.codec} ${stream.timeBase}`);
    return [...byTrack.entries()]
      .toSorted(([a], [b]) => a.localeCompare(b))
      .map(([, pieces], index) => ({
        index,
        codec: pieces[0]?.codec ?? '',
        timeBase: pieces[0]?.timeBase ?? '',
        packets: pieces.flatMap((piece) => piece.packets).map((packet) => ({ ...packet, pts: 0, dts: 0 })),
      }));
  };
  return comparePackets(timeless(compared.streams), timeless(singles));
}
