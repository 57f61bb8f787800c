/** An object store that is down or refuses the credentials, at the start and in flight: said, waited for, made right. */
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { captureNotified } from '../../../lib/recordings/capture-notified.ts';
import { tick } from '../../../lib/recordings/monitor.ts';
import { retryRecording } from '../../../lib/recordings/remake.ts';
import { announceStart } from '../../../lib/recordings/start-service.ts';
import { sweepRecording } from '../../../lib/recordings/sweep.ts';
import type { ObjectStore } from '../../../lib/storage/object-store.ts';
import { alteredStore } from '../../support/altered-store.ts';
import { type FaultyService, serviceWith } from '../../support/faults.ts';
import { type Hls, makeHls } from '../../support/media/index.ts';
import { expectExact, newStream, put, recordingOf, startRecording, upload } from '../../support/recorded.ts';
import { type Harness, startHarness } from '../../support/service-harness.ts';
import { createBucket } from '../../support/stores/store-server.ts';

let harness: Harness;
let hls: Hls;

beforeAll(async () => {
  [harness, hls] = await Promise.all([
    startHarness({ PROCESSING_ATTEMPTS: '2' }),
    makeHls({ seconds: 6, segmentSeconds: 2, fps: '25', bframes: 2, audio: [{ codec: 'aac' }] }),
  ]);
});
afterAll(() => harness.stop());

async function failOften(service: FaultyService, id: string, code: string): Promise<void> {
  for (let count = 0; count < 3; count += 1) {
    await service.attempt(id);
    expect(await harness.context.recordings.find(id)).toMatchObject({ status: 'processing', failureCode: code });
  }
}

/** The whole stream is in the bucket, its end is told, and the monitor makes it right. */
async function expectHealed(service: FaultyService, streamId: string): Promise<void> {
  await service.monitor();
  const row = await recordingOf(harness, streamId);
  expect(row).toMatchObject({ status: 'completed', failureCode: null });
  await expectExact(harness, row.filePath, hls.segments);
  expect(service.log.revealing(row.streamKey)).toEqual([]);
}

describe('a store that is down', () => {
  it('at the start is named with the variables to check, and a stream that starts meanwhile is recorded whole', async () => {
    await harness.s3.stop();
    const service = serviceWith(harness);
    const problems = await announceStart(service.context);
    expect(problems).toEqual([
      expect.stringMatching(/^The bucket recordings is not available; check MINIO_ENDPOINT, .*ECONNREFUSED/),
      expect.stringMatching(/^The bucket live-segments is not available; no segment can be captured until it is/),
    ]);
    expect(service.log.lines.filter((line) => line.level === 'error')).toMatchObject([
      { err: { code: 'STORAGE_UNAVAILABLE' } },
      { err: { code: 'STORAGE_UNAVAILABLE' } },
    ]);
    const stream = newStream();
    await harness.tell('stream.started', stream);
    await tick(service.context);
    await harness.s3.start();
    await put(harness, stream.streamKey, [...hls.segments, hls.playlist]);
    await harness.tell('stream.ended', stream);
    service.later(1000);
    await expectHealed(service, stream.streamId);
    expect(await announceStart(service.context)).toEqual([]);
  });

  it('in flight loses nothing: captures fail and come again, finishing waits beyond its attempts', async () => {
    const service = serviceWith(harness);
    const recording = await startRecording(harness, hls);
    await upload(harness, recording.streamKey, hls.segments.slice(0, 1));
    await put(harness, recording.streamKey, hls.segments.slice(1, 2));
    await harness.s3.stop();
    const told = captureNotified(service.context, [`${recording.streamKey}/segment_001.ts`]);
    await expect(told).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE', retryable: true });
    await expect(sweepRecording(service.context, recording.id)).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' });
    await harness.tell('stream.ended', recording);
    await failOften(service, recording.id, 'STORAGE_UNAVAILABLE');
    await tick(service.context);
    expect(service.log.lines).toContainEqual(
      expect.objectContaining({ message: 'Monitor could not sweep; it tries again with the next tick' }),
    );

    await harness.s3.start();
    await put(harness, recording.streamKey, hls.segments.slice(2));
    service.later(60_000);
    await expectHealed(service, recording.streamId);
  });
});

describe('wrong credentials', () => {
  it('at the start are named with the variables that hold them', async () => {
    const service = serviceWith(harness, { MINIO_SECRET_KEY: 'not-the-secret' });
    const problems = await announceStart(service.context);
    expect(problems).toEqual([
      expect.stringMatching(/bucket recordings is not available; check .*MINIO_ACCESS_KEY and MINIO_SECRET_KEY/),
      expect.stringMatching(/bucket live-segments is not available/),
    ]);
    expect(service.log.lines.filter((line) => line.level === 'error')).toMatchObject([
      { err: { code: 'STORAGE_ACCESS_DENIED', message: expect.stringContaining('check MINIO_ACCESS_KEY') } },
      { err: { code: 'STORAGE_ACCESS_DENIED' } },
    ]);
    expect(service.log.text()).not.toContain('not-the-secret');
  });

  it('in flight, after somebody changed them in the store, keep recordings waiting until they are right again', async () => {
    const service = serviceWith(harness);
    const recording = await startRecording(harness, hls);
    await upload(harness, recording.streamKey, hls.segments.slice(0, 2));
    await put(harness, recording.streamKey, hls.segments.slice(2));
    await harness.s3.stop();
    await harness.s3.start('changed-in-the-store');
    const told = captureNotified(service.context, [`${recording.streamKey}/segment_002.ts`]);
    await expect(told).rejects.toMatchObject({ code: 'STORAGE_ACCESS_DENIED', retryable: true });
    await harness.tell('stream.ended', recording);
    await failOften(service, recording.id, 'STORAGE_ACCESS_DENIED');
    expect((await recording.row()).failureMessage).toMatch(/check MINIO_ACCESS_KEY, MINIO_SECRET_KEY/);

    await harness.s3.stop();
    await harness.s3.start();
    await expectHealed(service, recording.streamId);
  });
});

it('a store that has not what it said it had stored completes nothing, and once it has, the recording is completed', async () => {
  const lost: ObjectStore['putFile'] = async () => ({ etag: 'e' });
  const cut: ObjectStore['putFile'] = (bucket, key, path, contentType) =>
    readFile(path).then((bytes) => harness.store.put(bucket, key, bytes.subarray(1), contentType));
  for (const putFile of [lost, cut]) {
    const service = serviceWith(harness, {}, { store: alteredStore(harness.store, { putFile }) });
    const recording = await startRecording(harness, hls);
    await put(harness, recording.streamKey, [...hls.segments, hls.playlist]);
    await harness.tell('stream.ended', recording);
    await service.attempt(recording.id);
    expect(await recording.row()).toMatchObject({
      status: 'processing',
      failureCode: 'VERIFICATION_FAILED',
      filePath: '',
    });
    const healed = serviceWith(harness);
    healed.later(60_000);
    await expectHealed(healed, recording.streamId);
  }
});

it('a bucket that does not exist is named', async () => {
  const service = serviceWith(harness, { LIVE_BUCKET: 'no-such-bucket' });
  expect(await announceStart(service.context)).toEqual([
    expect.stringMatching(/^The bucket no-such-bucket is not available; no segment can be captured until it is/),
  ]);
  expect(service.log.lines).toContainEqual(
    expect.objectContaining({ err: expect.objectContaining({ code: 'BUCKET_MISSING' }) }),
  );
});

it('a bucket that is made only while recordings wait for it is all that they waited for', async () => {
  const service = serviceWith(harness, { LIVE_BUCKET: 'made-later' });
  const recording = await startRecording(harness, hls);
  await harness.tell('stream.ended', recording);
  await failOften(service, recording.id, 'BUCKET_MISSING');
  expect((await recording.row()).failureMessage).toContain('made-later');

  await createBucket(service.context.config, 'made-later');
  for (const path of hls.segments)
    await harness.store.put(
      'made-later',
      `${recording.streamKey}/${basename(path)}`,
      await readFile(path),
      'video/mp2t',
    );
  await expectHealed(service, recording.streamId);
});

it('a store that stays away for longer than RETRY_FOR fails the recording with the reason, and a retry completes it', async () => {
  const service = serviceWith(harness, { RETRY_FOR: '10m' });
  const recording = await startRecording(harness, hls);
  await upload(harness, recording.streamKey, hls.segments);
  await harness.tell('stream.ended', recording);
  await harness.s3.stop();
  await failOften(service, recording.id, 'STORAGE_UNAVAILABLE');
  service.later(11 * 60_000);
  await service.attempt(recording.id);
  expect(await recording.row()).toMatchObject({ status: 'failed', failureCode: 'STORAGE_UNAVAILABLE' });

  await harness.s3.start();
  await retryRecording(service.context, recording.id);
  await expectHealed(service, recording.streamId);
});

it('an empty bucket fails the recording with what to look at, and a retry completes it once the segments are there', async () => {
  const service = serviceWith(harness);
  const recording = await startRecording(harness, hls);
  await harness.tell('stream.ended', recording);
  service.later(10_000);
  await service.monitor();
  expect(await recording.row()).toMatchObject({
    status: 'failed',
    failureCode: 'NO_SEGMENTS',
    failureMessage: expect.stringMatching(/^The bucket live-segments has no segment of the stream/),
  });
});
