/**
 * Makes the files that people cut out of recordings: by range reads of the recording's own file, or, while there is none, out of
 * its captured segments. Never transcodes; bounded by time, and a large file is made in as many rounds as it takes.
 */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Cut, cutMovie } from '../mp4/clip-cut.ts';
import type { SourceMovie } from '../mp4/clip-source.ts';
import { Mp4Error } from '../mp4/errors.ts';
import { buildHead } from '../mp4/head.ts';
import { encodeIndex } from '../mp4/sample-index.ts';
import { ServiceError } from '../platform/errors.ts';
import { UploadMissing } from '../storage/errors.ts';
import { CutRepository, type CutRow } from './clips-repository.ts';
import { storeJoined } from './clips-upload.ts';
import { nowOf, type RecordingContext } from './context.ts';
import { findRecording, segmentsOf } from './playback.ts';
import { type ByteSource, withFile } from './playback-bytes.ts';
import { ClipRefused, NothingToPlay } from './playback-errors.ts';
import type { PlayableSegment } from './playback-live.ts';
import { openMovie, openRecordingFile } from './playback-movie.ts';
import type { Recording } from './recording.ts';

const LEASE_MS = 120_000;
const MOST_ATTEMPTS = 5;
const RETRY_MS = 15_000;
/** Of captured segments in scratch space, which holds them twice. */
const MOST_SCRATCH_BYTES = 1024 * 1024 * 1024;
const FETCHED_AT_ONCE = 4;
/** Bytes between the samples of a clip that are copied along: headers of the engine's fragments. */
const NEAR_BYTES = 64 * 1024;

/**
 * Works on one cut, or on the one that has waited longest, until it is made or `budgetMs` are over. False where there was
 * nothing to work on.
 */
export async function makeCut(context: RecordingContext, id: string | null, budgetMs: number): Promise<boolean> {
  const cuts = new CutRepository(context.db);
  const until = context.clock.now() + budgetMs;
  const cut = await cuts.claim(id, nowOf(context), nowOf(context, LEASE_MS));
  if (!cut) return false;
  try {
    const recording = await findRecording(context, cut.recordingId);
    const work = { cuts, cut, until };
    const made =
      recording.status === 'completed'
        ? await cutFile(context, recording, work)
        : await cutSegments(context, recording, work);
    if (made) {
      const isKept = await cuts.finish(cut.id, made, nowOf(context));
      // The recording was deleted meanwhile: nobody else would ever delete this file.
      if (!isKept) await context.store.remove(context.config.MINIO_BUCKET, [cut.objectKey]);
    } else await cuts.postpone(cut.id, null, null);
  } catch (error) {
    await settle(context, cuts, cut, error);
  }
  return true;
}

interface Work {
  readonly cuts: CutRepository;
  readonly cut: CutRow;
  readonly until: number;
}

interface Made {
  readonly fromMs: number;
  readonly durationMs: number;
  readonly size: number;
}

async function settle(context: RecordingContext, cuts: CutRepository, cut: CutRow, error: unknown): Promise<void> {
  // Swept by the store, or completed by a worker that died before it could say so.
  const isUploadGone = error instanceof UploadMissing;
  if (isUploadGone) await cuts.forgetUpload(cut.id);
  const retryable = isUploadGone || (error instanceof ServiceError ? error.retryable : !(error instanceof Mp4Error));
  const why = error instanceof ServiceError ? error.message : 'The clip could not be made';
  context.logger.warn({ err: error, recording_id: cut.recordingId, cut_id: cut.id }, 'Could not make a clip');
  if (!retryable || cut.attempts + 1 >= MOST_ATTEMPTS) {
    if (cut.uploadId) await context.store.abortUpload(context.config.MINIO_BUCKET, cut.objectKey, cut.uploadId);
    await cuts.fail(cut.id, why);
  } else await cuts.postpone(cut.id, nowOf(context, RETRY_MS * (cut.attempts + 1)), why);
}

/** Null where time was up. */
async function cutFile(context: RecordingContext, recording: Recording, work: Work): Promise<Made | null> {
  const { movie, source } = await openRecordingFile(context, recording);
  return storeCut(context, { movie, source, originMs: 0, recording }, work);
}

/** Joins the segments around the clip into a file of their own in scratch space, and cuts that. */
async function cutSegments(context: RecordingContext, recording: Recording, work: Work): Promise<Made | null> {
  const { cut } = work;
  const all = await segmentsOf(context, recording);
  const wanted = all.filter((one) => one.startMs < cut.endMs && one.startMs + one.durationMs > cut.startMs);
  const first = wanted[0];
  if (!first) throw new NothingToPlay('The recording has no segments there');
  if (wanted.reduce((sum, one) => sum + one.size, 0) > MOST_SCRATCH_BYTES) {
    throw new ClipRefused('So long a clip can only be made when the recording is finished');
  }
  const dir = join(context.config.SCRATCH_DIR, 'clips', cut.id);
  await rm(dir, { recursive: true, force: true });
  await mkdir(dir, { recursive: true });
  try {
    const runs = await fetchRuns(context, wanted, dir);
    const ffmpeg = await context.ffmpeg();
    const signal = AbortSignal.timeout(Math.max(1, work.until - context.clock.now()) + LEASE_MS / 2);
    const joined = await context.media.joinShortWay({
      ffmpegPath: ffmpeg.path,
      dir,
      runs,
      timeoutMs: LEASE_MS / 2,
      signal,
    });
    return await withFile(joined.path, async (source) => {
      const { movie } = await openMovie(source);
      // A file in scratch space is gone with this round: what of it is stored is stored to the end.
      return storeCut(
        context,
        { movie, source, originMs: first.startMs, recording },
        { ...work, until: Number.POSITIVE_INFINITY },
      );
    });
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** Paths of the segments' files, by run. */
async function fetchRuns(
  context: RecordingContext,
  segments: readonly PlayableSegment[],
  dir: string,
): Promise<string[][]> {
  const { MINIO_BUCKET, SEGMENT_DOWNLOAD_TIMEOUT } = context.config;
  const pending = [...segments];
  const pathOf = (segment: PlayableSegment) => join(dir, `${segment.id}.ts`);
  const worker = async () => {
    for (let segment = pending.shift(); segment; segment = pending.shift()) {
      const { bytes } = await context.store.get(MINIO_BUCKET, segment.stagedKey, SEGMENT_DOWNLOAD_TIMEOUT);
      await writeFile(pathOf(segment), bytes);
    }
  };
  await Promise.all(Array.from({ length: FETCHED_AT_ONCE }, worker));
  const runs: string[][] = [];
  for (const segment of segments) {
    const run = runs.at(-1);
    if (run && !segment.startsRun) run.push(pathOf(segment));
    else runs.push([pathOf(segment)]);
  }
  return runs;
}

interface Origin {
  readonly movie: SourceMovie;
  readonly source: ByteSource;
  /** Where the movie begins in the recording. */
  readonly originMs: number;
  readonly recording: Recording;
}

async function storeCut(context: RecordingContext, origin: Origin, work: Work): Promise<Made | null> {
  const { cut } = work;
  const isAudio = cut.kind === 'audio';
  const found: Cut | null = cutMovie(origin.movie, {
    startSeconds: Math.max(0, cut.startMs - origin.originMs) / 1000,
    endSeconds: (cut.endMs - origin.originMs) / 1000,
    nearBytes: isAudio ? 0 : NEAR_BYTES,
    ...(isAudio ? { kinds: ['audio'] } : {}),
  });
  if (!found) throw new ClipRefused(isAudio ? 'The recording has no sound' : 'Nothing plays between start and end');
  const fromMs = Math.round(found.fromSeconds * 1000) + origin.originMs;
  const head = buildHead({
    parts: [{ index: encodeIndex(found.pieces), bytes: found.mediaBytes }],
    createdMs: origin.recording.startedAt.getTime() + fromMs,
  });
  const size = head.bytes.length + found.mediaBytes;
  const joined = { head: head.bytes, extents: found.extents, source: origin.source, size };
  const stored = await storeJoined(context, joined, { ...work, contentType: isAudio ? 'audio/mp4' : 'video/mp4' });
  return stored ? { fromMs, durationMs: Math.round(head.durationMs), size } : null;
}
