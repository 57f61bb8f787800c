/** Fragments cut out of real files carry exactly the samples of the file, whatever made it. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { extentsOf, ReadExtents } from '../../../lib/mp4/clip-extents.ts';
import { buildFragment, buildInit } from '../../../lib/mp4/clip-fragment.ts';
import { type FragmentPlan, planFragments } from '../../../lib/mp4/clip-plan.ts';
import { readMovie } from '../../../lib/mp4/clip-source.ts';
import {
  comparePackets,
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
  dir = await mkdtemp(join(tmpdir(), 'fragments-'));
});
afterAll(() => rm(dir, { recursive: true }));

function fragmentBytes(plan: FragmentPlan, number: number, file: Uint8Array): Uint8Array {
  const ranges = plan.fragments[number]?.ranges ?? [];
  const tracks = ranges.map(({ track, first, end }) => ({ track, samples: [...track.samples.walk(first, end)] }));
  const extents = extentsOf(
    tracks.flatMap(({ samples }) => samples),
    64 * 1024,
  );
  const read = new ReadExtents(
    extents,
    extents.map(({ first, end }) => file.subarray(first, end)),
  );
  return buildFragment(tracks, number + 1, plan.leadSeconds, read);
}

/** Packets of the whole file, without what the fragments' clock is ahead by. */
async function packetsOfFragments(plan: FragmentPlan, file: Uint8Array, numbers = [...plan.fragments.keys()]) {
  const layout = plan.layouts[plan.fragments[numbers[0] ?? 0]?.layout ?? 0];
  if (!layout) throw new Error('no layout');
  const path = join(dir, `fragmented-${Math.random()}.mp4`);
  await writeFile(
    path,
    Buffer.concat([buildInit(layout), ...numbers.map((number) => fragmentBytes(plan, number, file))]),
  );
  const streams = await packets(path, { hash: true });
  return {
    path,
    streams: streams.map((stream) => {
      const lead = plan.leadSeconds * Number(stream.timeBase.split('/')[1]);
      return {
        ...stream,
        packets: stream.packets.map((one) => ({
          ...one,
          pts: one.pts === null ? null : one.pts - lead,
          dts: one.dts === null ? null : one.dts - lead,
        })),
      };
    }),
  };
}

const OPTIONS = { targetSeconds: 4, mostBytes: 4 * 1024 * 1024 };

const SHAPES: ReadonlyArray<[string, StreamShape]> = [
  ['B-frames and AAC', { seconds: 20, fps: '30000/1001', bframes: 2, audio: [{ codec: 'aac' }] }],
  ['a variable frame rate', { seconds: 12, fps: 'vfr', audio: [{ codec: 'aac' }] }],
  ['sound that begins late', { seconds: 12, fps: '25', audio: [{ codec: 'aac', delaySeconds: 1.5 }] }],
  ['sound only', { seconds: 12, video: 'none', audio: [{ codec: 'aac' }] }],
  ['pictures only', { seconds: 12, fps: '25', bframes: 2, audio: [] }],
  ['open groups of pictures', { seconds: 12, fps: '25', bframes: 2, openGop: true, audio: [{ codec: 'mp3' }] }],
  ['HEVC', { seconds: 8, fps: '25', video: 'hevc', bframes: 2, audio: [{ codec: 'aac' }] }],
];

describe('fragments of a file', () => {
  it.each(SHAPES)('carry every packet of it: %s', async (_name, shape) => {
    const hls = await makeHls(shape);
    const source = await referenceRemux(hls.segments);
    const file = await readFile(source);
    const movie = readMovie(file);
    const plan = planFragments(movie, OPTIONS);
    expect(plan.layouts).toHaveLength(1);
    expect(plan.fragments.length).toBeGreaterThanOrEqual(Math.floor(shape.seconds / 6));
    const { path, streams } = await packetsOfFragments(plan, file);
    expect(comparePackets(streams, await packets(source, { hash: true }))).toEqual([]);
    await fullDecode(path);
    const total = plan.fragments.reduce((sum, fragment) => sum + fragment.durationSeconds, 0);
    expect(total).toBeCloseTo(movie.durationSeconds, 3);
  });

  it('carry every packet of a file of the engine, whose media has fragments of its own in between', async () => {
    const hls = await makeHls({ seconds: 20, fps: '30000/1001', bframes: 2, audio: [{ codec: 'aac' }] });
    const made = await runEngine(dir, [{ segments: hls.segments, perPart: [3] }]);
    const file = await readFile(made.path);
    const plan = planFragments(readMovie(file), OPTIONS);
    const { streams } = await packetsOfFragments(plan, file);
    expect(comparePackets(streams, await packets(made.path, { hash: true }))).toEqual([]);
  });

  it('each begin where decoding can begin', async () => {
    const hls = await makeHls({ seconds: 20, fps: '30000/1001', bframes: 2, audio: [{ codec: 'aac' }] });
    const file = await readFile(await referenceRemux(hls.segments));
    const plan = planFragments(readMovie(file), OPTIONS);
    for (const number of plan.fragments.keys()) {
      const { path, streams } = await packetsOfFragments(plan, file, [number]);
      expect(streams.find((stream) => stream.codec === 'h264')?.packets[0]?.flags[0]).toBe('K');
      await fullDecode(path);
    }
  });

  it('are no heavier than allowed, key frames or not', async () => {
    const hls = await makeHls({ seconds: 20, fps: '30000/1001', bframes: 2, audio: [{ codec: 'aac' }] });
    const source = await referenceRemux(hls.segments);
    const file = await readFile(source);
    const mostBytes = 40_000;
    const plan = planFragments(readMovie(file), { targetSeconds: 4, mostBytes });
    const sizes = [...plan.fragments.keys()].map((number) => fragmentBytes(plan, number, file).length);
    expect(Math.max(...sizes)).toBeLessThan(mostBytes + 8000);
    const { streams } = await packetsOfFragments(plan, file);
    expect(comparePackets(streams, await packets(source, { hash: true }))).toEqual([]);
  });

  it('have a moov of their own where the decoder changes, and lose nothing there', async () => {
    const [small, large] = await Promise.all([
      makeHls({ seconds: 8, fps: '25', width: 320, height: 180, audio: [{ codec: 'aac' }] }),
      makeHls({ seconds: 8, fps: '25', width: 640, height: 360, audio: [{ codec: 'aac', sampleRate: 44_100 }] }),
    ]);
    const made = await runEngine(dir, [{ segments: small.segments }, { segments: large.segments }]);
    const file = await readFile(made.path);
    const plan = planFragments(readMovie(file), OPTIONS);
    expect(plan.layouts).toHaveLength(2);
    const of = (layout: number) => [...plan.fragments.keys()].filter((at) => plan.fragments[at]?.layout === layout);
    const [first, second] = [await packetsOfFragments(plan, file, of(0)), await packetsOfFragments(plan, file, of(1))];
    await fullDecode(first.path);
    await fullDecode(second.path);
    const count = (streams: typeof first.streams) =>
      streams.map((stream) => stream.packets.length).reduce((a, b) => a + b, 0);
    const whole = await packets(made.path);
    expect(count(first.streams) + count(second.streams)).toBe(count(whole as typeof first.streams));
    const { stderr } = await ffmpeg(['-hide_banner', '-i', second.path, '-f', 'null', '-']);
    expect(stderr).toContain('640x360');
  });
});
