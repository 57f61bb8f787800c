/**
 * How well a captured segment fits into an epoch: by the time it arrived, its timestamps and its number's neighbours.
 * Owns the limits of lateness; choosing between epochs is order-epochs.ts.
 */
import { delta90k } from './clock90k.ts';
import { continues, nominalMs, type OrderRow } from './order-axis.ts';
import { type Entry, type Epoch, isAdjacent, lowerBound } from './order-epoch.ts';

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
/** Neighbours on one side that say when a segment was due. */
const NEAR = 3;
/** Arriving before it can have been made costs a candidate more than arriving late. */
const EARLY_GRACE_MS = 3000;
const EARLY_WEIGHT = 6;
/** Timestamps that go on elsewhere: however well it is in time here. */
const CONTRADICTS_MS = LATE_AT_END_MS;

interface Fit {
  /** Milliseconds after the moment when this number was due, reckoned from its neighbours; negative if before. */
  lateMs: number;
  /** Timestamps: continue an adjacent segment, suit the distance, might do, are unknown, or contradict. */
  time: 'exact' | 'plausible' | 'loose' | 'unknown' | 'contradicts';
  /** Nothing of the epoch stands in front of it, behind it. */
  isFirst: boolean;
  isLast: boolean;
}

/** How badly a segment fits into an epoch (milliseconds); null if it does not belong there. */
export function costIn<R extends OrderRow>(
  epoch: Epoch<R>,
  entry: Entry<R>,
  step: number,
  current: boolean,
): number | null {
  const fit = fitIn(epoch, entry, step);
  if (!allowed(fit, current)) return null;
  const early = Math.max(0, -fit.lateMs - EARLY_GRACE_MS) * EARLY_WEIGHT;
  // Touching timestamps outweigh a difference in time of one segment.
  const bonus = fit.time === 'exact' ? nominalMs(entry.row) : 0;
  // At the end of the running epoch they may jump, but not where they suit another one.
  const jump = fit.time === 'contradicts' || fit.time === 'loose' ? CONTRADICTS_MS : 0;
  return Math.max(0, fit.lateMs) + early + jump - bonus;
}

/** Whether it can belong there at all. `current`: the epoch that is running when the segment arrives. */
function allowed(fit: Fit, current: boolean): boolean {
  if (fit.isLast) {
    // At the end of the running epoch a jump of the timestamps is no reason to begin another: the numbers go on.
    if (current) return -fit.lateMs <= LEAP_MS;
    if (fit.time === 'exact') return fit.lateMs <= LATE_AT_END_MS;
    return (fit.time === 'plausible' || fit.time === 'loose') && fit.lateMs <= LATE_AT_END_MS / 2;
  }
  if (fit.time === 'contradicts') return false;
  if (fit.isFirst) return fit.lateMs <= (fit.time === 'exact' ? LATE_BEFORE_FIRST_MS : LATE_IN_FRONT_MS);
  return (current && fit.time === 'exact') || fit.lateMs <= LATE_IN_HOLE_MS;
}

/** How a segment that is not in the epoch suits its neighbours there, in time and by its timestamps. */
export function fitIn<R extends OrderRow>({ entries }: Epoch<R>, entry: Entry<R>, step: number): Fit {
  const at = lowerBound(entries, entry.number);
  const [before, after] = [entries[at - 1], entries[at]];
  // One that was cut off is shorter than the distance to the next.
  const stepMs = Math.max(...[entry, before, after].flatMap((one) => (one ? [nominalMs(one.row)] : [])));
  const isAfterNearer = !before || (after && after.number - entry.number < entry.number - before.number);
  const near = isAfterNearer ? entries.slice(at, at + NEAR) : entries.slice(Math.max(0, at - NEAR), at).reverse();
  const dues = near.map(({ row, number }) => row.modifiedAtMs + ((entry.number - number) / step) * stepMs);
  return {
    lateMs: lateness(entry.row.modifiedAtMs, dues),
    time: timeFit(before, entry, after, step),
    isFirst: before === undefined,
    isLast: after === undefined,
  };
}

/**
 * How long after it was due by the nearest of its neighbours a segment came. Only what came before it was due by all of them
 * is early: the nearest one may have been late itself.
 */
function lateness(atMs: number, duesMs: readonly number[]): number {
  const lateMs = atMs - (duesMs[0] ?? 0);
  return lateMs >= 0 ? lateMs : Math.min(0, atMs - Math.min(...duesMs));
}

/**
 * The running epoch goes on with a segment that touches no neighbour in an older one: it touches here, or has the next
 * number in time and does not contradict. What was due there only after the running one had begun, when that encoder was
 * gone, is not the older one's even if numbers are missing here or the clock jumps.
 */
export function goesOn<R extends OrderRow>(running: Epoch<R>, older: Epoch<R>, entry: Entry<R>, step: number): boolean {
  const there = fitIn(older, entry, step);
  if (there.time === 'exact') return false;
  const here = fitIn(running, entry, step);
  const wasGone = entry.row.modifiedAtMs - there.lateMs > (running.entries[0]?.row.modifiedAtMs ?? 0);
  if (wasGone && here.time === 'exact') return true;
  const last = running.entries.at(-1);
  const isInTime = here.lateMs >= -EARLY_GRACE_MS && here.lateMs <= LATE_IN_FRONT_MS;
  if (last === undefined || entry.number <= last.number || !isInTime) return false;
  return wasGone || (isAdjacent(last, entry, step) && here.time !== 'contradicts');
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
  if (touching.includes(true)) return 'exact';
  // One that was cut off ends too early to touch the next, and still begins where its number says.
  const suits = [before, after].flatMap((near) => (near === undefined ? [] : [suitsDistance(near, entry, step)]));
  if (suits.includes('plausible')) return 'plausible';
  if (suits.includes('loose')) return 'loose';
  return suits.includes('contradicts') ? 'contradicts' : 'unknown';
}

/** Do the timestamps of two segments differ by about what their numbers say? */
export function suitsDistance<R extends OrderRow>(near: Entry<R>, entry: Entry<R>, step: number): Fit['time'] {
  if (near.row.firstDts90k === null || entry.row.firstDts90k === null) return 'unknown';
  const stepTicks = Math.max(nominalMs(entry.row), nominalMs(near.row)) * 90;
  const expected = ((entry.number - near.number) / step) * stepTicks;
  const found = delta90k(near.row.firstDts90k, entry.row.firstDts90k);
  const off = Math.abs(found - expected) - Math.abs(expected) / 4;
  if (off > stepTicks) return 'contradicts';
  return off > stepTicks / 2 ? 'loose' : 'plausible';
}
