/**
 * How a segment fits what a recording has captured already: by the timestamps of its media, and by its number where
 * those say nothing. Owns that comparison of one segment with one recording; choosing between recordings is broadcast.ts.
 *
 *   captured  ──[4]──[5]──      ──[7]──[8]──►
 *                      [6]                      fills: begins where one ends, ends where one begins
 *                                        [9]    touches: begins where one ends
 *                                           [10]   in line: as far behind 8 as their numbers say
 *                                        [0]    goes on: the clock does, of an encoder that counts anew
 *              [3]                               precedes: none that it continues, one that continues it
 */
import { delta90k } from './clock90k.ts';

export interface SegmentObject {
  readonly key: string;
  readonly etag: string;
  /** On the same clock as the times of recordings. */
  readonly modifiedAtMs: number;
  readonly number: number | null;
  readonly firstDts90k: number | null;
  readonly endDts90k?: number | null;
  readonly durationMs?: number;
}

/** A captured segment with which another one can be compared. */
export interface CapturedSegment {
  readonly number: number | null;
  readonly firstDts90k: number | null;
  readonly endDts90k: number | null;
  /** On that clock too, as all times here. */
  readonly modifiedAtMs: number;
  readonly isSameKey: boolean;
}

/** What a recording has captured. */
export interface Captured {
  /** Number and end of its last captured segment; null where unknown. */
  readonly lastNumber: number | null;
  readonly lastEndDts90k: number | null;
  readonly lastModifiedAtMs?: number | null;
  /** Its segments around the one that is asked for: by number, by key, and where its media begins and ends. */
  readonly near?: readonly CapturedSegment[];
}

/**
 * `taken`: it has that media already. `foreign`: it has others to compare with, and this one continues none of them.
 * `unknown`: there is nothing to compare.
 */
export type FitKind = 'fills' | 'touches' | 'in-line' | 'goes-on' | 'precedes' | 'taken' | 'foreign' | 'unknown';

export interface Fit {
  readonly kind: FitKind;
  /** When the earliest of those was uploaded by which that is told; infinite where there is none. */
  readonly sinceMs: number;
}

/** Numbers that are compared with each other: what lies between them is on its way, or lost. */
export const NEAR_NUMBERS = 5;
/** Where a segment ends is an estimate, whose error grows with uneven frame rates. */
export const TOUCHES_90K = 45_000;
const DEFAULT_DURATION_MS = 2000;
/** How far the next numbers of an encoder that paused may have moved on. */
const AHEAD_90K = 120 * 90_000;
const BEHIND = 15;
/** ffmpeg begins at 1.4 s. */
const NEAR_ZERO_90K = 60 * 90_000;
const NEVER = Number.POSITIVE_INFINITY;

/** Compares one segment with one recording. */
export function fitOf(segment: SegmentObject, { near = [], lastNumber }: Captured): Fit {
  const { firstDts90k, endDts90k = null } = segment;
  const timed = near.filter((one) => one.firstDts90k !== null);
  if (firstDts90k === null || (timed.length === 0 && lastNumber === null)) return asFit('unknown', []);
  const begins = timed.filter((one) => meets(one.firstDts90k, firstDts90k, segment));
  const before = timed.filter((one) => meets(one.endDts90k, firstDts90k, segment));
  const touchedBefore = before.filter((one) => isCounted(segment, one, -1));
  const touchedBehind = timed.filter((one) => meets(endDts90k, one.firstDts90k, segment) && isCounted(segment, one, 1));
  // Where encoders began alike, each of them leaves room for one.
  const room = Math.max(touchedBefore.length, touchedBehind.length, 1);
  if (begins.filter((one) => one.number === segment.number).length >= room) return asFit('taken', []);
  const line = timed.filter((one) => isInLine(segment, one));
  const lineBefore = line.filter((one) => (one.number ?? 0) < (segment.number ?? 0));
  if (touchedBefore.length > 0)
    return asFit(touchedBehind.length > 0 ? 'fills' : 'touches', [...touchedBefore, ...lineBefore]);
  if (lineBefore.length > 0) return asFit('in-line', lineBefore);
  if (touchedBehind.length + line.length > 0) return asFit('precedes', [...touchedBehind, ...line]);
  const anew = before.filter((one) => (one.number ?? 0) >= (segment.number ?? 0));
  return anew.length > 0 && begins.length === 0 ? asFit('goes-on', anew) : asFit('foreign', []);
}

function asFit(kind: FitKind, told: readonly CapturedSegment[]): Fit {
  return { kind, sinceMs: Math.min(NEVER, ...told.map((one) => one.modifiedAtMs)) };
}

/** How sure it is that the media of a segment goes on with that of the recording; 0: it does not. */
export function strengthOf({ kind }: Fit): 0 | 1 | 2 {
  if (kind === 'goes-on' || kind === 'precedes') return 1;
  return kind === 'fills' || kind === 'touches' || kind === 'in-line' ? 2 : 0;
}

/** Its number is that of its neighbour, counted on; names without numbers say nothing against it. */
function isCounted(segment: SegmentObject, one: CapturedSegment, step: 1 | -1): boolean {
  if (segment.number === null || one.number === null) return segment.number === one.number;
  return one.number === segment.number + step;
}

function meets(one90k: number | null, other90k: number | null, { durationMs }: SegmentObject): boolean {
  if (one90k === null || other90k === null) return false;
  const half = durationMs ? durationMs * 45 : TOUCHES_90K;
  return Math.abs(delta90k(one90k, other90k)) <= Math.min(TOUCHES_90K, half);
}

/** Their timestamps are as far apart as their numbers say: the encoder that made the one made the other. */
function isInLine(segment: SegmentObject, { number, firstDts90k, endDts90k }: CapturedSegment): boolean {
  if (segment.number === null || number === null || segment.firstDts90k === null || firstDts90k === null) return false;
  const steps = segment.number - number;
  if (steps === 0 || Math.abs(steps) > NEAR_NUMBERS) return false;
  // One that was cut short is shorter than the distance to the next.
  const each90k = Math.max(nominalMs(segment) * 90, endDts90k === null ? 0 : delta90k(firstDts90k, endDts90k));
  const expected = steps * each90k;
  const found = delta90k(firstDts90k, segment.firstDts90k);
  return Math.abs(found - expected) <= Math.max(TOUCHES_90K, Math.abs(expected) / 10);
}

/** The next number, or one of the few after it while those between are on their way. */
export function isAhead(segment: SegmentObject, { lastNumber, lastEndDts90k }: Captured): boolean {
  if (segment.number === null || lastNumber === null) return false;
  if (segment.number <= lastNumber || segment.number > lastNumber + NEAR_NUMBERS) return false;
  if (segment.firstDts90k === null || lastEndDts90k === null) return true;
  const step = delta90k(lastEndDts90k, segment.firstDts90k);
  return step >= -TOUCHES_90K && step <= AHEAD_90K;
}

/** A number that the recording lacks, a little behind its last one. */
export function isHole(segment: SegmentObject, { lastNumber, near }: Captured): boolean {
  if (segment.number === null || lastNumber === null || segment.number > lastNumber) return false;
  return !hasKey({ near }) && lastNumber - segment.number <= BEHIND;
}

/** Its encoder's clock began near zero with number 0: then those of other broadcasts begin alike, and their media fits too. */
export function beginsAlike(segment: SegmentObject): boolean {
  if (segment.firstDts90k === null || segment.number === null) return false;
  return Math.abs(delta90k(segment.number * nominalMs(segment) * 90, segment.firstDts90k)) <= NEAR_ZERO_90K;
}

export function hasKey({ near = [] }: { readonly near?: readonly CapturedSegment[] | undefined }): boolean {
  return near.some((one) => one.isSameKey);
}

export function nominalMs({ durationMs }: SegmentObject): number {
  return durationMs && durationMs > 0 ? durationMs : DEFAULT_DURATION_MS;
}
