/**
 * Tells the numberings (epochs) of an encoder apart: it restarted and counts from 0 again, perhaps over the same names,
 * while uploads arrive late and out of order. Owns that judgement; the axis comes from order-axis.ts.
 *
 * Walks the segments in time order. Each goes where it fits best: on an epoch's end, into one of its holes, or, where
 * none would have it, to the begin of a new epoch. Then two corrections look back with what came later:
 * - rebalance: a restarted encoder's first segments had filled holes of the old epoch
 * - merge: a late segment looked like a restart, but the old numbering went on
 */
import { delta90k } from './clock90k.ts';
import { continues, nominalMs, type OrderRow, type Placed } from './order-axis.ts';

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

export interface Replaced<R extends OrderRow> {
  readonly row: R;
  readonly by: R;
}

/** Only the newest epochs may still grow; bounds the work where names are noise. */
const OPEN_EPOCHS = 4;
/** A late segment in front of everything captured; later than that it is a restart, until the old numbering goes on. */
const LATE_IN_FRONT_MS = 10_000;
/** The same for the very segment before the first one. */
const LATE_BEFORE_FIRST_MS = 30_000;
/** A late last segment of an epoch whose successor has begun. */
const LATE_AT_END_MS = 60_000;
/** A hole whose neighbours do not touch the segment in time, or one of an old epoch. */
const LATE_IN_HOLE_MS = 120_000;
/** A number may run ahead of the clock by this much (jitter, bursts); a greater leap is another numbering. */
const LEAP_MS = 60_000;
/** Arriving before it can have been made costs a candidate more than arriving late. */
const EARLY_GRACE_MS = 3000;
const EARLY_WEIGHT = 6;
/** What touching timestamps are worth against a difference in time, beside the segment's duration. */
const EXACT_BONUS_MS = 5000;
/** A restarted encoder's segments overtake each other by at most this much. */
const AROUND_RESTART_MS = 5000;

/** Splits the rows, given in time order, into epochs in the order in which they began. */
export function splitEpochs<R extends OrderRow>(
  placed: readonly Placed<R>[],
  step: number,
): { epochs: Epoch<R>[]; replaced: Replaced<R>[] } {
  const epochs: Epoch<R>[] = [];
  const replaced: Replaced<R>[] = [];
  for (const { row, axis } of placed) {
    if (axis === null) follow(epochs, row);
    else walk(epochs, replaced, { row, number: axis, numbered: true }, step);
  }
  for (let i = epochs.length - 1; i > 0; i--) rebalance(epochs, i, step);
  for (let i = epochs.length - 1; i > 0; i--) merge(epochs, i, step);
  return { epochs: epochs.filter((epoch) => epoch.entries.length > 0), replaced };
}

function walk<R extends OrderRow>(epochs: Epoch<R>[], replaced: Replaced<R>[], entry: Entry<R>, step: number): void {
  let best: { epoch: Epoch<R>; cost: number } | null = null;
  for (const epoch of epochs.slice(-OPEN_EPOCHS).reverse()) {
    const twin = find(epoch, entry.number);
    if (twin !== undefined && isReplacement(twin.row, entry.row)) {
      replaced.push(replace(epoch, twin, entry));
      return;
    }
    const cost = twin === undefined ? costIn(epoch, entry, step, epoch === epochs.at(-1)) : null;
    if (cost !== null && (best === null || cost < best.cost)) best = { epoch, cost };
  }
  if (best === null) epochs.push({ entries: [entry], lastAtMs: entry.row.modifiedAtMs });
  else insert(best.epoch, entry);
}

/** A segment without a number goes behind the one it continues, else behind the latest. */
function follow<R extends OrderRow>(epochs: Epoch<R>[], row: R): void {
  const epoch = epochs.at(-1);
  if (epoch === undefined) {
    epochs.push({ entries: [{ row, number: 0, numbered: false }], lastAtMs: row.modifiedAtMs });
    return;
  }
  const continued = row.firstDts90k === null ? undefined : epoch.entries.findLast((entry) => continues(entry.row, row));
  const before = continued ?? epoch.entries.at(-1);
  insert(epoch, { row, number: before?.number ?? 0, numbered: false });
}

/**
 * The same media uploaded again under its name (a repaired upload). A live encoder that restarted cannot have made
 * that number again before the segment's own duration is over; object times may be whole seconds.
 */
function isReplacement(old: OrderRow, again: OrderRow): boolean {
  if (old.name !== again.name || old.firstDts90k === null || old.firstDts90k !== again.firstDts90k) return false;
  return again.modifiedAtMs - old.modifiedAtMs < Math.max(nominalMs(old), nominalMs(again)) - 1000;
}

/** What is in the file stays; else the longer one, else the newer one. */
function replace<R extends OrderRow>(epoch: Epoch<R>, old: Entry<R>, again: Entry<R>): Replaced<R> {
  const committed = typeof old.row.position === 'number';
  if (committed || old.row.durationMs > again.row.durationMs) return { row: again.row, by: old.row };
  epoch.entries[epoch.entries.indexOf(old)] = again;
  return { row: old.row, by: again.row };
}

interface Fit {
  /** Milliseconds after the moment when this number was due, reckoned from its neighbour; negative if before. */
  lateMs: number;
  /** Timestamps: continue an adjacent segment, suit the distance, are unknown, or contradict. */
  time: 'exact' | 'plausible' | 'unknown' | 'contradicts';
}

/** How badly a segment fits into an epoch (milliseconds); null if it does not belong there. */
function costIn<R extends OrderRow>(epoch: Epoch<R>, entry: Entry<R>, step: number, current: boolean): number | null {
  const at = lowerBound(epoch.entries, entry.number);
  const before = epoch.entries[at - 1];
  const after = epoch.entries[at];
  const fit = fitBetween(before, entry, after, step);
  if (!allowed(fit, before, entry, after, step, current)) return null;
  const early = Math.max(0, -fit.lateMs - EARLY_GRACE_MS) * EARLY_WEIGHT;
  const bonus = fit.time === 'exact' ? nominalMs(entry.row) + EXACT_BONUS_MS : 0;
  return Math.max(0, fit.lateMs) + early - bonus;
}

function allowed<R extends OrderRow>(
  fit: Fit,
  before: Entry<R> | undefined,
  entry: Entry<R>,
  after: Entry<R> | undefined,
  step: number,
  current: boolean,
): boolean {
  if (after === undefined) {
    // At the end of the running epoch a jump of the timestamps is no reason to begin another: the numbers go on.
    if (current) return -fit.lateMs <= LEAP_MS;
    if (fit.time === 'exact') return fit.lateMs <= LATE_AT_END_MS;
    return fit.time === 'plausible' && fit.lateMs <= LATE_AT_END_MS / 2;
  }
  if (fit.time === 'contradicts') return false;
  if (before === undefined) return fit.lateMs <= (fit.time === 'exact' ? LATE_BEFORE_FIRST_MS : LATE_IN_FRONT_MS);
  return (current && fit.time === 'exact') || fit.lateMs <= LATE_IN_HOLE_MS;
}

function fitBetween<R extends OrderRow>(
  before: Entry<R> | undefined,
  entry: Entry<R>,
  after: Entry<R> | undefined,
  step: number,
): Fit {
  const stepMs = nominalMs(entry.row);
  const fromBefore = before === undefined ? Number.POSITIVE_INFINITY : (entry.number - before.number) / step;
  const toAfter = after === undefined ? Number.POSITIVE_INFINITY : (after.number - entry.number) / step;
  const due =
    before !== undefined && fromBefore <= toAfter
      ? before.row.modifiedAtMs + fromBefore * stepMs
      : (after?.row.modifiedAtMs ?? 0) - toAfter * stepMs;
  return { lateMs: entry.row.modifiedAtMs - due, time: timeFit(before, entry, after, step) };
}

function timeFit<R extends OrderRow>(
  before: Entry<R> | undefined,
  entry: Entry<R>,
  after: Entry<R> | undefined,
  step: number,
): Fit['time'] {
  const { row } = entry;
  if (row.firstDts90k === null || row.endDts90k === null) return 'unknown';
  const touching = [
    isAdjacent(before, entry, step) ? before?.row.endDts90k === null || continues(before?.row ?? row, row) : null,
    isAdjacent(entry, after, step) ? after?.row.firstDts90k === null || continues(row, after?.row ?? row) : null,
  ].filter((touches) => touches !== null);
  if (touching.length > 0) return touching.includes(true) ? 'exact' : 'contradicts';
  const suits = [before, after].flatMap((near) => (near === undefined ? [] : [suitsDistance(near, entry, step)]));
  if (suits.every((one) => one === null)) return 'unknown';
  return suits.includes(true) ? 'plausible' : 'contradicts';
}

/** Do the timestamps of two segments differ by about what their numbers say? Null if one has none. */
function suitsDistance<R extends OrderRow>(near: Entry<R>, entry: Entry<R>, step: number): boolean | null {
  if (near.row.firstDts90k === null || entry.row.firstDts90k === null) return null;
  const stepTicks = nominalMs(entry.row) * 90;
  const expected = ((entry.number - near.number) / step) * stepTicks;
  const found = delta90k(near.row.firstDts90k, entry.row.firstDts90k);
  return Math.abs(found - expected) <= Math.abs(expected) / 4 + stepTicks;
}

function isAdjacent<R extends OrderRow>(a: Entry<R> | undefined, b: Entry<R> | undefined, step: number): boolean {
  return a !== undefined && b !== undefined && b.number - a.number <= step * 1.5;
}

/**
 * A restarted encoder's segments that arrived just before its first repeated number had been taken for late ones of the
 * old epoch. With the new epoch known, each goes where it fits better.
 */
function rebalance<R extends OrderRow>(epochs: Epoch<R>[], index: number, step: number): void {
  const epoch = epochs[index];
  const previous = epochs[index - 1];
  if (epoch === undefined || previous === undefined) return;
  // What moves widens the time around the restart, so that a row of them is followed to its beginning.
  for (let moved = true; moved; ) {
    moved = false;
    const since = Math.min(...epoch.entries.map(({ row }) => row.modifiedAtMs - nominalMs(row))) - AROUND_RESTART_MS;
    const kept = { ...previous, entries: previous.entries.filter(({ row }) => row.modifiedAtMs < since) };
    for (const entry of previous.entries.filter(({ row }) => row.modifiedAtMs >= since)) {
      const free = entry.numbered && find(epoch, entry.number) === undefined;
      const there = free ? costIn(epoch, entry, step, true) : null;
      const here = costIn(kept, entry, step, false);
      // An epoch keeps its first segment: nothing says that it was late.
      const leaves = there !== null && kept.entries.length > 0 && (here === null || there < here);
      insert(leaves ? epoch : kept, entry);
      moved ||= leaves;
    }
    previous.entries = kept.entries;
  }
}

/** An epoch that ended while the one before it went on was none: its segments were late. */
function merge<R extends OrderRow>(epochs: Epoch<R>[], index: number, step: number): void {
  const epoch = epochs[index];
  const previous = epochs[index - 1];
  if (epoch === undefined || previous === undefined || !wentOn(previous, epoch.lastAtMs, step)) return;
  const fits = epoch.entries.every((entry) => {
    if (!entry.numbered || find(previous, entry.number) !== undefined) return false;
    const at = lowerBound(previous.entries, entry.number);
    return timeFit(previous.entries[at - 1], entry, previous.entries[at], step) !== 'contradicts';
  });
  if (!fits) return;
  for (const entry of epoch.entries) insert(previous, entry);
  epoch.entries = [];
}

/** True if the numbering went on in time after `atMs`; a single segment that was late from before does not count. */
function wentOn<R extends OrderRow>(epoch: Epoch<R>, atMs: number, step: number): boolean {
  if (epoch.lastAtMs <= atMs) return false;
  return epoch.entries.some((entry, i) => {
    const before = epoch.entries[i - 1];
    if (before === undefined || entry.row.modifiedAtMs <= atMs) return false;
    const steps = (entry.number - before.number) / step;
    return entry.row.modifiedAtMs - before.row.modifiedAtMs <= (steps + 1) * nominalMs(entry.row);
  });
}

function insert<R extends OrderRow>(epoch: Epoch<R>, entry: Entry<R>): void {
  // Behind those of the same number: a row without one of its own follows the row it took it from.
  epoch.entries.splice(lowerBound(epoch.entries, entry.number, true), 0, entry);
  epoch.lastAtMs = Math.max(epoch.lastAtMs, entry.row.modifiedAtMs);
}

function find<R extends OrderRow>(epoch: Epoch<R>, number: number): Entry<R> | undefined {
  for (let i = lowerBound(epoch.entries, number); epoch.entries[i]?.number === number; i++) {
    if (epoch.entries[i]?.numbered) return epoch.entries[i];
  }
  return undefined;
}

/** The first index whose number is ≥ `number` (> with `after`). */
function lowerBound<R extends OrderRow>(entries: readonly Entry<R>[], number: number, after = false): number {
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
