/** From the ledger's rows to what the file will be: order, runs and holes. Pure; the rules are lib/capture's. */
import { type OrderedSegment, orderSegments, type SegmentOrder } from '../capture/order.ts';
import { planRuns, type Run, type RunSegment, type RunTail } from '../capture/runs.ts';
import type { LedgerSegment } from './ledger-rows.ts';

/** A ledger row as the order reads it. */
export type OrderableSegment = ReturnType<typeof toOrderRow>;

/** A segment with its place among the others, as the runs are planned from. */
export interface PlannedSegment extends RunSegment {
  readonly segment: LedgerSegment;
}

function toOrderRow(segment: LedgerSegment) {
  return {
    id: segment.id,
    name: segment.sourceKey,
    number: segment.nameNumber,
    playlistSequence: segment.playlistSequence,
    modifiedAtMs: segment.modifiedAt?.getTime() ?? segment.capturedAt.getTime(),
    firstDts90k: segment.firstDts90k,
    endDts90k: segment.endDts90k,
    durationMs: segment.durationMs,
    etag: segment.sourceEtag,
    position: segment.position,
    segment,
  };
}

/** The order of the captured rows among `rows`; rows of other states have no place. */
export function orderLedger(
  rows: readonly LedgerSegment[],
  listed: ReadonlyArray<{ sequence: number; durationSeconds: number }> = [],
): SegmentOrder<OrderableSegment> {
  const captured = rows.filter((row) => row.state === 'captured').map(toOrderRow);
  return orderSegments(captured, undefined, listed);
}

/** The runs of ordered segments that carry a probe; with a tail, those that follow what is committed. */
export function planLedgerRuns(
  ordered: ReadonlyArray<OrderedSegment<OrderableSegment>>,
  committed: RunTail | null = null,
): { runs: Run<PlannedSegment>[]; tail: RunTail | null } {
  const planned = ordered.flatMap(({ row, epoch, number, afterGap }): PlannedSegment[] => {
    const { segment } = row;
    if (!segment.probe) return [];
    return [
      {
        epoch,
        number,
        afterGap,
        discontinuity: segment.discontinuity,
        modifiedAtMs: row.modifiedAtMs,
        probe: segment.probe,
        segment,
      },
    ];
  });
  return planRuns(planned, committed);
}
