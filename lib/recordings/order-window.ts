/**
 * How much of the ledger the order of what comes next is made of. A day of segments is tens of thousands of rows, looked
 * at for every part and every sweep; where what is new simply goes on behind what has its place, its last few minutes
 * say the same. Owns that judgement and reading the rows; the order itself is lib/capture/order.ts.
 */
import type { SegmentOrder } from '../capture/order.ts';
import type { LedgerSegment } from './ledger-rows.ts';
import type { PlaceRepository } from './place-repository.ts';
import { type OrderableSegment, orderLedger } from './plan-file.ts';

export interface LedgerOrder {
  readonly rows: readonly LedgerSegment[];
  readonly order: SegmentOrder<OrderableSegment>;
  /** False where rows that have had their place for long are left out. */
  readonly whole: boolean;
}

/** Placed segments that are read: enough of 2 s, then enough of 1 s. */
const TAIL_SEGMENTS = [160, 400];
/** Nothing that comes later than this is sorted in by its neighbours (order-fit.ts): the tail has to cover it well. */
const TAIL_MEDIA_MS = 5 * 60_000;
/** What was uploaded longer before the newest placed segment may belong anywhere. */
const OVERTAKEN_MS = 30_000;

/** The order of a recording's open segments behind what has its place, and the rows that tell it. */
export async function readOrder(
  places: Pick<PlaceRepository, 'listOrderTail' | 'listForOrder'>,
  recordingId: string,
): Promise<LedgerOrder> {
  for (const count of TAIL_SEGMENTS) {
    const rows = await places.listOrderTail(recordingId, count);
    const placed = rows.filter((row) => row.position !== null).length;
    if (placed < count) return { rows, order: orderLedger(rows), whole: true };
    const order = orderTail(rows);
    if (order) return { rows, order, whole: false };
  }
  const rows = await places.listForOrder(recordingId);
  return { rows, order: orderLedger(rows), whole: true };
}

/**
 * The order by the end of the ledger alone; null where it may not be that of the whole. The first rows lack those that
 * they were sorted in by: where they would stand otherwise than they do, what comes behind them may be wrong as well.
 */
export function orderTail(rows: readonly LedgerSegment[]): SegmentOrder<OrderableSegment> | null {
  if (!tailSuffices(rows)) return null;
  const order = orderLedger(rows);
  return order.isMisplaced || order.late.length > 0 ? null : order;
}

/**
 * True if the open segments among the rows come behind all placed ones whatever else is in the ledger: their numbers
 * are greater, they were not uploaded before, and the placed ones reach back further than a segment can be late.
 */
function tailSuffices(rows: readonly LedgerSegment[]): boolean {
  const captured = rows.filter((row) => row.state === 'captured');
  const placed = captured.filter((row) => row.position !== null);
  const open = captured.filter((row) => row.position === null);
  const numbers = placed.map((row) => row.nameNumber);
  if (numbers.includes(null)) return false;
  if (placed.reduce((sum, row) => sum + row.durationMs, 0) < TAIL_MEDIA_MS) return false;
  const greatest = Math.max(...numbers.map(Number));
  const newestMs = Math.max(...placed.map(uploadedAtMs));
  return open.every(
    (row) => row.nameNumber !== null && row.nameNumber > greatest && uploadedAtMs(row) >= newestMs - OVERTAKEN_MS,
  );
}

function uploadedAtMs(row: LedgerSegment): number {
  return (row.modifiedAt ?? row.capturedAt).getTime();
}
