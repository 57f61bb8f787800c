/** What is removed while somebody else needs it again: retried, remade, replaced, or lost since. On the embedded back ends. */
import { randomUUID } from 'node:crypto';
import type { RecordingContext } from '../../../lib/recordings/context.ts';
import { abortOrphanedUploads, healOrphans, removeOrphanedObjects } from '../../../lib/recordings/heal-orphans.ts';
import { retryRecording } from '../../../lib/recordings/remake.ts';
import { removeStaging } from '../../../lib/recordings/remove-staging.ts';
import { applyRetention } from '../../../lib/recordings/retention.ts';
import type { ObjectStore } from '../../../lib/storage/object-store.ts';
import { alteredStore } from '../../support/altered-store.ts';
import { type Hls, makeHls } from '../../support/media/index.ts';
import { expectExact, finishedRecording, startRecording } from '../../support/recorded.ts';
import { type Harness, startHarness } from '../../support/service-harness.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const RETENTION = { RETENTION_DAYS: '7', RETENTION_DRY_RUN: 'false' };

let harness: Harness;
let hls: Hls;

beforeAll(async () => {
  [harness, hls] = await Promise.all([
    startHarness(),
    makeHls({ seconds: 8, segmentSeconds: 2, fps: '25', audio: [{ codec: 'aac' }] }),
  ]);
});
afterAll(() => harness.stop());
// Each test's recordings are all that there are.
beforeEach(async () => {
  await harness.context.db.query('DELETE FROM recordings');
  harness.queues.messages = [];
});

/** The service so much later, on a store some of whose operations are the test's. */
function later(ms: number, env: Record<string, string> = {}, own: Partial<ObjectStore> = {}): RecordingContext {
  const { clock } = harness.context;
  return harness.variant(env, {
    clock: { ...clock, now: () => clock.now() + ms },
    store: alteredStore(harness.store, own),
  });
}

const stagedOf = async (id: string) => (await harness.store.list('recordings', `.staging/${id}/`)).objects.length;
const fileOf = (recording: { streamKey: string }) => harness.store.head('recordings', `${recording.streamKey}.mp4`);

/** Finished so long ago. */
async function aged(ms: number) {
  const recording = await finishedRecording(harness, hls);
  await harness.context.db.query(
    `UPDATE recordings SET completed_at = completed_at - $2 * interval '1 ms' WHERE id = $1`,
    [recording.id, ms],
  );
  return recording;
}

async function failedLongAgo(ms: number) {
  const recording = await aged(ms);
  await harness.store.remove('recordings', [`${recording.streamKey}.mp4`]);
  await harness.context.db.query(
    `UPDATE recordings SET status = 'failed', failure_code = 'UNEXPECTED', file_path = '' WHERE id = $1`,
    [recording.id],
  );
  return recording;
}

describe('retention', () => {
  it('deletes nothing of a recording that is retried while it deletes others', async () => {
    const first = await aged(9 * DAY);
    const retried = await failedLongAgo(8 * DAY);
    const remove: ObjectStore['remove'] = async (bucket, keys) => {
      if (keys.includes(`${first.streamKey}.mp4`)) await retryRecording(harness.context, retried.id);
      return harness.store.remove(bucket, keys);
    };
    await applyRetention(later(0, RETENTION, { remove }));
    expect(await harness.context.recordings.find(first.id)).toBeNull();
    await harness.drain();
    expect(await retried.row()).toMatchObject({ status: 'completed' });
    await expectExact(harness, (await retried.row()).filePath, hls.segments);
  });

  it('does not delete the next file of the key where another process has deleted the recording meanwhile', async () => {
    const first = await aged(9 * DAY);
    const second = await aged(8 * DAY);
    const remove: ObjectStore['remove'] = async (bucket, keys) => {
      if (keys.includes(`${first.streamKey}.mp4`)) {
        await applyRetention(later(0, RETENTION));
        // The key is free again, and its next broadcast takes it.
        await harness.store.put('recordings', `${second.streamKey}.mp4`, Buffer.from('the next'), 'video/mp4');
      }
      return harness.store.remove(bucket, keys);
    };
    await applyRetention(later(0, RETENTION, { remove }));
    expect(await harness.context.recordings.find(second.id)).toBeNull();
    expect(await fileOf(second)).not.toBeNull();
  });

  it('comes to the others behind as many as it takes at once that cannot be deleted', async () => {
    const last = await aged(8 * DAY);
    const locked = Array.from({ length: 20 }, () => randomUUID());
    await harness.context.db.query(
      `INSERT INTO recordings (id, stream_id, stream_key, object_key, file_path, status, started_at, completed_at, facts)
       SELECT id, id, id::text, id::text || '.mp4', '', 'completed', now() - interval '9 days', now() - interval '9 days', '{"writing": true}'
         FROM unnest($1::uuid[]) AS id`,
      [locked],
    );
    const remove: ObjectStore['remove'] = async (bucket, keys) => {
      if (locked.some((id) => keys.includes(`${id}.mp4`))) throw new Error('the object is locked');
      return harness.store.remove(bucket, keys);
    };
    const context = later(0, RETENTION, { remove });
    await applyRetention(context);
    await applyRetention(context);
    expect(await harness.context.recordings.find(last.id)).toBeNull();
  });
});

describe('the staging of a completed recording', () => {
  it('stays where the recording was made anew while that of others was removed', async () => {
    const first = await aged(12 * 60_000);
    const second = await finishedRecording(harness, hls, [3]);
    await harness.context.db.query(
      `UPDATE recordings SET completed_at = completed_at - interval '11 minutes' WHERE id = $1`,
      [second.id],
    );
    const remove: ObjectStore['remove'] = async (bucket, keys) => {
      if (keys.some((key) => key.startsWith(`.staging/${first.id}/`))) {
        await second.upload(3);
        await harness.drain();
      }
      return harness.store.remove(bucket, keys);
    };
    await removeStaging(later(0, {}, { remove }));
    expect(await second.row()).toMatchObject({ status: 'completed', generation: 2 });
    expect([await stagedOf(first.id), await stagedOf(second.id)]).toEqual([0, 4]);
  });

  it('is what the file is made of again where it is lost from the store', async () => {
    const [lost, other] = [await aged(11 * 60_000), await aged(11 * 60_000)];
    await harness.store.remove('recordings', [`${lost.streamKey}.mp4`]);
    await removeStaging(later(0));
    expect([await stagedOf(lost.id), await stagedOf(other.id)]).toEqual([4, 0]);
    await harness.drain();
    expect(await lost.row()).toMatchObject({ status: 'completed', generation: 2 });
    await expectExact(harness, (await lost.row()).filePath, hls.segments);
  });

  it('is removed though the file of another one cannot be looked at', async () => {
    const [stuck, other] = [await aged(12 * 60_000), await aged(11 * 60_000)];
    const head: ObjectStore['head'] = async (bucket, key) => {
      if (key === `${stuck.streamKey}.mp4`) throw new Error('the object is locked');
      return harness.store.head(bucket, key);
    };
    await removeStaging(later(0, {}, { head }));
    expect([await stagedOf(stuck.id), await stagedOf(other.id)]).toEqual([4, 0]);
  });

  it('is removed for a bounded time in each round of the monitor', async () => {
    const all = [await aged(11 * 60_000), await aged(11 * 60_000), await aged(11 * 60_000)];
    let now = Date.now();
    const remove: ObjectStore['remove'] = async (bucket, keys) => {
      now += 60_000;
      return harness.store.remove(bucket, keys);
    };
    const slow = harness.variant(
      {},
      { clock: { ...harness.context.clock, now: () => now }, store: alteredStore(harness.store, { remove }) },
    );
    const left = async () => (await Promise.all(all.map(({ id }) => stagedOf(id)))).filter((count) => count > 0).length;
    await removeStaging(slow);
    expect(await left()).toBe(2);
    await removeStaging(slow);
    await removeStaging(slow);
    expect(await left()).toBe(0);
  });
});

describe('what a function that died left behind', () => {
  it('is removed, pictures of a recording that is gone too; clips, which nothing makes again, stay', async () => {
    const recording = await finishedRecording(harness, hls);
    const gone = randomUUID();
    const orphans = [`pictures/${gone}/poster.jpg`, `.staging/${gone}/segments/x.ts`];
    const kept = [`clips/${gone}/x.mp4`, `clips/${recording.id}/x.mp4`, `pictures/${recording.id}/poster.jpg`];
    for (const key of [...orphans, ...kept]) await harness.store.put('recordings', key, Buffer.from('x'), 'video/mp4');
    await harness.context.retention.markStagingRemoved(recording.id, new Date(), new Date());
    const there = async (keys: readonly string[]) =>
      (await Promise.all(keys.map((key) => harness.store.head('recordings', key)))).map((found) => found !== null);
    for (let rounds = 0; rounds < 3; rounds += 1) await removeOrphanedObjects(later(0));
    expect(await there(orphans)).toEqual([true, true]);
    for (let rounds = 0; rounds < 3; rounds += 1) await removeOrphanedObjects(later(DAY));
    expect(await there(orphans)).toEqual([false, false]);
    expect(await there(kept)).toEqual([true, true, true]);
    await harness.store.remove('recordings', kept);
  });

  it('is found although the store has forgotten where a listing stood', async () => {
    const orphan = `.staging/${randomUUID()}/segments/x.ts`;
    await harness.store.put('recordings', orphan, Buffer.from('x'), 'video/mp2t');
    const list: ObjectStore['list'] = async (bucket, prefix, continuation) => {
      if (continuation) throw new Error('the continuation token is not known');
      return harness.store.list(bucket, prefix);
    };
    const cut: ObjectStore['list'] = async () => ({ objects: [], next: 'a page behind' });
    await removeOrphanedObjects(later(DAY, {}, { list: cut }));
    for (let rounds = 0; rounds < 4; rounds += 1)
      await removeOrphanedObjects(later(DAY, {}, { list })).catch(() => undefined);
    expect(await harness.store.head('recordings', orphan)).toBeNull();
  });

  it('is no upload of a clip that is being made, nor one at the key of a recording that somebody works on', async () => {
    const recording = await startRecording(harness, hls);
    const uploadAt = (key: string) => harness.store.createUpload('recordings', key, 'video/mp4');
    const clip = await uploadAt(`clips/${recording.id}/c.mp4`);
    const whole = await uploadAt(`${recording.streamKey}.mp4`);
    const orphan = await uploadAt('orphan.mp4');
    await harness.context.db.query(
      `INSERT INTO recording_cuts (id, recording_id, kind, start_ms, end_ms, object_key, upload_id, created_at)
       VALUES (gen_random_uuid(), $1, 'clip', 0, 1, 'clips/c', $2, now())`,
      [recording.id, clip],
    );
    await harness.context.db.query(
      `UPDATE recordings SET lease_until = now() + interval '1 day 1 minute' WHERE id = $1`,
      [recording.id],
    );
    expect(await abortOrphanedUploads(later(DAY))).toBe(1);
    const open = async () => (await harness.store.listUploads('recordings')).map(({ uploadId }) => uploadId);
    expect((await open()).toSorted()).toEqual([clip, whole].toSorted());
    expect(orphan).not.toBe(whole);
    await harness.context.db.query(`DELETE FROM recordings`);
    expect(await abortOrphanedUploads(later(DAY))).toBe(2);
  });

  it('is removed though one upload cannot be aborted, or uploads cannot be listed', async () => {
    const dueMs = Math.ceil(Date.now() / 600_000) * 600_000 + 12 * 600_000;
    const at = (own: Partial<ObjectStore>) =>
      harness.variant(
        {},
        { clock: { ...harness.context.clock, now: () => dueMs }, store: alteredStore(harness.store, own) },
      );
    const staged = `.staging/${randomUUID()}/segments/x.ts`;
    const stage = () => harness.store.put('recordings', staged, Buffer.from('x'), 'video/mp2t');
    await stage();
    for (const key of ['a.mp4', 'b.mp4', 'c.mp4']) await harness.store.createUpload('recordings', key, 'video/mp4');
    const abortUpload: ObjectStore['abortUpload'] = async (bucket, key, id) => {
      if (key === 'a.mp4') throw new Error('the upload is locked');
      return harness.store.abortUpload(bucket, key, id);
    };
    await healOrphans(at({ abortUpload })).catch(() => undefined);
    expect((await harness.store.listUploads('recordings')).map(({ key }) => key)).toEqual(['a.mp4']);
    expect(await harness.store.head('recordings', staged)).toBeNull();

    await stage();
    const listUploads: ObjectStore['listUploads'] = async () => {
      throw new Error('listing uploads is not permitted');
    };
    await healOrphans(at({ listUploads })).catch(() => undefined);
    expect(await harness.store.head('recordings', staged)).toBeNull();
    await abortOrphanedUploads(at({}));
  });
});
