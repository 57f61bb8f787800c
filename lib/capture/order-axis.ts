/**
 * Which number says where a captured segment belongs: the playlist's media sequence, else the number in its name, else
 * its decoding time. Owns that choice and the step of the numbering; epochs are order-epochs.ts.
 */
import { delta90k, unwrap90k } from './clock90k.ts';
import { digitRuns } from './segment-name.ts';

/** The columns of the ledger that the order is made of. */
export interface OrderRow {
  readonly id: number | string;
  /** Base name or whole key: equal for two objects of one name. */
  readonly name: string;
  readonly number: number | null;
  readonly playlistSequence: number | null;
  readonly modifiedAtMs: number;
  readonly firstDts90k: number | null;
  readonly endDts90k: number | null;
  readonly durationMs: number;
  readonly etag: string;
  /** Where it stands in the file, once it is committed there. */
  readonly position?: number | null;
}

/** A row with its place on the axis; null where neither playlist nor name nor clock says one. */
export interface Placed<R extends OrderRow> {
  readonly row: R;
  readonly axis: number | null;
}

export interface Axis<R extends OrderRow> {
  /** In the order of time, and of the axis where times are equal. */
  readonly placed: Placed<R>[];
  /** How far apart neighbours are: 1 for counted names, more for names that carry a clock. */
  readonly step: number;
}

/** Two timestamps this close continue each other: the end is an estimate where frame rates vary. */
const CONTINUES_90K = 45_000;
/** Rounding, however short the segments are. */
const EXACT_90K = 4500;
const DEFAULT_DURATION_MS = 2000;

/**
 * True if `next` begins where `previous` ends, within 0.5 s or half a segment: a lost short segment must not pass for
 * rounding. False if either has no timestamps.
 */
export function continues(previous: OrderRow, next: OrderRow): boolean {
  if (previous.endDts90k === null || next.firstDts90k === null) return false;
  const half = Math.min(nominalMs(previous), nominalMs(next)) * 45;
  const tolerance = Math.max(EXACT_90K, Math.min(CONTINUES_90K, half));
  return Math.abs(delta90k(previous.endDts90k, next.firstDts90k)) <= tolerance;
}

/** How long a segment lasts, for reckoning where another is due. */
export function nominalMs(row: OrderRow): number {
  return row.durationMs > 0 ? row.durationMs : DEFAULT_DURATION_MS;
}

/**
 * Time, then everything else that tells two rows apart: the same rows give the same order however they come. Times are
 * whole seconds in many stores: of two objects of one name, the one that was captured first was written first.
 */
export function byTime(a: OrderRow, b: OrderRow): number {
  return (
    a.modifiedAtMs - b.modifiedAtMs ||
    (a.playlistSequence ?? -1) - (b.playlistSequence ?? -1) ||
    (a.number ?? -1) - (b.number ?? -1) ||
    compare(a.name, b.name) ||
    byCapture(a.id, b.id) ||
    compare(a.etag, b.etag) ||
    compare(String(a.id), String(b.id))
  );
}

function byCapture(a: OrderRow['id'], b: OrderRow['id']): number {
  return typeof a === 'number' && typeof b === 'number' ? a - b : 0;
}

function compare(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

/** Chooses the axis for all rows and puts them on it, in the order of time and, within one tick of it, of the axis. */
export function chooseAxis<R extends OrderRow>(rows: readonly R[]): Axis<R> {
  const sorted = rows.toSorted(byTime);
  const numbers = nameNumbers(sorted);
  const listed = sorted.some((row) => row.playlistSequence !== null);
  const axes = listed ? bySequence(sorted, numbers) : numbers;
  if (axes.every((axis) => axis === null)) return byClock(sorted);
  const placed = sorted.map((row, i) => ({ row, axis: axes[i] ?? null }));
  // A whole backlog may bear one time, and the playlist may list only some of it: both halves are on the axis by now.
  placed.sort((a, b) => a.row.modifiedAtMs - b.row.modifiedAtMs || (a.axis ?? -1) - (b.axis ?? -1));
  return { placed, step: stepOf(placed) };
}

/**
 * The number in each name. Where the last digits are the same in all of several names (`seg_12_720p.ts`), they count
 * nothing: the last run of digits that varies does.
 */
function nameNumbers(rows: readonly OrderRow[]): (number | null)[] {
  const last = rows.map((row) => row.number);
  const names = new Set(rows.map((row) => row.name));
  if (names.size < 2 || new Set(last).size > 1) return last;
  const runs = new Map([...names].map((name) => [name, digitRuns(name)]));
  const count = Math.max(...[...runs.values()].map((run) => run.length));
  for (let fromEnd = 2; fromEnd <= count; fromEnd++) {
    const values = new Set([...runs.values()].map((run) => run.at(-fromEnd) ?? null));
    if (values.size > 1) return rows.map((row) => runs.get(row.name)?.at(-fromEnd) ?? null);
  }
  return last;
}

/** Listed rows stand at their media sequence; the others at their name's number plus the offset of a listed neighbour. */
function bySequence(rows: readonly OrderRow[], numbers: readonly (number | null)[]): (number | null)[] {
  const anchors = rows.flatMap((row, i) => {
    const number = numbers[i] ?? null;
    return row.playlistSequence === null || number === null
      ? []
      : [{ i, row, number, offset: row.playlistSequence - number }];
  });
  let next = 0; // the first anchor behind row i, as i grows
  return rows.map((row, i) => {
    if (row.playlistSequence !== null) return row.playlistSequence;
    const number = numbers[i] ?? null;
    while (next < anchors.length && (anchors[next]?.i ?? 0) < i) next++;
    const around = [anchors[next - 1], anchors[next]].filter((anchor) => anchor !== undefined);
    if (number === null || around.length === 0) return null;
    const [one, other] = around;
    if (one !== undefined && (other === undefined || one.offset === other.offset)) return number + one.offset;
    // The offset changes here (a restart, or names that count nothing): only one that fits the time will do.
    const fitting = around
      .map((anchor) => {
        const due = anchor.row.modifiedAtMs + (number - anchor.number) * nominalMs(row);
        return { offset: anchor.offset, misfit: Math.abs(row.modifiedAtMs - due) };
      })
      .sort((a, b) => a.misfit - b.misfit)[0];
    return fitting !== undefined && fitting.misfit <= 30_000 ? number + fitting.offset : null;
  });
}

/** Names without numbers: the clock inside the segments, unwrapped along their arrival. */
function byClock<R extends OrderRow>(rows: readonly R[]): Axis<R> {
  let last: number | null = null;
  const placed = rows.map((row): Placed<R> => {
    if (row.firstDts90k === null) return { row, axis: null };
    last = last === null ? row.firstDts90k : unwrap90k(last, row.firstDts90k);
    return { row, axis: last };
  });
  return { placed, step: Math.max(1, Math.round(median(rows.map(nominalMs)) * 90)) };
}

/** Names may carry a clock (seconds, milliseconds) in place of a count: segments that continue each other tell its step. */
function stepOf<R extends OrderRow>(placed: readonly Placed<R>[]): number {
  const steps: number[] = [];
  for (const [i, { row, axis }] of placed.entries()) {
    const previous = placed[i - 1];
    if (axis === null || previous === undefined || previous.axis === null) continue;
    if (axis > previous.axis && continues(previous.row, row)) steps.push(axis - previous.axis);
  }
  return steps.length === 0 ? 1 : Math.max(1, median(steps));
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
}
