/**
 * A recording from its webhook to its MP4 on a real store, message by message: what of the engine depends on how a
 * store completes, loses and replaces. Exact means every packet, by content, of a single-pass remux.
 */
import { advanceRecording } from '../../../lib/recordings/advance.ts';
import { removeStaging } from '../../../lib/recordings/remove-staging.ts';
import { sweepRecording } from '../../../lib/recordings/sweep.ts';
import type { ObjectStore } from '../../../lib/storage/object-store.ts';
import type { Hls } from '../media/index.ts';
import {
  expectExact,
  makeLongStream,
  newStream,
  put,
  recordingOf,
  SMALL_PARTS,
  type StreamIds,
  upload,
} from '../recorded.ts';
import { type Harness, startHarness } from '../service-harness.ts';
import type { StoreServer } from './store-server.ts';

export function describeRecordings(startStore: () => Promise<StoreServer>): void {
  let server: StoreServer;
  let harness: Harness;
  let hls: Hls;

  beforeAll(async () => {
    [server, hls] = await Promise.all([startStore(), makeLongStream()]);
    harness = await startHarness({ ...server.env, ...SMALL_PARTS });
  });
  afterAll(async () => {
    await harness?.stop();
    await server?.stop();
  });

  const finish = async (stream: StreamIds) => {
    await harness.tell('stream.ended', stream);
    await harness.drain();
    return recordingOf(harness, stream.streamId);
  };

  it('is exact, its parts uploaded while it was live, and leaves neither uploads nor staging', async () => {
    const stream = newStream();
    await harness.tell('stream.started', stream);
    await upload(harness, stream.streamKey, hls.segments);
    await harness.drain();
    const live = await recordingOf(harness, stream.streamId);
    expect((await harness.context.parts.totals(live.id, live.generation)).parts).toBeGreaterThanOrEqual(3);
    expect((await harness.store.listUploads('recordings')).map(({ uploadId }) => uploadId)).toEqual([live.uploadId]);

    const row = await finish(stream);
    expect(row).toMatchObject({ status: 'completed', durationSeconds: 24, facts: { engine: 'parts' }, generation: 1 });
    const stored = await harness.store.head('recordings', `${stream.streamKey}.mp4`);
    expect(row.fileSizeBytes).toBe(stored?.size);
    await expectExact(harness, row.filePath, hls.segments);
    expect(await harness.store.listUploads('recordings')).toEqual([]);
    await removeStaging(harness.variant({ LATE_SEGMENT_WINDOW: '0s' }));
    expect((await harness.store.list('recordings', `.staging/${row.id}/`)).objects).toEqual([]);
  });

  it('is exact when the store was killed and started again in the middle of it', async () => {
    const stream = newStream();
    await harness.tell('stream.started', stream);
    await upload(harness, stream.streamKey, hls.segments.slice(0, 8));
    await harness.drain();
    await server.restart('SIGKILL');
    await upload(harness, stream.streamKey, hls.segments.slice(8));
    const row = await finish(stream);
    expect(row).toMatchObject({ status: 'completed', generation: 1 });
    await expectExact(harness, row.filePath, hls.segments);
  });

  it('is made anew from staging when the store has lost the upload', async () => {
    const stream = newStream();
    await harness.tell('stream.started', stream);
    await upload(harness, stream.streamKey, hls.segments);
    await harness.drain();
    const live = await recordingOf(harness, stream.streamId);
    await harness.store.abortUpload('recordings', live.objectKey, live.uploadId ?? '');
    const row = await finish(stream);
    expect(row).toMatchObject({ status: 'completed', generation: 2, facts: { engine: 'parts' } });
    await expectExact(harness, row.filePath, hls.segments);
  });

  it('gets its second version, for a late segment, though the upload of that one was lost too', async () => {
    const stream = newStream();
    await harness.tell('stream.started', stream);
    await upload(harness, stream.streamKey, hls.segments.slice(0, -1));
    const first = await finish(stream);
    expect(first).toMatchObject({ status: 'completed', durationSeconds: 22 });
    await upload(harness, stream.streamKey, hls.segments.slice(-1));
    expect(await recordingOf(harness, stream.streamId)).toMatchObject({ status: 'processing' });
    await harness.context.clock.sleep(harness.context.config.END_GRACE);
    const losing = harness.variant({}, { store: losesUploads(harness.store) });
    await advanceRecording(losing, first.id, () => 60_000);
    await harness.drain();
    const second = await recordingOf(harness, stream.streamId);
    expect(second).toMatchObject({
      status: 'completed',
      durationSeconds: 24,
      filePath: first.filePath,
      facts: { engine: 'parts' },
    });
    expect(second.generation).toBeGreaterThan(2);
    await expectExact(harness, second.filePath, hls.segments);
  });

  it('knows a completion whose answer was lost', async () => {
    const stream = newStream();
    await harness.tell('stream.started', stream);
    await upload(harness, stream.streamKey, hls.segments);
    await harness.drain();
    await harness.tell('stream.ended', stream);
    const { id } = await recordingOf(harness, stream.streamId);
    harness.queues.messages = [];
    await harness.context.clock.sleep(harness.context.config.END_GRACE);
    await advanceRecording(harness.variant({}, { store: losesAnswers(harness.store) }), id, () => 60_000);
    expect(await recordingOf(harness, stream.streamId)).toMatchObject({ status: 'processing' });
    await advanceRecording(harness.context, id, () => 60_000);
    const row = await recordingOf(harness, stream.streamId);
    expect(row).toMatchObject({ status: 'completed', generation: 1 });
    await expectExact(harness, row.filePath, hls.segments);
  });

  it('replaces no object that no recording owns', async () => {
    const stream = newStream();
    await harness.store.put('recordings', `${stream.streamKey}.mp4`, Buffer.from('precious'), 'video/mp4');
    await harness.tell('stream.started', stream);
    await upload(harness, stream.streamKey, hls.segments.slice(0, 3));
    const row = await finish(stream);
    expect(row.filePath).toMatch(/-\d{8}T\d{6}Z\.mp4$/);
    await expectExact(harness, row.filePath, hls.segments.slice(0, 3));
    const precious = await harness.store.get('recordings', `${stream.streamKey}.mp4`, 5000);
    expect(Buffer.from(precious.bytes).toString()).toBe('precious');
  });

  it('is found by listing alone when no notification comes', async () => {
    const stream = newStream();
    await harness.tell('stream.started', stream);
    await put(harness, stream.streamKey, [...hls.segments, hls.playlist]);
    await sweepRecording(harness.context, (await recordingOf(harness, stream.streamId)).id);
    const row = await finish(stream);
    expect(row.status).toBe('completed');
    await expectExact(harness, row.filePath, hls.segments);
  });
}

/** A store that loses the upload just before it is completed, once. */
function losesUploads(store: ObjectStore): ObjectStore {
  let lost = false;
  return replacing(store, {
    completeUpload: async (bucket, key, uploadId, parts, options) => {
      if (!lost) await store.abortUpload(bucket, key, uploadId);
      lost = true;
      return store.completeUpload(bucket, key, uploadId, parts, options);
    },
  });
}

/** A store whose answers to Complete never arrive. */
function losesAnswers(store: ObjectStore): ObjectStore {
  return replacing(store, {
    completeUpload: async (bucket, key, uploadId, parts, options) => {
      await store.completeUpload(bucket, key, uploadId, parts, options);
      throw new Error('connection reset');
    },
  });
}

function replacing(store: ObjectStore, replaced: Partial<ObjectStore>): ObjectStore {
  return new Proxy(store, {
    get: (target, name) => {
      const other = Reflect.get(replaced, name);
      if (other) return other;
      const value = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
