/**
 * Tells the numberings (epochs) of an encoder apart: it restarted and counts from 0 again, perhaps over the same names,
 * while uploads arrive late and out of order. Owns the walk over the segments in time order: each goes where it fits
 * best, on an epoch's end or into one of its holes, or, where none would have it, to the begin of a new epoch.
 * order-fit.ts judges a fit, order-lookback.ts corrects with what came later.
 */
import { continues, nominalMs, type OrderRow, type Placed } from './order-axis.ts';
import { type Entry, type Epoch, find, insert, isOutlived } from './order-epoch.ts';
import { costIn, goesOn } from './order-fit.ts';
import { lookBack } from './order-lookback.ts';

export interface Replaced<R extends OrderRow> {
  readonly row: R;
  readonly by: R;
}

/** Only the newest epochs may still grow; bounds the work where names are noise. */
const OPEN_EPOCHS = 4;
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
  lookBack(epochs, step);
  return { epochs: epochs.filter((epoch) => epoch.entries.length > 0), replaced };
}

function walk<R extends OrderRow>(epochs: Epoch<R>[], replaced: Replaced<R>[], entry: Entry<R>, step: number): void {
  let best: { epoch: Epoch<R>; cost: number } | null = null;
  const running = runningOf(epochs);
  for (const epoch of epochs.slice(-OPEN_EPOCHS).reverse()) {
    const twin = find(epoch, entry.number);
    if (twin !== undefined && isReplacement(twin.row, entry.row)) {
      replaced.push(replace(epoch, twin, entry));
      return;
    }
    if (twin !== undefined) continue;
    if (running !== undefined && epoch !== running && goesOn(running, epoch, entry, step)) continue;
    const cost = costIn(epoch, entry, step, epoch === running);
    if (cost !== null && (best === null || cost < best.cost)) best = { epoch, cost };
  }
  if (best === null) epochs.push({ entries: [entry], lastAtMs: entry.row.modifiedAtMs });
  else insert(best.epoch, entry);
}

/**
 * The newest epoch, as long as none before it goes on without it: then that one was no restart but a late segment, and may
 * not have what comes behind a jump of the timestamps.
 */
function runningOf<R extends OrderRow>(epochs: readonly Epoch<R>[]): Epoch<R> | undefined {
  const newest = epochs.at(-1);
  const older = epochs.slice(-OPEN_EPOCHS, -1).filter((epoch) => newest && isOutlived(newest, epoch));
  return older.sort((a, b) => b.lastAtMs - a.lastAtMs)[0] ?? newest;
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
