/**
 * Rolls parts: pending segments become media bytes at their final place in the upload, while the stream is live.
 *
 *   plan (pure) ─► fetch staged ─► rollPart (remux, index) ─► UploadPart n ─► one transaction:
 *   lock row by lease, part row with ETag, size and sample index, places of its segments, engine state
 *
 * Killed before the transaction, the step is repeated: the same segments make the same bytes, and a part sent twice
 * replaces itself. The first part is kept in staging, since the head that precedes it is known only at the end
 * (held-part.ts).
 */
import { join } from 'node:path';
import type { RolledPart, RollState, RunSlice } from '../ffmpeg/roll.ts';
import { UploadMissing } from '../storage/errors.ts';
import { heldPartKey } from '../storage/keys.ts';
import type { Lease, WorkResult } from './advance.ts';
import { nowOf, type RecordingContext, repositoriesOn } from './context.ts';
import { type EngineState, mergeWarnings, readEngineState } from './engine-state.ts';
import { settleFinalKey } from './final-key.ts';
import { nextPartNumber, sendHeldWhenDue } from './held-part.ts';
import { openGaps } from './missing-segments.ts';
import { readOrder } from './order-window.ts';
import { MAX_PARTS, partBytes, smallestPartBytes } from './part-size.ts';
import type { PlannedSegment } from './plan-file.ts';
import { type PartPlan, type PlannedPart, planPart } from './plan-part.ts';
import { restartGeneration } from './remake.ts';
import { noteDoubt } from './reorder.ts';
import { withScratch } from './scratch.ts';
import { fetchStaged } from './stage-runs.ts';

const FFMPEG_TIMEOUT_MS = 300_000;

/** Rolls every part that is due while a recording is live. */
export async function rollRecording(context: RecordingContext, lease: Lease): Promise<WorkResult> {
  for (;;) {
    const rolled = await rollNextPart(context, lease, false);
    if (rolled.kind === 'nothing') return { kind: 'done' };
    const isLost = rolled.kind === 'restarted' || (await sendHeld(context, lease)) === 'restarted';
    if (isLost) return { kind: 'later', at: nowOf(context), why: 'the upload was lost; the file is made anew' };
    if (lease.signal.aborted) return { kind: 'later', at: nowOf(context), why: 'the time of this function is over' };
  }
}

async function sendHeld(context: RecordingContext, lease: Lease): Promise<'fine' | 'restarted'> {
  const sent = await sendHeldWhenDue(context, lease);
  if (sent === 'fine') return sent;
  await restartGeneration(context, lease, 'the multipart upload is gone');
  return 'restarted';
}

export type RollOutcome =
  | { readonly kind: 'rolled'; readonly partNumber: number }
  /** No part is due; what the plan found on the way. */
  | { readonly kind: 'nothing'; readonly plan: PartPlan }
  /** The upload was gone: all places are taken back, and the next generation begins. */
  | { readonly kind: 'restarted' };

/**
 * Rolls the next part, if there is one: in `last` mode whatever is left, else only a full one.
 * @throws what planning, fetching, ffmpeg and storing throw; repeating it is safe
 */
export async function rollNextPart(context: RecordingContext, lease: Lease, last: boolean): Promise<RollOutcome> {
  const recording = (await context.recordings.find(lease.recording.id)) ?? lease.recording;
  const state = readEngineState(recording.engineState);
  const partNumber = nextPartNumber((await context.parts.totals(recording.id, recording.generation)).last);
  if (partNumber > MAX_PARTS) throw new Error(`An upload has no part beyond ${MAX_PARTS}`);
  const wanted = partBytes(partNumber, context.config.PART_SIZE);
  const { rows, order } = await readOrder(context.places, recording.id);
  await noteDoubt(context, lease, recording, order);
  const gaps = last ? new Set<number>() : openGaps(rows, order.gaps, context.config, context.clock.now());
  // A container that wastes more than two thirds on its own packets asks for more segments to fill a part.
  for (let target = wanted; ; target *= 2) {
    const plan = planPart(order, {
      tail: state?.tail ?? null,
      runs: state?.runs ?? 0,
      partBytes: target,
      last,
      isOpenGap: (id) => gaps.has(id),
    });
    if (!plan.part) return { kind: 'nothing', plan };
    const { part } = plan;
    const isEnd = last && countSegments(part) === plan.open;
    const done = await withScratch(context, recording, async (folder) => {
      using rolled = await makePart(context, lease, part, state?.roll, folder);
      if (rolled.media.length < smallestPartBytes(context.config.PART_SIZE) && !isEnd) return false;
      return storePart(context, lease, { recording, partNumber, part, rolled, state });
    });
    if (done === 'upload-lost') {
      await restartGeneration(context, lease, 'the multipart upload is gone');
      return { kind: 'restarted' };
    }
    if (done) return { kind: 'rolled', partNumber };
  }
}

function countSegments(part: PlannedPart): number {
  return part.slices.reduce((sum, slice) => sum + slice.segments.length, 0);
}

async function makePart(
  context: RecordingContext,
  lease: Lease,
  part: PlannedPart,
  state: RollState | undefined,
  folder: string,
): Promise<RolledPart> {
  const ffmpeg = await context.ffmpeg();
  const slices: RunSlice[] = [];
  for (const slice of part.slices) {
    // Fetched when it is their turn: of what follows, mostly only one is looked at.
    const toSource = ({ segment }: PlannedSegment) => ({
      size: segment.size,
      read: async (memory: Uint8Array) => (await fetchStaged(context, segment, memory)).bytes,
    });
    slices.push({
      startsRun: slice.startsRun,
      segments: slice.segments.map(toSource),
      following: slice.following.map(toSource),
    });
  }
  return context.media.rollPart({
    ffmpegPath: ffmpeg.path,
    workDir: join(folder, 'roll'),
    slices,
    state,
    timeoutMs: FFMPEG_TIMEOUT_MS,
    signal: lease.signal,
  });
}

interface RolledStep {
  readonly recording: Lease['recording'];
  readonly partNumber: number;
  readonly part: PlannedPart;
  readonly rolled: RolledPart;
  readonly state: EngineState | null;
}

async function storePart(context: RecordingContext, lease: Lease, step: RolledStep): Promise<true | 'upload-lost'> {
  const { recording, partNumber, part, rolled } = step;
  // Segments may hold nothing that a file can carry; they have their place then, but no part.
  const stored = rolled.media.length === 0 ? null : await sendMedia(context, lease, step);
  if (stored === 'upload-lost') return stored;
  const next: EngineState = {
    version: 2,
    roll: rolled.state,
    tail: part.tail,
    runs: part.runs,
    warnings: mergeWarnings(step.state?.warnings ?? [], rolled.warnings),
  };
  await context.db.transaction(async (client) => {
    const { leases, places, parts } = repositoriesOn(client);
    await leases.lock(recording.id, lease.token);
    if (stored)
      await parts.put(
        recording.id,
        recording.generation,
        { partNumber, ...stored, size: rolled.media.length, sampleIndex: rolled.index },
        nowOf(context),
      );
    const given = part.slices.flatMap((slice) =>
      slice.segments.map((planned) => ({ id: planned.segment.id, run: slice.run })),
    );
    await places.give(
      recording.id,
      given.map((place, index) => ({ ...place, position: part.firstPosition + index })),
      partNumber,
    );
    await leases.saveEngineState(recording.id, lease.token, next);
  });
  const byFfmpeg = rolled.ways.flatMap((way) => (way.by === 'ffmpeg' ? way.why : []));
  context.logger.info(
    {
      recording_id: recording.id,
      part: partNumber,
      bytes: rolled.media.length,
      segments: countSegments(part),
      samples: rolled.samples,
      // Why slices were ffmpeg's to make: their number tells what a stream costs.
      ...(byFfmpeg.length > 0 ? { by_ffmpeg: byFfmpeg } : {}),
    },
    'Rolled a part',
  );
  for (const warning of rolled.warnings) context.logger.warn({ recording_id: recording.id, part: partNumber }, warning);
  return true;
}

/** The first part waits in staging; the others go to the upload, which is opened for the first of them. */
async function sendMedia(
  context: RecordingContext,
  lease: Lease,
  step: RolledStep,
): Promise<{ etag: string | null; heldKey: string | null } | 'upload-lost'> {
  const { recording, partNumber, rolled } = step;
  const bucket = context.config.MINIO_BUCKET;
  const bytes = rolled.media;
  if (partNumber === 1) {
    const heldKey = heldPartKey(recording.id, recording.generation, 1, lease.token);
    await context.store.put(bucket, heldKey, bytes, 'application/octet-stream');
    return { etag: null, heldKey };
  }
  const upload = await openUpload(context, lease, recording);
  try {
    const { etag } = await context.store.uploadPart(bucket, upload.key, upload.uploadId, partNumber, bytes);
    return { etag, heldKey: null };
  } catch (error) {
    if (error instanceof UploadMissing) return 'upload-lost';
    throw error;
  }
}

/** The recording's open upload. One that is created and then not committed is an orphan; the healer aborts those. */
export async function openUpload(
  context: RecordingContext,
  lease: Lease,
  recording: Lease['recording'],
): Promise<{ key: string; uploadId: string }> {
  const fresh = (await context.recordings.find(recording.id)) ?? recording;
  if (fresh.uploadId) return { key: fresh.objectKey, uploadId: fresh.uploadId };
  const key = await settleFinalKey(context, lease);
  const uploadId = await context.store.createUpload(context.config.MINIO_BUCKET, key, 'video/mp4');
  await context.leases.saveUpload(recording.id, lease.token, uploadId);
  return { key, uploadId };
}
