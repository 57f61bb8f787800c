/**
 * Dead letters on a real SQS server: messages whose function failed on every delivery are worked off, each once, and
 * none of them is an end.
 */

import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import type { Context, SQSEvent } from 'aws-lambda';
import { drainWith } from '../../../functions/dead-letters.ts';
import { LEASE_MS } from '../../../lib/recordings/advance.ts';
import type { RecordingContext } from '../../../lib/recordings/context.ts';
import { readMetrics, toEmf, toPrometheus } from '../../../lib/recordings/metrics.ts';
import { retryRecording } from '../../../lib/recordings/remake.ts';
import { StorageUnavailable } from '../../../lib/storage/errors.ts';
import { type EventBridge, type Invoke, startEventBridge } from '../../../localstack/event-bridge.ts';
import {
  JOBS_DEAD_LETTERS,
  JOBS_QUEUE,
  QUEUES,
  SEGMENTS_DEAD_LETTERS,
  SEGMENTS_QUEUE,
} from '../../../localstack/queues.ts';
import { toS3Event } from '../../../localstack/s3-event.ts';
import { type RunningSqs, startSqs } from '../../../localstack/sqs.ts';
import { alteredStore } from '../../support/altered-store.ts';
import { type Hls, makeHls } from '../../support/media/index.ts';
import { expectExact, type LiveRecording, put, startRecording } from '../../support/recorded.ts';
import { type Harness, startHarness } from '../../support/service-harness.ts';
import { waitFor } from '../../support/wait.ts';

const access = { region: 'us-east-1', accessKeyId: 'minioadmin', secretAccessKey: 'minioadmin123' };
const names = { [SEGMENTS_QUEUE]: 'segments', [JOBS_QUEUE]: 'finalizer' } as const;

let harness: Harness;
let hls: Hls;
let sqs: RunningSqs;
let client: SQSClient;
let bridge: EventBridge | undefined;
/** Outcomes that the function for dead letters had, a message each. */
let drained: Array<{ body: string; ok: boolean }>;

beforeAll(async () => {
  [harness, hls] = await Promise.all([
    startHarness({ PROCESSING_ATTEMPTS: '2' }),
    makeHls({ seconds: 6, segmentSeconds: 2, fps: '25', audio: [{ codec: 'aac' }] }),
  ]);
});
afterAll(() => harness.stop());

beforeEach(async () => {
  // Two deliveries, then dead.
  const queues = QUEUES.map((queue) =>
    queue.deadLetter ? { ...queue, deadLetter: { ...queue.deadLetter, maxReceiveCount: 2 } } : queue,
  );
  sqs = await startSqs({ queues });
  client = new SQSClient({ endpoint: sqs.endpoint, region: 'us-east-1', credentials: access });
  drained = [];
  await harness.context.db.query('DELETE FROM dead_letters');
});
afterEach(async () => {
  await bridge?.stop();
  client.destroy();
  await sqs.stop();
});

/** The bridge with functions of which segments and finalizer fail as the test says, and the real one for dead letters. */
function start(failing: Invoke, service: () => RecordingContext): void {
  const drain = drainWith(async () => service());
  const source = (queue: string, functionName: string, batchSize: number) => ({
    queueUrl: sqs.queueUrl(queue),
    functionName,
    batchSize,
    concurrency: 1,
  });
  bridge = startEventBridge({
    sqs: { endpoint: sqs.endpoint, ...access },
    sources: [
      source(SEGMENTS_QUEUE, names[SEGMENTS_QUEUE], 10),
      source(JOBS_QUEUE, names[JOBS_QUEUE], 1),
      source(SEGMENTS_DEAD_LETTERS, 'deadLetters', 10),
      source(JOBS_DEAD_LETTERS, 'deadLetters', 1),
    ],
    invoke: async (name, event, signal) => {
      if (name !== 'deadLetters') return failing(name, event, signal);
      const answer = await drain(event as SQSEvent, { getRemainingTimeInMillis: () => 60_000 } as Context);
      const failed = new Set(answer.batchItemFailures.map((failure) => failure.itemIdentifier));
      for (const record of (event as SQSEvent).Records)
        drained.push({ body: record.body, ok: !failed.has(record.messageId) });
      return answer;
    },
    onProblem: () => {},
  });
}

const dies: Invoke = () => Promise.reject(new Error('the function died'));

const sendJob = (recordingId: string, id: string) =>
  client.send(
    new SendMessageCommand({
      QueueUrl: sqs.queueUrl(JOBS_QUEUE),
      MessageBody: JSON.stringify({ recording_id: recordingId }),
      MessageGroupId: recordingId,
      MessageDeduplicationId: id,
    }),
  );

const NEW = { eventName: 'ObjectCreated:Put', bucket: 'live-segments', size: 1, etag: 'x', timeMs: 0 } as const;
const created = (key: string) => toS3Event({ ...NEW, key });

const outcomes = async () => {
  const { rows } = await harness.context.db.query<{ outcome: string }>('SELECT outcome FROM dead_letters ORDER BY 1');
  return rows.map((row) => row.outcome);
};

const drainedCount = (count: number) =>
  waitFor(`${count} dead letters drained`, () => drained.length >= count, { withinMs: 60_000 });

/** A live recording with all its segments, and its end told; nobody has worked on it. */
async function endedRecording(): Promise<LiveRecording> {
  const recording = await startRecording(harness, hls);
  await recording.upload(0, 1, 2);
  await harness.tell('stream.ended', recording);
  harness.queues.messages = [];
  return recording;
}

/** The harness's back ends after the lease of a worker that died has run out. */
const afterLease = () => {
  const { clock } = harness.context;
  return harness.variant({}, { clock: { ...clock, now: () => clock.now() + LEASE_MS + 1000 } });
};

describe('a dead notification of segments', () => {
  it('is captured by a sweep, and the file is whole', async () => {
    const recording = await startRecording(harness, hls);
    await put(harness, recording.streamKey, hls.segments);
    const keys = hls.segments.map((_, index) => `${recording.streamKey}/segment_00${index}.ts`);
    for (const key of keys) sqs.send(SEGMENTS_QUEUE, created(key));
    start(dies, () => harness.context);
    await drainedCount(3);
    expect((await harness.context.places.totals(recording.id)).segments).toBe(3);
    expect(await outcomes()).toEqual(['repeated', 'repeated', 'repeated']);
    await recording.end();
    await expectExact(harness, (await recording.row()).filePath, hls.segments);
  });

  it('stays while the store is away, and is captured when it is back', async () => {
    const recording = await startRecording(harness, hls);
    await put(harness, recording.streamKey, hls.segments);
    const key = `${recording.streamKey}/segment_000.ts`;
    let away = true;
    const list: typeof harness.store.list = (...args) =>
      away ? Promise.reject(new StorageUnavailable('away')) : harness.store.list(...args);
    const store = alteredStore(harness.store, { list });
    sqs.send(SEGMENTS_QUEUE, created(key));
    start(dies, () => harness.variant({}, { store }));
    await drainedCount(1);
    expect(drained.every(({ ok }) => !ok)).toBe(true);
    expect(await outcomes()).toEqual([]);
    away = false;
    await waitFor('the letter drained', async () => (await outcomes()).length === 1, { withinMs: 60_000 });
    expect((await harness.context.places.totals(recording.id)).segments).toBe(3);
  });
});

it('a dead sweep is swept, and a dead wake-up wakes up its recording', async () => {
  const recording = await startRecording(harness, hls);
  await put(harness, recording.streamKey, hls.segments);
  harness.queues.messages = [];
  for (const type of ['sweep', 'advance'])
    sqs.send(SEGMENTS_QUEUE, JSON.stringify({ type, recording_id: recording.id, reason: 'later' }));
  start(dies, () => harness.context);
  await drainedCount(2);
  expect((await harness.context.places.totals(recording.id)).segments).toBe(3);
  expect(harness.queues.messages).toEqual([{ kind: 'advance', recordingId: recording.id, delaySeconds: 0 }]);
  expect(await outcomes()).toEqual(['repeated', 'repeated']);
});

describe('a dead job', () => {
  it('of a worker that died in its recording counts as an attempt, then fails it with the reason; a retry completes it', async () => {
    const recording = await endedRecording();
    // Takes the lease as the finalizer does, and dies.
    const diesInWork: Invoke = async () => {
      const now = new Date();
      await harness.context.leases.acquire(
        recording.id,
        harness.context.newId(),
        now,
        new Date(now.getTime() + LEASE_MS),
      );
      throw new Error('out of memory');
    };
    start(diesInWork, afterLease);
    await sendJob(recording.id, 'first');
    await drainedCount(1);
    expect(await recording.row()).toMatchObject({ status: 'processing', attempts: 1, failureCode: 'WORKER_DIED' });
    expect(harness.queues.messages).toMatchObject([{ kind: 'advance', recordingId: recording.id }]);

    await sendJob(recording.id, 'second');
    await drainedCount(2);
    expect(await recording.row()).toMatchObject({
      status: 'failed',
      failureCode: 'WORKER_DIED',
      failureMessage: expect.stringContaining('out of memory, out of time, or killed'),
      completedAt: expect.any(Date),
    });
    expect(await outcomes()).toEqual(['failed', 'repeated']);

    await retryRecording(harness.context, recording.id);
    // All of its attempts are before it again.
    expect(await recording.row()).toMatchObject({ status: 'processing', attempts: 0 });
    await harness.drain();
    await expectExact(harness, (await recording.row()).filePath, hls.segments);
  });

  it('wakes up a recording in which no worker died, and costs it no attempt', async () => {
    const recording = await endedRecording();
    start(dies, () => harness.context);
    await sendJob(recording.id, 'only');
    await drainedCount(1);
    expect(await recording.row()).toMatchObject({
      status: 'processing',
      attempts: 0,
      failureCode: null,
      leaseToken: null,
    });
    expect(harness.queues.messages).toMatchObject([{ kind: 'advance', recordingId: recording.id }]);
    await harness.drain();
    await expectExact(harness, (await recording.row()).filePath, hls.segments);
  });

  it('waits while another worker has the recording', async () => {
    const recording = await endedRecording();
    const now = new Date();
    const token = harness.context.newId();
    await harness.context.leases.acquire(recording.id, token, now, new Date(now.getTime() + LEASE_MS));
    start(dies, () => harness.context);
    await sendJob(recording.id, 'only');
    await drainedCount(1);
    expect(drained).toMatchObject([{ ok: false }]);
    await harness.context.leases.release(recording.id, token);
    await waitFor('the letter drained', async () => (await outcomes()).length === 1, { withinMs: 60_000 });
    expect(await recording.row()).toMatchObject({ status: 'processing', attempts: 0 });
  });

  it('of a recording that is finished changes nothing', async () => {
    const recording = await endedRecording();
    await harness.context.queues.requestAdvance(recording.id, 'finish it');
    await harness.drain();
    const before = await recording.row();
    start(dies, () => harness.context);
    await sendJob(recording.id, 'only');
    await drainedCount(1);
    expect(await recording.row()).toEqual(before);
    expect(await outcomes()).toEqual(['dropped']);
  });
});

it('metrics count dead letters by what became of them, one that comes twice once', async () => {
  const drain = drainWith(async () => harness.context);
  const record = (messageId: string) => ({
    messageId,
    body: JSON.stringify({ recording_id: '3f2a5b7e-0000-4000-8000-000000000000' }),
  });
  const event = { Records: [record('a'), record('b'), record('a')] } as SQSEvent;
  const answer = await drain(event, { getRemainingTimeInMillis: () => 60_000 } as Context);
  expect(answer).toEqual({ batchItemFailures: [] });
  const snapshot = await readMetrics(harness.context);
  expect(snapshot.deadLetters).toEqual({ repeated: 0, failed: 0, dropped: 2 });
  expect(await toPrometheus(snapshot)).toContain('recording_dead_letters{outcome="dropped"} 2');
  expect(toEmf(snapshot, 0, 'RecordingService')).toMatchObject({ DeadLetters: 2 });
});
