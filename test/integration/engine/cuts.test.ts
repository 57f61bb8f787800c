import { readFile } from 'node:fs/promises';
import { makeHls, type StreamShape } from '../../support/media/index.ts';
import { cutAtPackets, splitAudioFrames, without, withoutTables } from '../../support/media/ts-tools.ts';
import { compareWays, expectEqual } from './compare.ts';

const VIDEO = 0x100;
const AUDIO = 0x101;

async function segmentsOf(shape: Partial<StreamShape> = {}): Promise<Buffer[]> {
  const hls = await makeHls({ seconds: 6, segmentSeconds: 1, bframes: 2, fps: '30000/1001', ...shape });
  return await Promise.all(hls.segments.map((path) => readFile(path)));
}

describe('parts may be cut anywhere', () => {
  it.each([
    ['H.264', {}],
    ['HEVC', { video: 'hevc' }],
    ['AC-3 and MP3', { audio: [{ codec: 'ac3' }, { codec: 'mp3' }] }],
    ['HE-AAC', { audio: [{ codec: 'he-aac' }] }],
    [
      'AAC whose channels only its first frame tells',
      { audio: [{ codec: 'aac', channels: 4 }], extra: ['-channel_layout', 'quad'] },
    ],
    ['MPEG-2 video and E-AC-3', { video: 'mpeg2', audio: [{ codec: 'eac3' }] }],
    ['HEVC in open groups of pictures, pyramids of B-frames', { video: 'hevc', bframes: 4, openGop: true }],
    ['interlaced H.264', { extra: ['-x264opts', 'tff=1', '-flags', '+ildct+ilme'] }],
  ] as const)('inside of PES packets and between key frames: %s', async (_title, shape) => {
    const joined = Buffer.concat(await segmentsOf({ ...shape, gopSeconds: 3 }));
    const cuts = [101, 263, 340, 481, 560, 777, 901].filter((packet) => packet < joined.length / 188 - 80);
    expectEqual(await compareWays([cutAtPackets(joined, cuts)]));
  });

  it.each([700, 1000, 1500, 2500])('inside of audio frames that lie in two PES packets of %d bytes', async (bytes) => {
    const split = splitAudioFrames(Buffer.concat(await segmentsOf()), AUDIO, bytes);
    const compared = await compareWays([cutAtPackets(split, [150, 290, 410, 700, 900, 1100])]);
    expectEqual(compared);
    // The proof that frames were split at cuts: some part had to take the head of the next one's packet.
    expect(compared.engine.states.some((state) => Object.keys(state.carry?.taken ?? {}).length > 0)).toBe(true);
  });

  it('at parts of one, two and three segments, with the same result', async () => {
    const segments = await segmentsOf();
    for (const perPart of [[2], [3], [1, 2, 3], [6]]) expectEqual(await compareWays([segments], { perPart }));
  });
});

describe('streams that are not whole', () => {
  it('are read without program maps behind the first segment', async () => {
    const segments = (await segmentsOf()).map((bytes, at) => (at === 0 ? bytes : withoutTables(bytes)));
    expectEqual(await compareWays([segments]));
  });

  it('begin between two key frames: ffmpeg leaves the pictures before the first one out, and so does the engine', async () => {
    const joined = Buffer.concat(await segmentsOf({ gopSeconds: 2 }));
    const compared = await compareWays([cutAtPackets(joined, [100, 200, 320, 450, 600, 800]).slice(1)]);
    expectEqual(compared);
    expect(compared.streams[0]?.packets[0]?.flags).toBe('K_');
    expect(compared.streams[0]?.packets.length).toBeLessThan(150);
  });

  it('lose sync for a few bytes', async () => {
    const segments = (await segmentsOf()).map((bytes, at) =>
      at === 2
        ? Buffer.concat([bytes.subarray(0, 188 * 40), Buffer.from('lost sync here'), bytes.subarray(188 * 40)])
        : bytes,
    );
    expectEqual(await compareWays([segments]));
  });

  it.each([
    ['sound that begins after three seconds', (pid: number, segment: number) => pid === AUDIO && segment < 3],
    ['sound that ends after three seconds', (pid: number, segment: number) => pid === AUDIO && segment >= 3],
    ['a picture that begins after three seconds', (pid: number, segment: number) => pid === VIDEO && segment < 3],
    ['a picture that ends after three seconds', (pid: number, segment: number) => pid === VIDEO && segment >= 3],
    ['sound that pauses for a second', (pid: number, segment: number) => pid === AUDIO && segment === 3],
  ])('have %s', async (_title, unwanted) => {
    const segments = (await segmentsOf()).map((bytes, at) => without(bytes, (pid) => unwanted(pid, at)));
    expectEqual(await compareWays([segments]));
  });

  it('have sound that begins after so long that the concat demuxer does not look for it', async () => {
    const all = await segmentsOf({ seconds: 12 });
    const segments = all.map((bytes, at) => without(bytes, (pid) => pid === AUDIO && at < 8));
    const compared = await compareWays([segments]);
    expectEqual(compared);
    expect(compared.short.way).toBe('engine');
    expect(compared.streams[1]?.packets[0]?.pts).toBeGreaterThan(7 * 48_000);
  });
});
