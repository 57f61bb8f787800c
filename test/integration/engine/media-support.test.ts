import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  assertFaststart,
  comparePackets,
  ffmpeg,
  fullDecode,
  makeHls,
  packets,
  readClock,
  referenceRemux,
  topLevelBoxes,
} from '../../support/media/index.ts';

describe('the media the tests are made of', () => {
  it('has segments of the asked length in a playlist, and is made once', async () => {
    const shape = { seconds: 4, segmentSeconds: 1, bframes: 2, fps: '30000/1001' };
    const hls = await makeHls(shape);
    expect(hls.segments).toHaveLength(4);
    expect(hls.durations[0]).toBeCloseTo(1.001, 2);
    expect(await makeHls(shape)).toEqual(hls);
  });

  it('carries the number of each frame in its picture', async () => {
    const hls = await makeHls({ seconds: 4, segmentSeconds: 1, bframes: 2, fps: '30000/1001' });
    const out = await referenceRemux(hls.segments);
    const args = [
      '-v',
      'error',
      '-i',
      out,
      '-map',
      '0:v',
      '-vsync',
      'passthrough',
      '-pix_fmt',
      'rgba',
      '-f',
      'rawvideo',
    ];
    const dir = await mkdtemp(join(tmpdir(), 'frames-'));
    await ffmpeg([...args, join(dir, 'raw')]);
    const pixels = await readFile(join(dir, 'raw'));
    await rm(dir, { recursive: true });
    const frameBytes = 320 * 180 * 4;
    const numbers = Array.from({ length: pixels.length / frameBytes }, (_, frame) =>
      readClock(pixels.subarray(frame * frameBytes, (frame + 1) * frameBytes), 320, 180),
    );
    expect(numbers).toEqual(Array.from({ length: 120 }, (_, frame) => frame));
  });

  it('is compared packet by packet, and every kind of difference is seen', async () => {
    const hls = await makeHls({ seconds: 4, segmentSeconds: 1, bframes: 2, fps: '30000/1001' });
    const streams = await packets(await referenceRemux(hls.segments), { hash: true });
    expect(streams.map((stream) => stream.codec)).toEqual(['h264', 'aac']);
    expect(comparePackets(streams, streams)).toEqual([]);
    for (const [field, value] of Object.entries({ pts: 1, dts: -1, size: 3, flags: 'XX', hash: 'other' })) {
      const changed = streams.map((stream) => ({
        ...stream,
        packets: stream.packets.map((packet, at) => (at === 7 ? { ...packet, [field]: value } : packet)),
      }));
      expect(comparePackets(changed, streams)).toEqual([
        expect.stringContaining(`stream 0 (h264) packet 7: ${field}`),
        expect.stringContaining(`stream 1 (aac) packet 7: ${field}`),
      ]);
    }
    const shorter = streams.map((stream) => ({ ...stream, packets: stream.packets.slice(1) }));
    expect(comparePackets(shorter, streams)[0]).toMatch(/119 packets instead of 120/);
  });

  it('is decodable, and a file with its moov at the end is not called faststart', async () => {
    const hls = await makeHls({ seconds: 4, segmentSeconds: 1, bframes: 2, fps: '30000/1001' });
    const out = await referenceRemux(hls.segments);
    await fullDecode(out);
    expect((await topLevelBoxes(out)).map((box) => box.type)).toEqual(['ftyp', 'free', 'mdat', 'moov']);
    await expect(assertFaststart(out)).rejects.toThrow(/not faststart/);
  });

  it('reaches past the 33-bit wrap when asked to', async () => {
    const hls = await makeHls({ seconds: 6, segmentSeconds: 2, startSeconds: 95_440 });
    const starts = await Promise.all([hls.segments[0], hls.segments[2]].map((file) => firstPts(file ?? '')));
    expect(starts[0]).toBeGreaterThan(2 ** 33 - 90_000 * 4);
    expect(starts[1]).toBeLessThan(90_000 * 4);
  });
});

/** The first time stamp in a segment, modulo 2^33 as it stands in the stream. */
async function firstPts(file: string): Promise<number> {
  const { stdout } = await ffmpeg([
    '-v',
    'error',
    '-copyts',
    '-i',
    file,
    '-map',
    '0:v',
    '-c',
    'copy',
    '-f',
    'framecrc',
    '-',
  ]);
  const line = stdout.split('\n').find((text) => /^0,/.test(text)) ?? '';
  return (Number(line.split(',')[2]) + 2 ** 33) % 2 ** 33;
}
