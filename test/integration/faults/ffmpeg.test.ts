/** No ffmpeg, or one that vanishes: segments are captured, recordings wait, and installing it is all that heals. */
import { chmod, copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type FindOptions, findFfmpeg } from '../../../lib/ffmpeg/find.ts';
import { announceStart } from '../../../lib/recordings/start-service.ts';
import { type FaultyService, serviceWith } from '../../support/faults.ts';
import { ffmpegBinary, type Hls, makeHls } from '../../support/media/index.ts';
import { expectExact, startRecording } from '../../support/recorded.ts';
import { type Harness, startHarness } from '../../support/service-harness.ts';

let harness: Harness;
let hls: Hls;
let dir: string;

beforeAll(async () => {
  [harness, hls, dir] = await Promise.all([
    startHarness({ PROCESSING_ATTEMPTS: '2' }),
    makeHls({ seconds: 6, segmentSeconds: 2, fps: '25', audio: [{ codec: 'aac' }] }),
    mkdtemp(join(tmpdir(), 'ffmpeg-fault-')),
  ]);
});
afterAll(async () => {
  await harness.stop();
  await rm(dir, { recursive: true });
});

const install = async (path: string) => {
  await copyFile((await ffmpegBinary()).path, path);
  await chmod(path, 0o755);
};

/** A machine whose PATH is one folder of the test's. */
const machine: FindOptions = {
  get env() {
    return { PATH: dir };
  },
  layerPath: '/nowhere/ffmpeg',
  load: () => Promise.reject(new Error('not installed')),
};

/** More attempts than PROCESSING_ATTEMPTS, all of which fail. */
async function failOften(service: FaultyService, id: string, code: string): Promise<void> {
  for (let count = 0; count < 4; count += 1) {
    await service.attempt(id);
    expect(await harness.context.recordings.find(id)).toMatchObject({ status: 'processing', failureCode: code });
  }
}

it('an ffmpeg that is missing is named with the places that were looked in, and recordings wait for it', async () => {
  const service = serviceWith(harness, {}, { ffmpeg: () => findFfmpeg(machine) });
  const problems = await announceStart(service.context);
  expect(problems).toEqual([expect.stringMatching(/^ffmpeg is missing; segments are captured.*Set FFMPEG_PATH/)]);

  const recording = await startRecording(harness, hls);
  await recording.upload(0, 1, 2);
  await harness.tell('stream.ended', recording);
  service.later(1000);
  await failOften(service, recording.id, 'FFMPEG_MISSING');
  expect(await recording.row()).toMatchObject({
    failureMessage: expect.stringMatching(/PATH \(no such file\).*install ffmpeg/),
  });

  await install(join(dir, 'ffmpeg'));
  await service.monitor();
  const row = await recording.row();
  expect(row).toMatchObject({ status: 'completed', failureCode: null });
  await expectExact(harness, row.filePath, hls.segments);
  expect(service.log.revealing(recording.streamKey)).toEqual([]);
});

it('an ffmpeg that vanishes after it was found is looked for again', async () => {
  const path = join(dir, 'chosen');
  await install(path);
  const before = process.env.FFMPEG_PATH;
  process.env.FFMPEG_PATH = path;
  try {
    const service = serviceWith(harness);
    await expect(service.context.ffmpeg()).resolves.toMatchObject({ path });
    await rm(path);
    const recording = await startRecording(harness, hls);
    await recording.upload(0, 1, 2);
    await harness.tell('stream.ended', recording);
    service.later(1000);
    await failOften(service, recording.id, 'FFMPEG_NOT_EXECUTABLE');
    expect(await recording.row()).toMatchObject({ failureMessage: expect.stringContaining('FFMPEG_PATH is set to') });

    await install(path);
    await service.monitor();
    await expectExact(harness, (await recording.row()).filePath, hls.segments);
  } finally {
    if (before === undefined) delete process.env.FFMPEG_PATH;
    else process.env.FFMPEG_PATH = before;
  }
});
