/**
 * Corrects epochs with what came later. Walking in time order, a late segment can look like a restart and a restart like
 * late segments; where the numbering went on tells them apart. Owns these corrections:
 *
 *   rebalance   old epoch 5 6 7 │ 1 2 (taken for late) │ 3 again → the new epoch has 1 2 3
 *   split       old epoch 0 … pause … 1 2 3 │ 0 again, late, and 4 goes on → the new epoch has 0 1 2 3 4
 *   merge       old epoch 1 2 3 │ 0 (taken for a restart) │ 4 goes on → one epoch 0 1 2 3 4
 *   prepend     old epoch 7 8 9 and at once 0 … 6, which end where 7 begins (a backlog) → one epoch 0 … 9
 */
import { continues, nominalMs, type OrderRow } from './order-axis.ts';
import { type Entry, type Epoch, find, insert, isAdjacent, isOutlived, lowerBound } from './order-epoch.ts';
import { costIn, fitIn, suitsDistance } from './order-fit.ts';

/** A restarted encoder's segments overtake each other by at most this much. */
const AROUND_RESTART_MS = 5000;
/** A pause of the old numbering that long may have been a restart. */
const PAUSE_MS = 8000;

/** Goes over all neighbouring epochs, newest first; leaves emptied ones in the list. */
export function lookBack<R extends OrderRow>(epochs: readonly Epoch<R>[], step: number): void {
  for (let i = epochs.length - 1; i > 0; i--) {
    const [previous, epoch] = [epochs[i - 1], epochs[i]];
    if (previous === undefined || epoch === undefined) continue;
    rebalance(previous, epoch, step);
    splitAtPause(previous, epoch, step);
  }
  for (let i = epochs.length - 1; i > 0; i--) {
    const [previous, epoch] = [epochs[i - 1], epochs[i]];
    if (previous === undefined || epoch === undefined) continue;
    if (isBacklogOf(previous, epoch, step)) moveAll(epoch, previous);
    else merge(previous, epoch, step);
  }
}

/**
 * A restarted encoder's segments that arrived just before its first repeated number had been taken for late ones of the
 * old epoch. With the new epoch known, each goes where it fits better.
 */
function rebalance<R extends OrderRow>(previous: Epoch<R>, epoch: Epoch<R>, step: number): void {
  const begunMs = Math.min(...epoch.entries.map(({ row }) => row.modifiedAtMs));
  // Where the old one went on, the new one was late segments: only what touches them is theirs.
  const goesOn = isOutlived(epoch, previous);
  // What moves widens the time around the restart, so that a row of them is followed to its beginning.
  for (let moved = true; moved; ) {
    moved = false;
    const since = Math.min(...epoch.entries.map(({ row }) => row.modifiedAtMs - nominalMs(row))) - AROUND_RESTART_MS;
    const kept = { ...previous, entries: previous.entries.filter(({ row }) => row.modifiedAtMs < since) };
    for (const entry of previous.entries.filter(({ row }) => row.modifiedAtMs >= since)) {
      const free = entry.numbered && find(epoch, entry.number) === undefined;
      const there = free ? costIn(epoch, entry, step, true) : null;
      // What came before the new epoch met the old one running: then a jump of the timestamps is no reason to leave it.
      const here = costIn(kept, entry, step, entry.row.modifiedAtMs < begunMs);
      const isBetterHere = goesOn || (here !== null && there !== null && there >= here);
      const stays = there === null || (isBetterHere && !isSeam(kept, epoch, entry, step));
      // An epoch keeps its first segment: nothing says that it was late.
      const leaves = kept.entries.length > 0 && !stays;
      insert(leaves ? epoch : kept, entry);
      moved ||= leaves;
    }
    previous.entries = kept.entries;
  }
}

/**
 * By its timestamps it touches a neighbour in the new epoch, and none in the old one: that outweighs when it came, unless
 * the new encoder cannot have made it by then.
 */
function isSeam<R extends OrderRow>(kept: Epoch<R>, epoch: Epoch<R>, entry: Entry<R>, step: number): boolean {
  const there = fitIn(epoch, entry, step);
  const isMade = there.lateMs >= -AROUND_RESTART_MS;
  return isMade && there.time === 'exact' && fitIn(kept, entry, step).time === 'contradicts';
}

/**
 * The restart's first segment came late, after its successors had gone on the end of the old epoch: behind a pause, or
 * with timestamps that continue it and not the old epoch.
 */
function splitAtPause<R extends OrderRow>(previous: Epoch<R>, epoch: Epoch<R>, step: number): void {
  const last = epoch.entries.at(-1);
  if (last === undefined) return;
  const at = lowerBound(previous.entries, last.number, true);
  const [before, next] = [previous.entries[at - 1], previous.entries[at]];
  if (before === undefined || next === undefined || !continues(last.row, next.row)) return;
  const steps = (next.number - before.number) / step;
  const pauseMs = next.row.modifiedAtMs - before.row.modifiedAtMs - steps * nominalMs(next.row);
  // One that was cut off ends too early to touch the next, which begins where its number says all the same.
  const isHole = !continues(before.row, next.row) && suitsDistance(before, next, step) !== 'plausible';
  const jumps = isAdjacent(before, next, step) && before.row.endDts90k !== null && isHole;
  if (!jumps && (pauseMs < PAUSE_MS || !wentOn(previous, epoch.lastAtMs, step))) return;
  for (const entry of previous.entries.splice(at)) insert(epoch, entry);
}

/** An epoch that ended while the one before it went on was none: its segments were late. */
function merge<R extends OrderRow>(previous: Epoch<R>, epoch: Epoch<R>, step: number): void {
  if (!wentOn(previous, epoch.lastAtMs, step)) return;
  const fits = epoch.entries.every((entry) => {
    if (!entry.numbered || find(previous, entry.number) !== undefined) return false;
    return fitIn(previous, entry, step).time !== 'contradicts';
  });
  if (fits) moveAll(epoch, previous);
}

/**
 * True if the media of `epoch` ends exactly where `previous` begins, and came sooner than a restarted encoder can have made
 * it: a backlog, uploaded at once, whose newer part came first.
 */
function isBacklogOf<R extends OrderRow>(previous: Epoch<R>, epoch: Epoch<R>, step: number): boolean {
  const [first, last, next] = [epoch.entries[0], epoch.entries.at(-1), previous.entries[0]];
  if (first === undefined || last === undefined || next === undefined) return false;
  if (last.number >= next.number || !isAdjacent(last, next, step) || !continues(last.row, next.row)) return false;
  const spanMs = ((last.number - first.number) / step) * nominalMs(first.row);
  return epoch.lastAtMs - previous.lastAtMs < spanMs / 2;
}

function moveAll<R extends OrderRow>(from: Epoch<R>, to: Epoch<R>): void {
  for (const entry of from.entries) insert(to, entry);
  from.entries = [];
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
