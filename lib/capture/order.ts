/**
 * The total order of a recording's captured segments, a pure function of the ledger's rows: by epoch (one numbering of
 * the encoder) and number. Owns the result: order, latecomers, repetitions, gaps. See order-axis.ts and order-epochs.ts.
 */
import { delta90k, ticksToMs } from './clock90k.ts';
import { byTime, chooseAxis, continues, nominalMs, type OrderRow } from './order-axis.ts';
import type { Epoch } from './order-epoch.ts';
import { splitEpochs } from './order-epochs.ts';

export type { OrderRow } from './order-axis.ts';

export interface OrderedSegment<R extends OrderRow = OrderRow> {
  readonly row: R;
  /** Counts the numberings of the encoder, from 0. */
  readonly epoch: number;
  /** Media sequence, number in the name or clock: see order-axis.ts. Rises within an epoch. */
  readonly number: number;
  /** Segments are missing between this one and the one before it. */
  readonly afterGap: boolean;
}

export interface Gap {
  readonly epoch: number;
  /** The missing numbers, both inclusive. */
  readonly from: number;
  readonly to: number;
  /** How many segments are missing (not `to - from + 1` where names carry a clock). */
  readonly missing: number;
  /** The media that is missing between the neighbours by their timestamps; null if they do not say. */
  readonly missingMs: number | null;
  /** Ids of the segments around it; null after the last one. */
  readonly afterId: number | string;
  readonly beforeId: number | string | null;
  /** Another encoder's segment has the name of the missing one, which cannot come any more. */
  readonly isTaken?: true;
}

export interface SegmentOrder<R extends OrderRow = OrderRow> {
  /** What is committed, as it stands in the file, then what comes next. */
  readonly ordered: OrderedSegment<R>[];
  /** Not committed, but they belong before something that is: the file must be made anew to have them. */
  readonly late: OrderedSegment<R>[];
  /** True if committed rows would stand in another order by what came later: the file has to be made anew to have it. */
  readonly isMisplaced: boolean;
  /** Rows that say nothing new: the same object twice, or media that was uploaded again. */
  readonly duplicates: {
    readonly row: R;
    readonly keptId: number | string;
    readonly reason: 'same-object' | 'replaced';
  }[];
  readonly gaps: Gap[];
}

/** The last (epoch, number) in the file, for callers whose rows do not carry `position`. */
export interface Frontier {
  readonly epoch: number;
  readonly number: number;
}

/**
 * Orders all captured rows of one recording; give it all of them, since epochs are told by their neighbours. Rows with
 * a `position` are committed and keep that order. Any permutation of the rows gives the same result.
 *
 * A gap is a missing number between captured ones of one epoch, unless the timestamps on both sides continue each
 * other: then nothing is lost. Numbers before the first captured one are none: the service came late.
 * `listed` adds what the playlist lists behind the last captured segment.
 */
export function orderSegments<R extends OrderRow>(
  rows: readonly R[],
  frontier?: Frontier,
  listed: readonly { sequence: number; durationSeconds: number }[] = [],
): SegmentOrder<R> {
  const { unique, duplicates } = withoutRepetitions(rows);
  const { placed, step } = chooseAxis(unique);
  const { epochs, replaced } = splitEpochs(placed, step);
  for (const { row, by } of replaced) duplicates.push({ row, keptId: by.id, reason: 'replaced' });
  const all = flatten(epochs);
  const { ordered, late, isMisplaced } = splitLate(all, frontier);
  const gaps = gapsBetween(ordered, step);
  const behindGap = new Set(gaps.map((gap) => gap.beforeId));
  return {
    ordered: ordered.map((segment) => (behindGap.has(segment.row.id) ? { ...segment, afterGap: true } : segment)),
    late,
    isMisplaced,
    duplicates,
    gaps: [...gaps, ...gapAtEnd(ordered, listed)],
  };
}

/** The same name and ETag twice is one object: the committed row stays, else the earliest. */
function withoutRepetitions<R extends OrderRow>(
  rows: readonly R[],
): { unique: R[]; duplicates: SegmentOrder<R>['duplicates'][number][] } {
  const kept = new Map<string, R>();
  const duplicates: SegmentOrder<R>['duplicates'][number][] = [];
  for (const row of rows.toSorted((a, b) => committedFirst(a, b) || byTime(a, b))) {
    const key = `${row.name}\n${row.etag}`;
    const same = kept.get(key);
    if (same === undefined) kept.set(key, row);
    else duplicates.push({ row, keptId: same.id, reason: 'same-object' });
  }
  return { unique: [...kept.values()], duplicates };
}

function committedFirst(a: OrderRow, b: OrderRow): number {
  return Number(!isCommitted(a)) - Number(!isCommitted(b));
}

function isCommitted(row: OrderRow): boolean {
  return typeof row.position === 'number';
}

function flatten<R extends OrderRow>(epochs: readonly Epoch<R>[]): OrderedSegment<R>[] {
  return epochs.flatMap(({ entries }, epoch) =>
    entries.map(({ row, number }) => ({ row, epoch, number, afterGap: false })),
  );
}

function splitLate<R extends OrderRow>(
  all: readonly OrderedSegment<R>[],
  frontier: Frontier | undefined,
): Pick<SegmentOrder<R>, 'ordered' | 'late' | 'isMisplaced'> {
  const lastCommitted = all.findLastIndex(({ row }) => isCommitted(row));
  const isBehind = (segment: OrderedSegment<R>, index: number): boolean =>
    index < lastCommitted ||
    (frontier !== undefined &&
      (segment.epoch < frontier.epoch || (segment.epoch === frontier.epoch && segment.number < frontier.number)));
  const anew = all.filter(({ row }) => isCommitted(row));
  const committed = anew.toSorted((a, b) => (a.row.position ?? 0) - (b.row.position ?? 0));
  const isMisplaced = committed.some((segment, index) => segment !== anew[index]);
  const late = all.filter((segment, index) => !isCommitted(segment.row) && isBehind(segment, index));
  const next = all.filter((segment, index) => !isCommitted(segment.row) && !isBehind(segment, index));
  return { ordered: [...committed, ...next], late, isMisplaced };
}

function gapsBetween<R extends OrderRow>(ordered: readonly OrderedSegment<R>[], step: number): Gap[] {
  const gaps: Gap[] = [];
  for (const [i, next] of ordered.entries()) {
    const previous = ordered[i - 1];
    if (previous === undefined || previous.epoch !== next.epoch) continue;
    const missing = Math.round((next.number - previous.number) / step) - 1;
    const around = { epoch: next.epoch, afterId: previous.row.id, beforeId: next.row.id };
    const displaced = displacedMs(ordered[i - 2], previous, next, step);
    if (displaced !== null) {
      const { number } = previous;
      gaps.push({ ...around, from: number, to: number, missing: 1, missingMs: displaced, isTaken: true });
      continue;
    }
    if (missing < 1 || continues(previous.row, next.row)) continue;
    gaps.push({
      ...around,
      from: previous.number + step,
      to: next.number - step,
      missing,
      missingMs: missingMs(previous.row, next.row, missing),
    });
  }
  return gaps;
}

/**
 * A segment that continues neither of its neighbours, which leave room for exactly one between them: it is another
 * encoder's, uploaded under the name of theirs. The length of that one; null where nothing is displaced.
 */
function displacedMs<R extends OrderRow>(
  before: OrderedSegment<R> | undefined,
  at: OrderedSegment<R>,
  next: OrderedSegment<R>,
  step: number,
): number | null {
  if (before === undefined || before.epoch !== at.epoch || next.number - before.number !== 2 * step) return null;
  if (at.row.firstDts90k === null || continues(before.row, at.row) || continues(at.row, next.row)) return null;
  const roomMs = missingMs(before.row, next.row, 1);
  const usualMs = nominalMs(before.row);
  return roomMs !== null && Math.abs(roomMs - usualMs) <= usualMs / 4 ? roomMs : null;
}

/** Believed only if it suits the count: the clock may have been set anew in between. */
function missingMs(previous: OrderRow, next: OrderRow, missing: number): number | null {
  if (previous.endDts90k === null || next.firstDts90k === null) return null;
  const ms = ticksToMs(delta90k(previous.endDts90k, next.firstDts90k));
  return ms > 0 && ms <= (missing + 1) * nominalMs(previous) * 3 ? ms : null;
}

function gapAtEnd<R extends OrderRow>(
  ordered: readonly OrderedSegment<R>[],
  listed: readonly { sequence: number; durationSeconds: number }[],
): Gap[] {
  const last = ordered.at(-1);
  // Without a listed captured segment, numbers and media sequences cannot be compared.
  if (last === undefined || last.row.playlistSequence === null) return [];
  const behind = listed.filter(({ sequence }) => sequence > (last.row.playlistSequence ?? 0));
  if (behind.length === 0) return [];
  const sequences = behind.map(({ sequence }) => sequence);
  const lostMs = Math.round(behind.reduce((sum, { durationSeconds }) => sum + durationSeconds * 1000, 0));
  const ends = { from: Math.min(...sequences), to: Math.max(...sequences) };
  return [
    { epoch: last.epoch, ...ends, missing: behind.length, missingMs: lostMs, afterId: last.row.id, beforeId: null },
  ];
}
