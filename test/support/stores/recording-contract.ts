/**
 * A recording from its webhook to its MP4 on a real store, message by message: what of the engine depends on how a
 * store completes, loses and replaces. Exact means every packet, by content, of a single-pass remux.
 */
import { randomUUID } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { advanceRecording } from '../../../lib/recordings/advance.ts';
import { captureNotified } from '../../../lib/recordings/capture-notified.ts';
import { removeStaging } from '../../../lib/recordings/remove-staging.ts';
import { sweepRecording } from '../../../lib/recordings/sweep.ts';
import type { ObjectStore } from '../../../lib/storage/object-store.ts';
import {
  assertFaststart,
  comparePackets,
  fullDecode,
  type Hls,
  makeHls,
  packets,
  referenceRemux,
} from '../media/index.ts';
import { type Harness, startHarness } from '../service-harness.ts';
import type { StoreServer } from './store-server.ts';

export interface StreamIds {
  readonly streamId: string;
  readonly streamKey: string;
}

export const newStream = (): StreamIds => ({ streamId: randomUUID(), streamKey: `key-${randomUUID().slice(0, 8)}` });

/** 24 s at 8 Mbit/s: four parts of 5 MiB. */
export const makeLongStream = (): Promise<Hls> => {
  const cbr = ['-b:v', '8M', '-minrate', '8M', '-maxrate', '8M', '-bufsize', '4M', '-x264-params', 'nal-hrd=cbr'];
  const audio = [{ codec: 'aac' as const }];
  return makeHls({ seconds: 24, segmentSeconds: 2, fps: '30000/1001', bframes: 2, audio, extra: cbr });
};

export const SMALL_PARTS = { PART_SIZE: String(5 * 1024 * 1024) };

export async function upload(harness: Harness, streamKey: string, paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const key = `${streamKey}/${basename(path)}`;
    await harness.store.put('live-segments', key, await readFile(path), 'video/mp2t');
    await captureNotified(harness.context, [key]);
  }
}

export async function recordingOf(harness: Harness, streamId: string) {
  const [row] = await harness.context.recordings.list({ limit: 1, streamId });
  if (!row) throw new Error('there is no recording');
  return row;
}

/** The finished file is faststart, decodes without an error, and has the packets of its segments. */
export async function expectExact(harness: Harness, filePath: string, segments: readonly string[]): Promise<void> {
  const fetched = await harness.store.get('recordings', filePath.replace(/^recordings\//, ''), 30_000);
  const file = join(harness.scratch, `../${randomUUID()}.mp4`);
  await writeFile(file, fetched.bytes);
  await assertFaststart(file);
  await fullDecode(file);
  expect(comparePackets(await packets(file, { hash: true }), await referenceOf(segments))).toEqual([]);
}

const references = new Map<string, ReturnType<typeof packets>>();

/** Most tests record the same segments. */
function referenceOf(segments: readonly string[]): ReturnType<typeof packets> {
  const name = segments.join();
  const made = references.get(name) ?? referenceRemux(segments).then((file) => packets(file, { hash: true }));
  references.set(name, made);
  return made;
}

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
    expect((await harness.context.parts.list(live.id, live.generation)).length).toBeGreaterThanOrEqual(3);
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
    expect(row).toMatchObject({ status: 'completed', generation: 2 });
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
    expect(second).toMatchObject({ status: 'completed', durationSeconds: 24, filePath: first.filePath });
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
    for (const path of [...hls.segments, hls.playlist]) {
      await harness.store.put(
        'live-segments',
        `${stream.streamKey}/${basename(path)}`,
        await readFile(path),
        'video/mp2t',
      );
    }
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
