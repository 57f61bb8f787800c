/**
 * One numbering of an encoder as a sorted list of segments. Owns insertion and look-up; which segment belongs into
 * which epoch is judged by order-fit.ts and order-epochs.ts.
 */
import type { OrderRow } from './order-axis.ts';

/** A numbering and its segments, sorted by their numbers. */
export interface Epoch<R extends OrderRow> {
  entries: Entry<R>[];
  /** The latest arrival. */
  lastAtMs: number;
}

export interface Entry<R extends OrderRow> {
  readonly row: R;
  readonly number: number;
  /** False for a row without a number of its own: it follows its neighbour. */
  readonly numbered: boolean;
}

/** How long an encoder that is running is silent at most while segments of an older one still come. */
const SILENT_MS = 20_000;

/** Adds an entry, behind those of the same number: a row without a number of its own follows the row it took it from. */
export function insert<R extends OrderRow>(epoch: Epoch<R>, entry: Entry<R>): void {
  epoch.entries.splice(lowerBound(epoch.entries, entry.number, true), 0, entry);
  epoch.lastAtMs = Math.max(epoch.lastAtMs, entry.row.modifiedAtMs);
}

/** The segment that owns a number. */
export function find<R extends OrderRow>(epoch: Epoch<R>, number: number): Entry<R> | undefined {
  for (let i = lowerBound(epoch.entries, number); epoch.entries[i]?.number === number; i++) {
    if (epoch.entries[i]?.numbered) return epoch.entries[i];
  }
  return undefined;
}

/** The first index whose number is ≥ `number` (> with `after`). */
export function lowerBound<R extends OrderRow>(entries: readonly Entry<R>[], number: number, after = false): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const value = entries[middle]?.number ?? 0;
    if (value < number || (after && value === number)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The older one got segments long after the newest of the other: that one is not the one that is running. */
export function isOutlived<R extends OrderRow>(epoch: Epoch<R>, older: Epoch<R>): boolean {
  return older.lastAtMs - epoch.lastAtMs > SILENT_MS;
}

/** Nothing can lie between the two. */
export function isAdjacent<R extends OrderRow>(
  a: Entry<R> | undefined,
  b: Entry<R> | undefined,
  step: number,
): boolean {
  return a !== undefined && b !== undefined && b.number - a.number <= step * 1.5;
}
