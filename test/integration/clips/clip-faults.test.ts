/** Clips whose recording, upload or worker goes away while they are made. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { routes } from '../../../functions/clips.ts';
import { clipSchema } from '../../../lib/recordings/clips.ts';
import { makeCut } from '../../../lib/recordings/clips-make.ts';
import { abortOrphanedUploads } from '../../../lib/recordings/heal-orphans.ts';
import { applyRetention } from '../../../lib/recordings/retention.ts';
import { StorageUnavailable } from '../../../lib/storage/errors.ts';
import { alteredStore } from '../../support/altered-store.ts';
import { callerOf } from '../../support/lambda.ts';
import { fullDecode, type Hls, makeHls } from '../../support/media/index.ts';
import { finishedRecording, type LiveRecording, objectBytes, useRecorder } from '../../support/recorded.ts';

const at = useRecorder(routes, { seconds: 8, segmentSeconds: 2, fps: '25', bframes: 2, audio: [{ codec: 'aac' }] });

/** Of more than one part of an upload. */
let heavy: Hls;
beforeAll(async () => {
  const cbr = ['-b:v', '30M', '-minrate', '30M', '-maxrate', '30M', '-bufsize', '10M', '-x264-params', 'nal-hrd=cbr'];
  heavy = await makeHls({ seconds: 12, segmentSeconds: 2, fps: '25', audio: [{ codec: 'aac' }], extra: cbr });
});

const listed = async (id: string) => clipSchema.parse((await at.call('GET', `/recording/${id}/clips`)).json.clips[0]);

/** All rounds that the background makes, whatever the pause between two. */
async function goOn(id: string, budgetMs = 60_000): Promise<string> {
  for (let rounds = 0; rounds < 10 && (await listed(id)).status === 'pending'; rounds++) {
    await at.harness.context.db.query('UPDATE recording_cuts SET lease_until = NULL WHERE recording_id = $1', [id]);
    await makeCut(at.harness.context, null, budgetMs);
  }
  return (await listed(id)).status;
}

async function expectPlays(recordingId: string): Promise<void> {
  const path = join(at.dir, `${recordingId}.mp4`);
  await writeFile(path, await objectBytes(at.harness, `clips/${recordingId}/${(await listed(recordingId)).id}.mp4`));
  await fullDecode(path);
}

/** A clip of the whole recording of which some parts are stored, when time is up. */
async function begunClip(recording: LiveRecording): Promise<void> {
  let now = Date.now();
  const hurried = at.harness.variant({}, { clock: { ...at.harness.context.clock, now: () => (now += 4000) } });
  const body = { start: 0, end: 12 };
  const answer = await callerOf(routes, hurried)('POST', `/recording/${recording.id}/clips`, { body });
  expect(answer.status).toBe(202);
  expect(await at.harness.store.listUploads('recordings')).toHaveLength(1);
}

describe('a clip in the making', () => {
  it('begins anew where its upload was swept meanwhile', async () => {
    const recording = await finishedRecording(at.harness, heavy);
    await begunClip(recording);
    for (const { key, uploadId } of await at.harness.store.listUploads('recordings'))
      await at.harness.store.abortUpload('recordings', key, uploadId);
    expect(await goOn(recording.id)).toBe('ready');
    await expectPlays(recording.id);
    expect(await at.harness.store.listUploads('recordings')).toEqual([]);
  });

  it('comes further in every round, though reading the tables took all of its time', async () => {
    const recording = await finishedRecording(at.harness, heavy);
    await begunClip(recording);
    expect(await goOn(recording.id, 0)).toBe('ready');
    await expectPlays(recording.id);
  });

  it('keeps its upload when uploads of nobody are aborted', async () => {
    const recording = await finishedRecording(at.harness, heavy);
    await begunClip(recording);
    const later = { ...at.harness.context.clock, now: () => Date.now() + 2 * 3_600_000 };
    expect(await abortOrphanedUploads(at.harness.variant({}, { clock: later }))).toBe(0);
    expect(await goOn(recording.id)).toBe('ready');
  });

  it('is made though its worker died when the file was complete', async () => {
    const recording = await finishedRecording(at.harness, heavy);
    await begunClip(recording);
    const { store } = at.harness;
    let lost = 0;
    const forgetful = alteredStore(store, {
      completeUpload: async (...asked) => {
        await store.completeUpload(...asked);
        lost += 1;
        throw new StorageUnavailable('the answer is lost');
      },
    });
    await at.harness.context.db.query('UPDATE recording_cuts SET lease_until = NULL');
    await makeCut(at.harness.variant({}, { store: forgetful }), null, 60_000);
    expect(lost).toBe(1);
    expect(await goOn(recording.id)).toBe('ready');
    await expectPlays(recording.id);
  });

  it('is of one file where the recording is made anew meanwhile', async () => {
    const recording = await finishedRecording(at.harness, at.hls, [1]);
    const { store } = at.harness;
    let reads = 0;
    const remade = alteredStore(store, {
      stream: async (...asked) => {
        // The file's tables are read by then, and none of its media.
        if (++reads === 2) {
          await recording.upload(1);
          await at.harness.drain();
        }
        return store.stream(...asked);
      },
    });
    const body = { start: 0, end: 8 };
    await callerOf(routes, at.harness.variant({}, { store: remade }))('POST', `/recording/${recording.id}/clips`, {
      body,
    });
    expect((await recording.row()).generation).toBe(2);
    expect(await goOn(recording.id)).toBe('ready');
    await expectPlays(recording.id);
  });

  it('leaves nothing behind where its recording is deleted meanwhile', async () => {
    const recording = await finishedRecording(at.harness, at.hls);
    const { store } = at.harness;
    const clock = { ...at.harness.context.clock, now: () => Date.now() + 3 * 86_400_000 };
    const retention = at.harness.variant({ RETENTION_DAYS: '1', RETENTION_DRY_RUN: 'false' }, { clock });
    const deleted = alteredStore(store, {
      put: async (...asked) => {
        await applyRetention(retention);
        return store.put(...asked);
      },
    });
    const answer = await callerOf(routes, at.harness.variant({}, { store: deleted }))(
      'POST',
      `/recording/${recording.id}/clips`,
      { body: { start: 0, end: 4 } },
    );
    expect(answer.status).toBe(404);
    expect((await store.list('recordings', `clips/${recording.id}/`)).objects).toEqual([]);
  });
});
