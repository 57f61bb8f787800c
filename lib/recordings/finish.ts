/**
 * Finishes a recording whose stream has ended: waits for its last segments, makes the file, verifies it in the store,
 * completes the row.
 *
 *   sweep ── more to come? ──yes──► later
 *     └─no─► order, runs ──► file at its final key ──► HEAD as expected? ──► one transaction:
 *            lock row, place segments, nothing unplaced?, completed     (a segment in between: once more)
 */
import { hashStreamKey } from '../platform/logging.ts';
import type { Lease, WorkResult } from './advance.ts';
import { nowOf, type RecordingContext, repositoriesOn } from './context.ts';
import { NoSegments, VerificationFailed } from './errors.ts';
import { orderLedger, type PlannedSegment, planLedgerRuns } from './plan-file.ts';
import { decideReadiness } from './readiness.ts';
import type { RecordingFacts } from './recording.ts';
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

/** A segment was captured between the plan and the completion. */
class SegmentCameMeanwhile extends Error {
  constructor() {
    super('a segment came while the file was made');
  }
}

/** Finishes under the lease. @throws {NoSegments} and whatever reading, joining and storing throw */
export async function finishRecording(context: RecordingContext, lease: Lease): Promise<WorkResult> {
  const { recording } = lease;
  const startedMs = context.clock.now();
  const sweep = await sweepRecording(context, recording.id);
  const fresh = await context.recordings.find(recording.id);
  const readiness = decideReadiness(
    {
      nowMs: context.clock.now(),
      endHeardAtMs: recording.endHeardAt?.getTime() ?? 0,
      lastSegmentAtMs: fresh?.lastSegmentAt?.getTime() ?? null,
      endList: sweep.playlist?.endList ?? false,
      awaited: sweep.awaited,
    },
    context.config.END_GRACE,
  );
  if (!readiness.ready) return { kind: 'later', at: new Date(readiness.lookAtMs), why: 'segments may still come' };

  const rows = await context.segments.list(recording.id);
  const order = orderLedger(rows);
  const { runs } = planLedgerRuns(order.ordered);
  const segments = runs.flatMap((run) => run.segments.map((planned) => planned.segment));
  if (segments.length === 0) {
    const rejected = rows.filter((row) => row.state === 'rejected').length;
    throw new NoSegments(
      rejected > 0
        ? `None of the ${rejected} segments of the stream carries usable media`
        : `The bucket ${context.config.LIVE_BUCKET} has no segment of the stream (stream key hash ${hashStreamKey(recording.streamKey)})`,
    );
  }
  context.logger.info(
    { recording_id: recording.id, runs: runs.length },
    `⚙️ Concatenating ${segments.length} segments…`,
  );
  const made = await makeByShortWay(context, lease, runs);
  await verifyStored(context, made);
  const placed = runs.flatMap((run, index) => run.segments.map((planned) => ({ planned, run: index })));
  const repeated = order.duplicates.map((duplicate) => duplicate.row.segment.id);
  try {
    await complete(context, lease, made, placed, repeated, startedMs);
  } catch (error) {
    if (error instanceof SegmentCameMeanwhile) return { kind: 'later', at: nowOf(context), why: error.message };
    throw error;
  }
  context.logger.info(
    {
      recording_id: recording.id,
      duration_ms: made.durationMs,
      bytes: made.sizeBytes,
      finish_ms: context.clock.now() - startedMs,
    },
    `✅ Recording completed: ${context.config.MINIO_BUCKET}/${made.key}`,
  );
  return { kind: 'done' };
}

/** The stored object has to be what was written: the row says `completed` only of a file that is there. */
async function verifyStored(context: RecordingContext, made: MadeFile): Promise<void> {
  const stored = await context.store.head(context.config.MINIO_BUCKET, made.key);
  if (!stored) throw new VerificationFailed('The finished object is not in the store');
  if (stored.size !== made.sizeBytes) {
    throw new VerificationFailed(`The finished object has ${stored.size} bytes, ${made.sizeBytes} were written`);
  }
  if (made.etag !== '' && stored.etag !== made.etag) {
    throw new VerificationFailed('The finished object is not the one that was written: its ETag differs');
  }
}

async function complete(
  context: RecordingContext,
  lease: Lease,
  made: MadeFile,
  placed: ReadonlyArray<{ planned: PlannedSegment; run: number }>,
  repeated: readonly number[],
  startedMs: number,
): Promise<void> {
  const { recording, token } = lease;
  const now = nowOf(context);
  await context.db.transaction(async (client) => {
    const { recordings, segments } = repositoriesOn(client);
    await recordings.lockLeased(recording.id, token);
    await segments.place(
      recording.id,
      placed.map(({ planned, run }, position) => ({ id: planned.segment.id, position, run })),
      null,
    );
    if (repeated.length > 0)
      await segments.markLeftOut(
        recording.id,
        repeated,
        'rejected',
        'DUPLICATE: the same media is in the recording already',
      );
    // Throwing takes the places back with the transaction: the next try plans with the segment that came.
    if ((await segments.countUnplaced(recording.id)) > 0) throw new SegmentCameMeanwhile();
    await recordings.complete(
      recording.id,
      token,
      {
        filePath: `${context.config.MINIO_BUCKET}/${made.key}`,
        durationSeconds: Math.round(made.durationMs / 1000),
        fileSizeBytes: made.sizeBytes,
        facts: {
          ...made.facts,
          durationMs: made.durationMs,
          segments: placed.length,
          finishMs: context.clock.now() - startedMs,
        },
      },
      now,
    );
  });
}
