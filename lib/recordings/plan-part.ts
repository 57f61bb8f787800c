/**
 * Which segments the next part takes: a pure decision over the ledger. A part takes what is in order and settled, up
 * to its size, and while the stream is live never the newest segment of a run, whose last frames may go on in the next.
 */
import type { SegmentOrder } from '../capture/order.ts';
import { planRuns, type RunTail } from '../capture/runs.ts';
import type { LedgerSegment } from './ledger-rows.ts';
import { type OrderableSegment, type PlannedSegment, planLedgerRuns } from './plan-file.ts';

/** Consecutive segments of one run; `following` are segments of that run which a later part takes. */
export interface PlannedSlice {
  readonly startsRun: boolean;
  readonly run: number;
  readonly segments: readonly PlannedSegment[];
  readonly following: readonly PlannedSegment[];
}

export interface PlannedPart {
  readonly slices: readonly PlannedSlice[];
  /** Position of its first segment in the recording. */
  readonly firstPosition: number;
  /** Runs as they stand behind it. */
  readonly tail: RunTail | null;
  readonly runs: number;
  readonly bytes: number;
}

export interface PartPlan {
  /** Null where nothing can be rolled yet. */
  readonly part: PlannedPart | null;
  /** Segments that belong before what is rolled: only making the file anew brings them in. */
  readonly late: readonly LedgerSegment[];
  /** The same media again. */
  readonly repeated: readonly LedgerSegment[];
  /** Segments in order that no part has yet, those of `part` included. */
  readonly open: number;
}

export interface PartPlanOptions {
  readonly tail: RunTail | null;
  /** Runs begun so far. */
  readonly runs: number;
  readonly partBytes: number;
  /** True when the stream has ended and no more segments come: the rest is taken, whatever its size. */
  readonly last: boolean;
  /** True for a gap that is still waited for: nothing behind it is taken. */
  readonly isOpenGap: (afterId: number) => boolean;
}

/** How many segments behind the part are looked at for the ends of what began in it. */
const FOLLOWING = 3;

/** @param order of all segments, or of the last that have their place and those that have none (order-window.ts) */
export function planPart(order: SegmentOrder<OrderableSegment>, options: PartPlanOptions): PartPlan {
  const late = order.late.map((entry) => entry.row.segment);
  const repeated = order.duplicates.map((entry) => entry.row.segment).filter((segment) => segment.position === null);
  const placed = order.ordered.filter(({ row }) => row.position !== null);
  const last = placed.at(-1);
  const firstPosition = last === undefined ? 0 : (last.row.position ?? 0) + 1;
  // Epochs are counted from wherever the order begins; the tail knows which one the last placed segment is of.
  const earlier = last === undefined || options.tail === null ? 0 : options.tail.epoch - last.epoch;
  const settled = settledBefore(order, options);
  const open = order.ordered.slice(placed.length).map((one) => ({ ...one, epoch: one.epoch + earlier }));
  const taken = planLedgerRuns(open.slice(0, Math.max(0, settled - placed.length)), options.tail);
  const segments = taken.runs.flatMap((run, index) =>
    run.segments.map((planned, at) => ({ planned, index, first: at === 0 })),
  );
  const count = countTaken(
    segments.map(({ planned }) => planned.segment.size),
    options,
  );
  const part = count === 0 ? null : cut(taken.runs, segments, count, firstPosition, options);
  return { part, late, repeated, open: open.length };
}

/** How many of the ordered segments come before the first gap that is still waited for. */
function settledBefore(order: SegmentOrder<OrderableSegment>, options: PartPlanOptions): number {
  const openGaps = order.gaps.filter((gap) => gap.beforeId !== null && options.isOpenGap(Number(gap.afterId)));
  const firstAfter = new Set(openGaps.map((gap) => Number(gap.beforeId)));
  const index = order.ordered.findIndex(({ row }: { row: OrderableSegment }) => firstAfter.has(row.id));
  return index === -1 ? order.ordered.length : index;
}

function countTaken(sizes: readonly number[], options: PartPlanOptions): number {
  let bytes = 0;
  for (const [index, size] of sizes.entries()) {
    bytes += size;
    // A part may only end here if something follows: its last frames may go on there.
    if (bytes >= options.partBytes && index + 1 < sizes.length) return index + 1;
  }
  return options.last ? sizes.length : 0;
}

function cut(
  runs: ReturnType<typeof planLedgerRuns>['runs'],
  segments: ReadonlyArray<{ planned: PlannedSegment; index: number }>,
  count: number,
  firstPosition: number,
  options: PartPlanOptions,
): PlannedPart {
  let begun = options.runs;
  const slices: PlannedSlice[] = [];
  for (const [index, run] of runs.entries()) {
    const mine = segments.slice(0, count).filter((entry) => entry.index === index);
    if (mine.length === 0) break;
    const startsRun = run.reason !== null;
    if (startsRun) begun += 1;
    const following = segments.slice(count).filter((entry) => entry.index === index);
    slices.push({
      startsRun,
      run: begun - 1,
      segments: mine.map((entry) => entry.planned),
      following: following.slice(0, FOLLOWING).map((entry) => entry.planned),
    });
  }
  const planned = segments.slice(0, count).map((entry) => entry.planned);
  return {
    slices,
    firstPosition,
    tail: planRuns(planned, options.tail).tail,
    runs: begun,
    bytes: planned.reduce((sum, one) => sum + one.segment.size, 0),
  };
}
