/**
 * A full scratch disk: a small file system of its own where the machine lets us mount one, and /dev/full, which answers
 * every write as a full disk does, everywhere.
 */
import { execFile } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { mediaEngine } from '../../../lib/recordings/media-engine.ts';
import { readMetrics } from '../../../lib/recordings/metrics.ts';
import { withScratch } from '../../../lib/recordings/scratch.ts';
import { type FaultyService, serviceWith } from '../../support/faults.ts';
import { ffmpegBinary, type Hls } from '../../support/media/index.ts';
import { expectExact, makeLongStream, SMALL_PARTS, startRecording, upload } from '../../support/recorded.ts';
import { type Harness, startHarness } from '../../support/service-harness.ts';

const exec = promisify(execFile);

let harness: Harness;
let hls: Hls;
let dir: string;

beforeAll(async () => {
  // Parts of 5 MiB: the stream has four.
  [harness, hls, dir] = await Promise.all([
    startHarness({ PROCESSING_ATTEMPTS: '2', ...SMALL_PARTS }),
    makeLongStream(),
    mkdtemp(join(tmpdir(), 'scratch-fault-')),
  ]);
});
afterAll(async () => {
  await harness.stop();
  await rm(dir, { recursive: true });
});

const disks: SmallDisk[] = [];
afterEach(async () => {
  for (const disk of disks.splice(0)) await disk.unmount();
});

interface SmallDisk {
  readonly folder: string;
  resize(megabytes: number): Promise<void>;
  unmount(): Promise<void>;
}

/** A file system of its own, or null where the machine does not let us mount one. */
async function smallDisk(megabytes: number): Promise<SmallDisk | null> {
  const folder = await mkdtemp(join(dir, 'disk-'));
  const mount = (...options: string[]) => exec('mount', ['-t', 'tmpfs', ...options, 'tmpfs', folder]);
  const mounted = await mount('-o', `size=${megabytes}m`).then(
    () => true,
    () => false,
  );
  if (!mounted) return null;
  const disk = {
    folder,
    resize: async (size: number) => void (await exec('mount', ['-o', `remount,size=${size}m`, folder])),
    unmount: async () => void (await exec('umount', [folder])),
  };
  disks.push(disk);
  return disk;
}

/** The real ffmpeg, whose output goes to a disk that is full as long as `isFull`. */
async function ffmpegOnFullDisk(): Promise<{ path: string; free(): Promise<void> }> {
  const { path } = await ffmpegBinary();
  const standIn = join(dir, `ffmpeg-${Math.random()}`);
  const write = async (command: string) => {
    await writeFile(standIn, `#!/bin/bash\nexec '${path}' ${command}\n`);
    await chmod(standIn, 0o755);
  };
  // All arguments but the last, which names the output.
  await write(`"\${@:1:$#-1}" /dev/full`);
  return { path: standIn, free: () => write('"$@"') };
}

/** More attempts than PROCESSING_ATTEMPTS; the recording waits, with a reason that says what to do. */
async function expectWaiting(service: FaultyService, id: string, status: 'recording' | 'processing'): Promise<void> {
  for (let count = 0; count < 3; count += 1) {
    await service.attempt(id);
    expect(await harness.context.recordings.find(id)).toMatchObject({
      status,
      failureCode: 'SCRATCH_FULL',
      failureMessage: expect.stringMatching(/SCRATCH_DIR/),
    });
  }
  expect(service.log.lines.filter((line) => line.err?.code === 'SCRATCH_FULL').length).toBeGreaterThanOrEqual(3);
}

it('that fills under ffmpeg stops the parts of a live recording, which goes on when it is freed, exact', async () => {
  const full = await ffmpegOnFullDisk();
  const service = serviceWith(harness, {}, { ffmpeg: async () => ({ ...(await ffmpegBinary()), path: full.path }) });
  const recording = await startRecording(harness, hls);
  await upload(harness, recording.streamKey, hls.segments.slice(0, 6));
  await expectWaiting(service, recording.id, 'recording');
  expect(await harness.context.parts.totals(recording.id, 1)).toMatchObject({ parts: 0 });

  await full.free();
  await service.monitor();
  expect((await harness.context.parts.totals(recording.id, 1)).parts).toBeGreaterThan(0);
  await upload(harness, recording.streamKey, hls.segments.slice(6));
  await harness.tell('stream.ended', recording);
  service.later(1000);
  await service.monitor();
  await expectExact(harness, (await recording.row()).filePath, hls.segments);
  expect(service.log.revealing(recording.streamKey)).toEqual([]);
});

it('that fills under the service itself keeps an ended recording waiting, which is exact when it is freed', async () => {
  const disk = await smallDisk(3);
  let full = true;
  // Without a disk to fill, a write to /dev/full at the same place: both are the kernel's own answer.
  const joinShortWay: typeof mediaEngine.joinShortWay = async (options) => {
    if (full && !disk) await writeFile('/dev/full', 'x');
    return mediaEngine.joinShortWay(options);
  };
  const service = serviceWith(
    harness,
    { PART_SIZE: String(64 * 2 ** 20), ...(disk ? { SCRATCH_DIR: disk.folder } : {}) },
    { media: { ...mediaEngine, joinShortWay } },
  );
  const segments = hls.segments.slice(0, 3);
  const recording = await startRecording(harness, hls);
  await upload(harness, recording.streamKey, segments);
  await harness.tell('stream.ended', recording);
  service.later(1000);
  await expectWaiting(service, recording.id, 'processing');

  full = false;
  await disk?.resize(64);
  await service.monitor();
  await expectExact(harness, (await recording.row()).filePath, segments);
  expect(service.log.revealing(recording.streamKey)).toEqual([]);
});

it.each(['ENOSPC', 'EDQUOT'])('that is full says %s in whatever it is written with', async (code) => {
  const service = serviceWith(harness);
  const recording = await (await startRecording(harness, hls)).row();
  const full = () => Promise.reject(Object.assign(new Error(`${code}: write`), { code }));
  await expect(withScratch(service.context, recording, full)).rejects.toMatchObject({
    code: 'SCRATCH_FULL',
    retryable: true,
  });
});

it('a recording that failed in its folder is told of without the name of that folder, which is its stream key', async () => {
  const joinShortWay: typeof mediaEngine.joinShortWay = ({ dir: folder }) =>
    Promise.reject(new Error(`EIO: i/o error, open '${folder}/run-0.ts'`));
  const env = { PART_SIZE: String(64 * 2 ** 20) };
  const service = serviceWith(harness, env, { media: { ...mediaEngine, joinShortWay } });
  const recording = await startRecording(harness, hls);
  await upload(harness, recording.streamKey, hls.segments.slice(0, 2));
  await harness.tell('stream.ended', recording);
  service.later(1000);
  await service.attempt(recording.id);
  const { failureCode, failureMessage } = await recording.row();
  expect([failureCode, failureMessage]).toEqual(['UNEXPECTED', expect.stringContaining('EIO: i/o error')]);
  expect(failureMessage).not.toContain(recording.streamKey);
  expect(service.log.revealing(recording.streamKey)).toEqual([]);
});

describe('scratch space', () => {
  const warnings = (service: FaultyService) =>
    service.log.lines.filter((line) => line.message === 'Scratch space is over 80 % full');

  it.each([
    ['over', 0.81, 1],
    ['at', 0.8, 0],
  ])('%s 80 %% is warned of, with the figure and the folder: %d', async (_where, used, count) => {
    const service = serviceWith(harness);
    const recording = await (await startRecording(harness, hls)).row();
    await withScratch(
      service.context,
      recording,
      async () => {},
      async () => used,
    );
    expect(warnings(service)).toHaveLength(count);
    const [line] = warnings(service);
    if (line) expect(line).toMatchObject({ level: 'warn', used_percent: 81, folder: harness.scratch });
  });

  it('is measured while a job fills it, and the metric tells it too', async () => {
    const disk = await smallDisk(10);
    if (!disk) return;
    const service = serviceWith(harness, { SCRATCH_DIR: disk.folder });
    const recording = await (await startRecording(harness, hls)).row();
    await withScratch(service.context, recording, (folder) => writeFile(join(folder, 'x'), Buffer.alloc(9 * 2 ** 20)));
    expect(warnings(service)).toMatchObject([{ used_percent: 90 }]);
    await writeFile(join(disk.folder, 'other'), Buffer.alloc(5 * 2 ** 20));
    expect((await readMetrics(service.context)).scratchUsedRatio).toBeCloseTo(0.5, 1);
  });
});
