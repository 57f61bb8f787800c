/** Stretches cut out of real files: the file's own samples, from a key frame, shown from its first picture. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cutMovie } from '../../../lib/mp4/clip-cut.ts';
import { readMovie } from '../../../lib/mp4/clip-source.ts';
import { buildHead } from '../../../lib/mp4/head.ts';
import { encodeIndex } from '../../../lib/mp4/sample-index.ts';
import {
  assertFaststart,
  ffmpeg,
  fullDecode,
  makeHls,
  packets,
  referenceRemux,
  type StreamShape,
} from '../../support/media/index.ts';
import { runEngine } from '../engine/engine.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'cut-'));
});
afterAll(() => rm(dir, { recursive: true }));

async function clip(
  file: Uint8Array,
  startSeconds: number,
  endSeconds: number,
  kinds?: readonly ('video' | 'audio')[],
) {
  const cut = cutMovie(readMovie(file), {
    startSeconds,
    endSeconds,
    nearBytes: kinds ? 0 : 65_536,
    ...(kinds ? { kinds } : {}),
  });
  if (!cut) throw new Error('nothing was cut');
  const head = buildHead({ parts: [{ index: encodeIndex(cut.pieces), bytes: cut.mediaBytes }] });
  const path = join(dir, `${Math.random()}.mp4`);
  await writeFile(path, Buffer.concat([head.bytes, ...cut.extents.map(({ first, end }) => file.subarray(first, end))]));
  return { path, cut, head };
}

const SHAPES: ReadonlyArray<[string, StreamShape]> = [
  ['B-frames', { seconds: 20, fps: '30000/1001', bframes: 2, audio: [{ codec: 'aac' }] }],
  ['a variable frame rate', { seconds: 12, fps: 'vfr', audio: [{ codec: 'aac' }] }],
  ['open groups', { seconds: 12, fps: '25', bframes: 2, openGop: true, audio: [{ codec: 'aac' }] }],
  ['HEVC', { seconds: 12, fps: '25', video: 'hevc', audio: [{ codec: 'aac' }] }],
];

describe('a clip of a file', () => {
  it.each(SHAPES)('is the packets of that stretch, moved to the beginning: %s', async (_name, shape) => {
    const source = await referenceRemux((await makeHls(shape)).segments);
    const file = await readFile(source);
    const { path, cut } = await clip(file, 5.3, 9.1);
    await assertFaststart(path);
    if (!shape.openGop) await fullDecode(path);
    expect(cut.fromSeconds).toBeCloseTo(4, 1);
    const [whole, cutOut] = [await packets(source, { hash: true }), await packets(path, { hash: true })];
    const video = cutOut.find((stream) => stream.codec === 'h264' || stream.codec === 'hevc');
    const original = whole.find((stream) => stream.codec === video?.codec);
    const scale = Number(video?.timeBase.split('/')[1]);
    const zero = Math.round(cut.fromSeconds * scale);
    const start = original?.packets.findIndex((packet) => packet.pts === zero) ?? -1;
    const expected = original?.packets
      .slice(start, start + (video?.packets.length ?? 0))
      .map((packet) => ({ ...packet, pts: (packet.pts ?? 0) - zero, dts: (packet.dts ?? 0) - zero }));
    // Pictures of an open group that are shown before its key frame are carried, and not shown.
    const flagless = (packet: { flags: string }) => ({ ...packet, flags: packet.flags[0] });
    expect(video?.packets.map(flagless)).toEqual(expected?.map(flagless));
    expect(video?.packets[0]).toMatchObject({ pts: 0, flags: expect.stringMatching(/^K/) });
    const lastShown = Math.max(...(video?.packets ?? []).map((packet) => packet.pts ?? 0)) / scale + cut.fromSeconds;
    expect(lastShown).toBeGreaterThan(9);
    expect(lastShown).toBeLessThan(9.35);
  });

  it('has its sound beginning with its picture, to the frame of sound', async () => {
    const source = await referenceRemux(
      (await makeHls({ seconds: 20, fps: '30000/1001', bframes: 2, audio: [{ codec: 'aac' }] })).segments,
    );
    const { path, cut } = await clip(await readFile(source), 10, 14);
    const audio = (await packets(path, { hash: true })).find((stream) => stream.codec === 'aac');
    const original = (await packets(source, { hash: true })).find((stream) => stream.codec === 'aac');
    const scale = Number(audio?.timeBase.split('/')[1]);
    const first = original?.packets.find((packet) => packet.hash === audio?.packets[0]?.hash);
    const movedBy = ((first?.pts ?? 0) - (audio?.packets[0]?.pts ?? 0)) / scale;
    expect(Math.abs(movedBy - cut.fromSeconds)).toBeLessThan(0.001);
    expect((audio?.packets[0]?.pts ?? 1) / scale).toBeLessThanOrEqual(0.001);
    expect((audio?.packets[0]?.pts ?? -1) / scale).toBeGreaterThan(-0.03);
  });

  it('can be the sound alone of a whole file of the engine, without a byte of its pictures', async () => {
    const hls = await makeHls({ seconds: 20, fps: '30000/1001', bframes: 2, audio: [{ codec: 'aac' }] });
    const made = await runEngine(dir, [{ segments: hls.segments, perPart: [4] }]);
    const file = await readFile(made.path);
    const { path, cut } = await clip(file, 0, Number.POSITIVE_INFINITY, ['audio']);
    const [sound] = await packets(path, { hash: true });
    const original = (await packets(made.path, { hash: true })).find((stream) => stream.codec === 'aac');
    expect(sound?.packets.map((packet) => packet.hash)).toEqual(original?.packets.map((packet) => packet.hash));
    expect(cut.mediaBytes).toBe(sound?.packets.reduce((sum, packet) => sum + packet.size, 0));
    await fullDecode(path);
  });

  it('reaches across a change of resolution', async () => {
    const [small, large] = await Promise.all([
      makeHls({ seconds: 8, fps: '25', width: 320, height: 180, audio: [{ codec: 'aac' }] }),
      makeHls({ seconds: 8, fps: '25', width: 640, height: 360, audio: [{ codec: 'aac' }] }),
    ]);
    const made = await runEngine(dir, [{ segments: small.segments }, { segments: large.segments }]);
    const { path, head } = await clip(await readFile(made.path), 6.1, 10);
    await fullDecode(path);
    expect(head.tracks.find((track) => track.kind === 'video')?.samples).toBe(99);
  });

  it('is of sound where no picture is shown yet, or none any more', async () => {
    const source = await referenceRemux((await makeHls(SHAPES[0]?.[1] ?? { seconds: 20 })).segments);
    const path = join(dir, 'apart.mp4');
    // Pictures from 6 s to 16 s of 20 s of sound.
    const inputs = ['-itsoffset', '6', '-t', '10', '-i', source, '-i', source, '-map', '0:v', '-map', '1:a'];
    await ffmpeg(['-hide_banner', ...inputs, '-c', 'copy', '-movflags', '+faststart', path]);
    const file = await readFile(path);
    const before = await clip(file, 1, 3);
    expect(before.cut.fromSeconds).toBeCloseTo(1, 1);
    expect((await packets(before.path)).map((stream) => stream.codec)).toEqual(['aac']);
    const into = await clip(file, 2, 8);
    expect(into.cut.fromSeconds).toBeCloseTo(2, 1);
    const [video, audio] = await packets(into.path);
    const startOf = (stream: typeof video) =>
      (stream?.packets[0]?.pts ?? Number.NaN) / Number(stream?.timeBase.split('/')[1]);
    expect(startOf(video)).toBeCloseTo(4, 0);
    expect(startOf(audio)).toBeCloseTo(0, 1);
    const after = await clip(file, 18, 19);
    expect(after.cut.fromSeconds).toBeCloseTo(18, 1);
    expect((await packets(after.path)).map((stream) => stream.codec)).toEqual(['aac']);
  });

  it('is nothing where nothing plays', async () => {
    const source = await referenceRemux((await makeHls({ seconds: 8, fps: '25', audio: [{ codec: 'aac' }] })).segments);
    const movie = readMovie(await readFile(source));
    expect(cutMovie(movie, { startSeconds: 5, endSeconds: 5, nearBytes: 0 })).toBeNull();
  });
});
