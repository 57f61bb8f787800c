/**
 * A recording in other forms than its MP4: the sound alone as M4A, made when it is first asked for and kept. (HLS needs no
 * making: playback.ts.)
 */
import { audioKey } from '../storage/keys.ts';
import { makeCut } from './clips-make.ts';
import { CutRepository } from './clips-repository.ts';
import { nowOf, type RecordingContext } from './context.ts';
import { WrongState } from './errors.ts';
import { findRecording } from './playback.ts';
import { ClipRefused } from './playback-errors.ts';

/** Shorter than a gateway waits; what takes longer goes on in the background. */
const MAKE_AT_ONCE_MS = 20_000;
/** Later than the end of any recording. */
const WHOLE_MS = 1e12;

export type Rendition = { readonly kind: 'link'; readonly url: string } | { readonly kind: 'pending' };

/**
 * The sound of a completed recording.
 * @throws {RecordingNotFound} {WrongState} while there is no file, {ClipRefused} where it has no sound
 */
export async function audioOf(context: RecordingContext, recordingId: string): Promise<Rendition> {
  const recording = await findRecording(context, recordingId);
  if (recording.status !== 'completed') {
    throw new WrongState(`The recording is ${recording.status}; its sound can be had when it is completed`);
  }
  const cuts = new CutRepository(context.db);
  const { generation } = recording;
  const objectKey = audioKey(recordingId, generation);
  let row = await cuts.findAudio(recordingId, generation);
  if (row?.status === 'failed') await cuts.revive(row.id);
  if (!row) {
    const id = context.newId();
    const wish = { id, recordingId, kind: 'audio', generation, title: null, startMs: 0, endMs: WHOLE_MS } as const;
    await cuts.insert({ ...wish, objectKey }, Number.MAX_SAFE_INTEGER, nowOf(context));
    row = await cuts.findAudio(recordingId, generation);
  }
  if (row && row.status !== 'ready') {
    await makeCut(context, row.id, MAKE_AT_ONCE_MS);
    row = await cuts.findAudio(recordingId, generation);
  }
  if (row?.status === 'failed') throw new ClipRefused(row.failure ?? 'The sound could not be taken out');
  if (row?.status !== 'ready') return { kind: 'pending' };
  const url = await context.links.linkTo({
    bucket: context.config.MINIO_BUCKET,
    key: objectKey,
    fileName: `recording-${recording.startedAt.toISOString().slice(0, 10)}-${recordingId.slice(0, 8)}.m4a`,
    contentType: 'audio/mp4',
    expiresInMs: context.config.DOWNLOAD_LINK_TTL,
    nowMs: context.clock.now(),
  });
  return { kind: 'link', url };
}
