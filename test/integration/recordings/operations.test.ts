/** Retention, the greatest length of a recording, and metrics, on the embedded back ends. */

import { randomUUID } from 'node:crypto';
import { systemClock } from '../../../lib/platform/clock.ts';
import { abortOrphanedUploads, removeOrphanedObjects } from '../../../lib/recordings/heal-orphans.ts';
import { readMetrics, toEmf, toPrometheus } from '../../../lib/recordings/metrics.ts';
import { tick } from '../../../lib/recordings/monitor.ts';
import { removeStaging } from '../../../lib/recordings/remove-staging.ts';
import { applyRetention } from '../../../lib/recordings/retention.ts';
import { splitLongRecordings } from '../../../lib/recordings/split-long.ts';
import type { ObjectStore } from '../../../lib/storage/object-store.ts';
import { alteredStore } from '../../support/altered-store.ts';
import { type Hls, makeHls } from '../../support/media/index.ts';
import { newStream, type StreamIds, upload } from '../../support/recorded.ts';
import { type Harness, startHarness } from '../../support/service-harness.ts';
import { nextSecond } from '../../support/wait.ts';

let harness: Harness;
let hls: Hls;

beforeAll(async () => {
  [harness, hls] = await Promise.all([
    startHarness(),
    makeHls({ seconds: 8, segmentSeconds: 2, fps: '25', audio: [{ codec: 'aac' }] }),
  ]);
});
afterAll(() => harness.stop());

async function record(): Promise<StreamIds> {
  const stream = newStream();
  await harness.tell('stream.started', stream);
  await upload(harness, stream.streamKey, hls.segments);
  await harness.tell('stream.ended', stream);
  await harness.drain();
  return stream;
}

const recordingsOf = (streamId: string) => harness.context.recordings.list({ limit: 10, streamId });

/** The harness's back ends, some days later. */
const later = (days: number, env: Record<string, string>) => {
  const { clock } = harness.context;
  return harness.variant(env, { clock: { ...clock, now: () => clock.now() + days * 86_400_000 } });
};

describe('retention', () => {
  it('keeps everything for ever by default', async () => {
    const stream = await record();
    await applyRetention(later(10_000, { RETENTION_DRY_RUN: 'false' }));
    expect(await recordingsOf(stream.streamId)).toHaveLength(1);
  });

  it('only tells in a dry run, all of it in figures, when it starts and once an hour', async () => {
    const stream = await record();
    const [row] = await recordingsOf(stream.streamId);
    const told: Array<[Record<string, unknown>, string]> = [];
    const logger = { ...harness.context.logger, info: (...line: never[]) => void told.push(line as never) } as never;
    const db = Object.create(harness.context.db) as typeof harness.context.db;
    const dryRun = (hours: number) => {
      const now = () => harness.context.clock.now() + 8 * 86_400_000 + hours * 3_600_000;
      return applyRetention(
        harness.variant({ RETENTION_DAYS: '7' }, { db, logger, clock: { ...harness.context.clock, now } }),
      );
    };
    await dryRun(0);
    const [[figures, text] = [{}, '']] = told;
    expect(text).toMatch(/^Retention would delete \d+ recordings that ended before 20.*\(RETENTION_DRY_RUN\)$/);
    expect(figures.recordings).toBeGreaterThanOrEqual(1);
    expect(figures.bytes).toBeGreaterThanOrEqual(row?.fileSizeBytes ?? Number.POSITIVE_INFINITY);
    expect(told.slice(1).map(([fields]) => fields.recording_id)).toContain(row?.id);
    const lines = told.length;
    await dryRun(0.5);
    expect(told).toHaveLength(lines);
    await dryRun(1.1);
    expect(told).toHaveLength(2 * lines);
    expect(await recordingsOf(stream.streamId)).toHaveLength(1);
    expect(await harness.store.head('recordings', `${stream.streamKey}.mp4`)).not.toBeNull();
  });

  it('goes on with the others where one cannot be deleted', async () => {
    const [stuck, other] = [await record(), await record()];
    const real = harness.context.store;
    const store = alteredStore(real, {
      remove: async (bucket, keys) => {
        if (keys.includes(`${stuck.streamKey}.mp4`)) throw new Error('the object is locked');
        return real.remove(bucket, keys);
      },
    });
    const days = later(8, {});
    await applyRetention(
      harness.variant({ RETENTION_DAYS: '7', RETENTION_DRY_RUN: 'false' }, { store, clock: days.clock }),
    );
    expect(await recordingsOf(stuck.streamId)).toHaveLength(1);
    expect(await recordingsOf(other.streamId)).toEqual([]);
  });

  it('deletes file, staging and row of what is older, and only that', async () => {
    const stream = await record();
    const [row] = await recordingsOf(stream.streamId);
    await applyRetention(later(6, { RETENTION_DAYS: '7', RETENTION_DRY_RUN: 'false' }));
    expect(await recordingsOf(stream.streamId)).toHaveLength(1);

    await applyRetention(later(8, { RETENTION_DAYS: '7', RETENTION_DRY_RUN: 'false' }));
    expect(await recordingsOf(stream.streamId)).toEqual([]);
    expect(await harness.store.head('recordings', `${stream.streamKey}.mp4`)).toBeNull();
    expect((await harness.store.list('recordings', `.staging/${row?.id}/`)).objects).toEqual([]);
  });
});

describe('a recording that reaches MAX_RECORDING_DURATION', () => {
  it('is completed, and the stream goes on in the next recording', async () => {
    const stream = newStream();
    await harness.tell('stream.started', stream, new Date(Date.now() - 3_600_000));
    await upload(harness, stream.streamKey, hls.segments.slice(0, 2));
    const limited = harness.variant({ MAX_RECORDING_DURATION: '30m' });
    await splitLongRecordings(limited);
    await splitLongRecordings(limited);
    await nextSecond();
    await upload(harness, stream.streamKey, hls.segments.slice(2));
    await harness.tell('stream.ended', stream);
    await harness.drain();

    const rows = await recordingsOf(stream.streamId);
    expect(rows).toMatchObject([
      { status: 'completed', startSource: 'max-duration', durationSeconds: 4 },
      { status: 'completed', endSource: 'max-duration', durationSeconds: 4 },
    ]);
    expect(new Set(rows.map((row) => row.filePath)).size).toBe(2);
  });
});

describe('staged segments', () => {
  it('stay for LATE_SEGMENT_WINDOW, and those of a recording that has failed for ever', async () => {
    const [completed, failed] = [await record(), await record()];
    const stagedOf = async (stream: StreamIds) => {
      const [row] = await recordingsOf(stream.streamId);
      return (await harness.store.list('recordings', `.staging/${row?.id}/`)).objects.length;
    };
    await harness.context.db.query(`UPDATE recordings SET status = 'failed' WHERE stream_id = $1`, [failed.streamId]);
    const minute = 1 / 24 / 60;
    await removeStaging(later(9 * minute, {}));
    expect([await stagedOf(completed), await stagedOf(failed)]).toEqual([4, 4]);
    await removeStaging(later(11 * minute, {}));
    expect([await stagedOf(completed), await stagedOf(failed)]).toEqual([0, 4]);
  });
});

describe('what a function that died left behind', () => {
  it('is an upload of nobody, aborted after an hour, and one that is in use stays', async () => {
    const stream = newStream();
    await harness.tell('stream.started', stream);
    const [row] = await recordingsOf(stream.streamId);
    const used = await harness.store.createUpload('recordings', `${stream.streamKey}.mp4`, 'video/mp4');
    await harness.context.db.query('UPDATE recordings SET upload_id = $2 WHERE id = $1', [row?.id, used]);
    await harness.store.createUpload('recordings', 'orphan.mp4', 'video/mp4');

    expect(await abortOrphanedUploads(harness.context)).toBe(0);
    expect(await abortOrphanedUploads(later(1, {}))).toBe(1);
    expect((await harness.store.listUploads('recordings')).map((upload) => upload.uploadId)).toEqual([used]);
  });

  it('is staging of a recording that is gone, and that of others stays', async () => {
    const stream = await record();
    const [row] = await recordingsOf(stream.streamId);
    const orphan = `.staging/${randomUUID()}/segments/x.ts`;
    await harness.store.put('recordings', orphan, Buffer.from('x'), 'video/mp2t');

    expect(await removeOrphanedObjects(harness.context)).toBe(0);
    expect(await removeOrphanedObjects(later(1, {}))).toBeGreaterThan(0);
    expect(await harness.store.head('recordings', orphan)).toBeNull();
    expect((await harness.store.list('recordings', `.staging/${row?.id}/`)).objects.length).toBeGreaterThan(0);
  });

  it('is staging of a recording that was marked as removed a moment before, and is found on any page', async () => {
    const stream = await record();
    const [row] = await recordingsOf(stream.streamId);
    await harness.context.retention.markStagingRemoved(row?.id ?? '', new Date(), new Date());
    const orphan = '.staging/ffffffff-ffff-4fff-bfff-ffffffffffff/segments/x.ts';
    await harness.store.put('recordings', orphan, Buffer.from('x'), 'video/mp2t');
    // A page of a listing has one object.
    const list: ObjectStore['list'] = async (bucket, prefix, continuation = '') => {
      const { objects } = await harness.store.list(bucket, prefix);
      const [first, second] = objects.filter(({ key }) => key > continuation);
      return { objects: first ? [first] : [], next: first && second ? first.key : null };
    };
    const { clock } = later(1, {});
    const paged = harness.variant({}, { clock, store: alteredStore(harness.store, { list }) });
    let pages = (await harness.store.list('recordings', '.staging/')).objects.length;
    for (; pages > 0 && (await harness.store.head('recordings', orphan)); pages -= 1)
      await removeOrphanedObjects(paged);
    expect(await harness.store.head('recordings', orphan)).toBeNull();
    expect((await harness.store.list('recordings', `.staging/${row?.id}/`)).objects).toEqual([]);
  });

  it('is removed by the monitor, every ten minutes', async () => {
    const orphan = `.staging/${randomUUID()}/segments/x.ts`;
    await harness.store.put('recordings', orphan, Buffer.from('x'), 'video/mp2t');
    await harness.store.createUpload('recordings', 'orphan.mp4', 'video/mp4');
    const leftovers = async () => [
      await harness.store.head('recordings', orphan),
      (await harness.store.listUploads('recordings')).find((upload) => upload.key === 'orphan.mp4') ?? null,
    ];
    const tenMinutes = 600_000;
    const dueMs = Math.ceil(Date.now() / tenMinutes) * tenMinutes + 12 * tenMinutes;
    const tickAt = (ms: number) => tick(harness.variant({}, { clock: { ...systemClock, now: () => ms } }));
    await tickAt(dueMs + tenMinutes / 2);
    expect(await leftovers()).not.toContain(null);
    await tickAt(dueMs);
    expect(await leftovers()).toEqual([null, null]);
    harness.queues.messages = [];
  });
});

describe('metrics', () => {
  it('count what the database has, for Prometheus and for CloudWatch', async () => {
    await record();
    const snapshot = await readMetrics(harness.context);
    expect(snapshot.recordings.completed).toBeGreaterThan(0);
    expect(snapshot.segments.captured).toBeGreaterThanOrEqual(4);
    expect(snapshot.finishSeconds.p95).toBeGreaterThanOrEqual(0);
    expect(snapshot.captureLagSeconds.p95).not.toBeNull();

    const text = await toPrometheus(snapshot);
    expect(text).toContain(`recording_recordings{status="completed"} ${snapshot.recordings.completed}`);
    expect(text).toMatch(/^recording_finish_seconds\{quantile="0\.95"\} [\d.e-]+$/m);
    const emf = toEmf(snapshot, Date.UTC(2025, 9, 5), 'RecordingService');
    expect(emf).toMatchObject({
      _aws: { Timestamp: Date.UTC(2025, 9, 5) },
      FinishLatencyP95: snapshot.finishSeconds.p95,
    });
  });

  it('are of the last quarter of an hour where the ledger would have to be read whole', async () => {
    await record();
    const later = await readMetrics(
      harness.variant({}, { clock: { ...systemClock, now: () => Date.now() + 16 * 60_000 } }),
    );
    expect(later.segments).toEqual({ captured: 0, missing: 0, rejected: 0, late: 0 });
    expect([later.capturedBytes, later.finishSeconds.p95]).toEqual([0, null]);
    expect(later.recordings.completed).toBeGreaterThan(0);
  });
});
