/**
 * What of a recording can be played from its captured segments, in order: pure, from the rows of the ledger. While the
 * recording goes on, the list only ever grows at its end: it stops before a segment that is still waited for.
 */
import type { Config } from '../platform/config.ts';
import { readEngineState } from './engine-state.ts';
import type { LedgerSegment } from './ledger-rows.ts';
import { openGaps } from './missing-segments.ts';
import { orderLedger, planLedgerRuns } from './plan-file.ts';
import type { Recording } from './recording.ts';

export interface PlayableSegment {
  readonly id: number;
  readonly stagedKey: string;
  readonly size: number;
  readonly durationMs: number;
  /** Where it begins in the recording. */
  readonly startMs: number;
  /** Its timestamps do not continue those before. */
  readonly startsRun: boolean;
  /** When its first picture was live, by the packager's clock; null where that is unknown. */
  readonly liveAtMs: number | null;
}

type Settings = Pick<Config, 'MAX_RETRY_ATTEMPTS' | 'SEGMENT_RETRY_DELAY'>;

/**
 * The segments that play.
 * @param rows as SegmentRepository.listForOrder gives them
 */
export function playableSegments(
  recording: Pick<Recording, 'status' | 'engineState'>,
  rows: readonly LedgerSegment[],
  settings: Settings,
  nowMs: number,
): PlayableSegment[] {
  const order = orderLedger(rows);
  const finished = recording.status === 'completed' || recording.status === 'failed';
  const awaited = finished ? new Set<number>() : openGaps(rows, order.gaps, settings, nowMs);
  const segments = order.ordered.map(({ row }) => row.segment);
  const end = segments.findIndex((segment) => awaited.has(segment.id));
  const startsRun = runStarts(recording, order.ordered);
  let startMs = 0;
  return segments.slice(0, end < 0 ? undefined : end + 1).flatMap((segment): PlayableSegment[] => {
    if (segment.stagedKey === null || segment.durationMs <= 0) return [];
    const playable = {
      id: segment.id,
      stagedKey: segment.stagedKey,
      size: segment.size,
      durationMs: segment.durationMs,
      startMs,
      startsRun: startsRun.has(segment.id),
      liveAtMs: segment.modifiedAt === null ? null : segment.modifiedAt.getTime() - segment.durationMs,
    };
    startMs += segment.durationMs;
    return [playable];
  });
}

/** Ids of the segments that begin a run: of placed ones by what is noted, of others by their probes. */
function runStarts(
  recording: Pick<Recording, 'engineState'>,
  ordered: ReturnType<typeof orderLedger>['ordered'],
): Set<number> {
  const starts = new Set<number>();
  const placed = ordered.filter(({ row }) => row.segment.position !== null);
  for (const [at, { row }] of placed.entries()) {
    if (at === 0 || placed[at - 1]?.row.segment.run !== row.segment.run) starts.add(row.segment.id);
  }
  const open = ordered.filter(({ row }) => row.segment.position === null);
  const tail = placed.length > 0 ? (readEngineState(recording.engineState)?.tail ?? null) : null;
  for (const run of planLedgerRuns(open, tail).runs) {
    const first = run.segments[0];
    if (first && run.reason !== null) starts.add(first.segment.id);
  }
  return starts;
}
