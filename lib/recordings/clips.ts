/**
 * Clips of recordings, running and finished: the wish, the list, the download. A short one is made while its maker waits;
 * what takes longer is made in the background (clips-make.ts).
 */
import { z } from 'zod';
import { printable } from '../platform/printable.ts';
import { clipKey } from '../storage/keys.ts';
import { makeCut } from './clips-make.ts';
import { CutRepository, type CutRow } from './clips-repository.ts';
import { nowOf, type RecordingContext } from './context.ts';
import { findRecording, segmentsOf } from './playback.ts';
import { ClipRefused, MediaNotFound, TooManyClips } from './playback-errors.ts';
import { openRecordingFile } from './playback-movie.ts';
import type { Recording } from './recording.ts';

const MOST_CLIPS = 200;
/** Shorter than a gateway waits. */
const MAKE_AT_ONCE_MS = 20_000;
const SHORTEST_MS = 100;

const secondsIn = z.number().min(0).max(10_000_000);

export const clipBody = z
  .strictObject({
    start: secondsIn.describe('Seconds from the beginning; the clip begins with the key frame before it'),
    end: secondsIn.describe('Seconds; later than the recording means its end'),
    title: z.string().trim().min(1).max(200).check(printable).optional(),
  })
  .refine(({ start, end }) => end - start >= SHORTEST_MS / 1000, {
    path: ['end'],
    message: 'has to be later than start, by 0.1 s at least',
  });

export const clipSchema = z
  .object({
    id: z.uuid(),
    recording_id: z.uuid(),
    title: z.string().nullable(),
    start: z.number().describe('Seconds, as wished'),
    end: z.number(),
    status: z.enum(['pending', 'ready', 'failed']),
    from: z.number().nullable().describe('Seconds: where it really begins, at a key frame'),
    duration: z.number().nullable().describe('Seconds it plays'),
    file_size: z.int().nullable(),
    error: z.string().nullable(),
    created_at: z.string(),
  })
  .meta({ id: 'Clip' });

export type PublicClip = z.output<typeof clipSchema>;

/**
 * Makes a clip, or begins to: its status tells which.
 * @throws {RecordingNotFound} {NothingToPlay} {ClipRefused} {TooManyClips}
 */
export async function createClip(
  context: RecordingContext,
  recordingId: string,
  wish: z.output<typeof clipBody>,
): Promise<PublicClip> {
  const recording = await findRecording(context, recordingId);
  const lengthMs = await lengthOf(context, recording);
  const startMs = Math.round(wish.start * 1000);
  const endMs = Math.min(Math.round(wish.end * 1000), Math.ceil(lengthMs));
  if (endMs - startMs < SHORTEST_MS) {
    const soFar = recording.status === 'recording' ? ' so far' : '';
    throw new ClipRefused(`start: the recording is ${(lengthMs / 1000).toFixed(1)} s long${soFar}`);
  }
  const cuts = new CutRepository(context.db);
  const id = context.newId();
  const generation = recording.status === 'completed' ? recording.generation : 0;
  const cut = { id, recordingId, kind: 'clip', generation, title: wish.title ?? null, startMs, endMs } as const;
  if (!(await cuts.insert({ ...cut, objectKey: clipKey(recordingId, id) }, MOST_CLIPS, nowOf(context)))) {
    throw new TooManyClips(`A recording has at most ${MOST_CLIPS} clips`);
  }
  await makeCut(context, id, MAKE_AT_ONCE_MS);
  const made = await requireClip(cuts, recordingId, id);
  if (made.status === 'failed') throw new ClipRefused(made.failure ?? 'The clip could not be made');
  return toPublicClip(made);
}

/** Milliseconds that can be clipped. */
async function lengthOf(context: RecordingContext, recording: Recording): Promise<number> {
  if (recording.status === 'completed') {
    const { movie } = await openRecordingFile(context, recording);
    return movie.durationSeconds * 1000;
  }
  const last = (await segmentsOf(context, recording)).at(-1);
  if (!last) throw new ClipRefused('Nothing of the recording is captured yet');
  return last.startMs + last.durationMs;
}

/** Newest first. @throws {RecordingNotFound} */
export async function listClips(context: RecordingContext, recordingId: string): Promise<PublicClip[]> {
  await findRecording(context, recordingId);
  return (await new CutRepository(context.db).listClips(recordingId)).map(toPublicClip);
}

/** A link to the clip's file. @throws {RecordingNotFound} {MediaNotFound} */
export async function clipLink(context: RecordingContext, recordingId: string, clipId: string): Promise<string> {
  const recording = await findRecording(context, recordingId);
  const clip = await requireClip(new CutRepository(context.db), recordingId, clipId);
  if (clip.status !== 'ready') throw new MediaNotFound(`The clip is ${clip.status}`);
  return context.links.linkTo({
    bucket: context.config.MINIO_BUCKET,
    key: clip.objectKey,
    fileName: `${clip.title ?? `clip-${dayOf(recording)}-${Math.floor(clip.startMs / 1000)}s`}.mp4`,
    contentType: 'video/mp4',
    expiresInMs: context.config.DOWNLOAD_LINK_TTL,
    nowMs: context.clock.now(),
  });
}

const dayOf = (recording: Recording) => recording.startedAt.toISOString().slice(0, 10);

async function requireClip(cuts: CutRepository, recordingId: string, id: string): Promise<CutRow> {
  const clip = await cuts.findClip(recordingId, id);
  if (!clip) throw new MediaNotFound(`Recording ${recordingId} has no clip ${id}`);
  return clip;
}

function toPublicClip(clip: CutRow): PublicClip {
  const inSeconds = (ms: number | null) => (ms === null ? null : ms / 1000);
  return {
    id: clip.id,
    recording_id: clip.recordingId,
    title: clip.title,
    start: clip.startMs / 1000,
    end: clip.endMs / 1000,
    status: clip.status,
    from: inSeconds(clip.fromMs),
    duration: inSeconds(clip.durationMs),
    file_size: clip.size,
    error: clip.status === 'failed' ? clip.failure : null,
    created_at: `${clip.createdAt.toISOString().slice(0, 19)}Z`,
  };
}
