/**
 * Finishes a recording whose stream has ended: waits for its last segments, makes the file, verifies it in the store,
 * completes the row.
 *
 *   may the stream come back? ──yes──► later
 *   sweep ── more to come? ──yes──► later
 *     └─no─► parts rolled, or too much for one ffmpeg ──► the engine: tail, head, Complete
 *            else ──► the short way                          │
 *            stored object as expected? ◄────────────────────┘
 *            one transaction: lock row, place segments, nothing unplaced?, completed  (a segment in between: once more)
 */
import { hashStreamKey } from '../platform/logging.ts';
import type { Lease, WorkResult } from './advance.ts';
import { nowOf, type RecordingContext, repositoriesOn } from './context.ts';
import { NoSegments, VerificationFailed } from './errors.ts';
import type { LedgerSegment } from './ledger-rows.ts';
import { makeByParts } from './make-by-parts.ts';
import { orderLedger, planLedgerRuns } from './plan-file.ts';
import { decideReadiness } from './readiness.ts';
import type { Recording, RecordingFacts } from './recording.ts';
import { restartGeneration } from './remake.ts';
import { makeByShortWay } from './short-way.ts';
import { sweepRecording } from './sweep.ts';

/** A file at its final key, as it was made. */
export interface MadeFile {
  readonly key: string;
  readonly sizeBytes: number;
  readonly etag: string;
  readonly durationMs: number;
  readonly facts: RecordingFacts;
}

/** What the last transaction writes beside the file. */
interface Completion {
  readonly file: MadeFile;
  /** Places of segments that have none yet. */
  readonly places: ReadonlyArray<{ readonly id: number; readonly position: number; readonly run: number }>;
  /** Segments whose media is in the file already. */
  readonly repeated: readonly number[];
}

/** A segment was captured between the plan and the completion. */
class SegmentCameMeanwhile extends Error {
  constructor() {
    super('a segment came while the file was made');
  }
}

/** The engine's second failure on one recording: the next attempt goes the short way. */
const ENGINE_ATTEMPTS = 2;

/** Finishes under the lease. @throws {NoSegments} and whatever reading, joining and storing throw */
export async function finishRecording(context: RecordingContext, lease: Lease): Promise<WorkResult> {
  const { recording } = lease;
  const startedMs = context.clock.now();
  const mayComeBackUntilMs = reconnectUntilMs(recording, context.config.RECONNECT_WINDOW);
  // Whatever wakes us up before, a last segment for one, must not close the window.
  if (startedMs < mayComeBackUntilMs)
    return { kind: 'later', at: new Date(mayComeBackUntilMs), why: 'the stream may come back' };
  const wait = await waitForSegments(context, lease);
  if (wait) return wait;

  const { segments, openBytes } = await context.places.totals(recording.id);
  if (segments === 0) throw await noSegments(context, lease);
  const { parts } = await context.parts.totals(recording.id, recording.generation);
  context.logger.info({ recording_id: recording.id, parts }, `⚙️ Concatenating ${segments} segments…`);
  const byParts = parts > 0 || openBytes >= context.config.PART_SIZE;
  const made =
    byParts && (recording.facts.faults ?? 0) < ENGINE_ATTEMPTS
      ? await viaParts(context, lease)
      : await viaShortWay(context, lease, parts);
  if ('kind' in made) return made;
  await verifyStored(context, made.file);
  try {
    await complete(context, lease, made, startedMs);
  } catch (error) {
    if (error instanceof SegmentCameMeanwhile) return { kind: 'later', at: nowOf(context), why: error.message };
    throw error;
  }
  const { key, durationMs, sizeBytes } = made.file;
  context.logger.info(
    {
      recording_id: recording.id,
      duration_ms: durationMs,
      bytes: sizeBytes,
      finish_ms: context.clock.now() - startedMs,
    },
    `✅ Recording completed: ${context.config.MINIO_BUCKET}/${key}`,
  );
  return { kind: 'done' };
}

/** Until when a start of the stream continues the recording, on our clock. */
function reconnectUntilMs({ endHeardAt, endSource }: Recording, windowMs: number): number {
  // What the next start or the greatest length has ended has its successor already.
  const isFollowed = endSource === 'superseded' || endSource === 'max-duration';
  return endHeardAt === null || isFollowed ? 0 : endHeardAt.getTime() + windowMs;
}

/** Null when no segment is to come any more. */
async function waitForSegments(context: RecordingContext, lease: Lease): Promise<WorkResult | null> {
  const sweep = await sweepRecording(context, lease.recording.id);
  const fresh = await context.recordings.find(lease.recording.id);
  const readiness = decideReadiness(
    {
      nowMs: context.clock.now(),
      endHeardAtMs: lease.recording.endHeardAt?.getTime() ?? 0,
      lastSegmentAtMs: fresh?.lastSegmentAt?.getTime() ?? null,
      endList: sweep.playlist?.endList ?? false,
      awaited: sweep.awaited,
    },
    context.config.END_GRACE,
  );
  return readiness.ready ? null : { kind: 'later', at: new Date(readiness.lookAtMs), why: 'segments may still come' };
}

async function noSegments(context: RecordingContext, lease: Lease): Promise<NoSegments> {
  const { id, streamKey } = lease.recording;
  const rejected = (await context.segments.list(id)).filter((row) => row.state === 'rejected').length;
  if (rejected > 0) return new NoSegments(`None of the ${rejected} segments of the stream carries usable media`);
  return new NoSegments(
    `The bucket ${context.config.LIVE_BUCKET} has no segment of the stream (stream key hash ${hashStreamKey(streamKey)})`,
  );
}

async function viaParts(context: RecordingContext, lease: Lease): Promise<Completion | WorkResult> {
  const outcome = await makeByParts(context, lease);
  if (outcome.kind === 'again') return { kind: 'later', at: nowOf(context), why: outcome.why };
  return { file: outcome.file, places: [], repeated: outcome.repeated };
}

async function viaShortWay(context: RecordingContext, lease: Lease, parts: number): Promise<Completion | WorkResult> {
  if (parts > 0) {
    // What the engine has uploaded is given up: the short way makes the file whole, from staging.
    await restartGeneration(context, lease, 'the engine failed on it');
  }
  const rows: LedgerSegment[] = await context.segments.list(lease.recording.id);
  const order = orderLedger(rows);
  const { runs } = planLedgerRuns(order.ordered);
  const file = await makeByShortWay(context, lease, runs);
  const placed = runs.flatMap((run, index) => run.segments.map(({ segment }) => ({ id: segment.id, run: index })));
  return {
    file,
    places: placed.map((place, position) => ({ ...place, position })),
    repeated: order.duplicates.map((duplicate) => duplicate.row.segment.id),
  };
}

/** The stored object has to be what was written: the row says `completed` only of a file that is there. */
async function verifyStored(context: RecordingContext, file: MadeFile): Promise<void> {
  const stored = await context.store.head(context.config.MINIO_BUCKET, file.key);
  if (!stored) throw new VerificationFailed('The finished object is not in the store');
  if (stored.size !== file.sizeBytes) {
    throw new VerificationFailed(`The finished object has ${stored.size} bytes, ${file.sizeBytes} were written`);
  }
  if (file.etag !== '' && stored.etag !== file.etag) {
    throw new VerificationFailed('The finished object is not the one that was written: its ETag differs');
  }
}

async function complete(context: RecordingContext, lease: Lease, made: Completion, startedMs: number): Promise<void> {
  const { id } = lease.recording;
  const { file } = made;
  await context.db.transaction(async (client) => {
    const { leases, places } = repositoriesOn(client);
    await leases.lock(id, lease.token);
    await places.give(id, made.places, null);
    await places.markLeftOut(id, made.repeated, 'rejected', 'DUPLICATE: the same media is in the recording already');
    // Throwing takes the places back with the transaction: the next try plans with the segment that came.
    if ((await places.countUnplaced(id)) > 0) throw new SegmentCameMeanwhile();
    const totals = await places.totals(id);
    await leases.complete(
      id,
      lease.token,
      {
        filePath: `${context.config.MINIO_BUCKET}/${file.key}`,
        durationSeconds: Math.round(file.durationMs / 1000),
        fileSizeBytes: file.sizeBytes,
        facts: {
          ...file.facts,
          durationMs: file.durationMs,
          segments: totals.segments,
          finishMs: context.clock.now() - startedMs,
        },
      },
      nowOf(context),
    );
  });
}
