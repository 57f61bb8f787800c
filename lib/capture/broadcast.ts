/**
 * Which recording a segment object belongs to, when broadcasts of one stream key follow or overlap each other, names
 * are used again and hosts' clocks differ. Owns that judgement; whether the object was captured before, the caller says.
 *
 *   its media goes on with that of a recording ── that recording's; where it fits several, the newest that is due for it
 *   it goes on with none:
 *     before any start ── ignored: an object of an earlier broadcast that the packager left behind
 *     [start, end]     ── the newest whose time it is
 *     after the end    ── only what can be its late rest; the first segments of a broadcast whose start has not been
 *                         heard yet look alike, and wait (they are found again once there is a recording for them)
 *
 * Where only the time says it, or the newest has nothing yet to compare it with, the answer is not sure: what is sure
 * comes first (sweep.ts), since each segment that has its recording is one more to compare with.
 */
import {
  beginsAlike,
  type Captured,
  type Fit,
  fitOf,
  hasKey,
  isAhead,
  isHole,
  nominalMs,
  type SegmentObject,
  strengthOf,
} from './broadcast-fit.ts';

export type { CapturedSegment, SegmentObject } from './broadcast-fit.ts';

export interface Candidate extends Captured {
  readonly id: string;
  readonly startedAtMs: number;
  readonly endedAtMs: number | null;
  readonly status: 'recording' | 'processing' | 'completed' | 'failed';
  /** Its end as it was told, which may have been heard later. */
  readonly toldEndMs?: number | null;
}

export interface AssignOptions {
  /** How far the clocks of the Stream Service, the store and this host may differ. */
  readonly clockSlackMs: number;
  /** How long after its end a broadcast's segments may still be uploaded. */
  readonly endGraceMs?: number;
  /** The recording that has captured this key and ETag already. */
  readonly capturedBy?: string | null;
}

type IgnoreReason = 'already-captured' | 'no-recording' | 'before-start' | 'after-end';
export type Assignment = { readonly recordingId: string; readonly isSure: boolean } | { readonly ignore: IgnoreReason };

interface Compared {
  readonly one: Candidate;
  readonly fit: Fit;
}

const END_GRACE_MS = 10 * 60_000;
/** Without numbers to compare, only what is uploaded soon after the end is taken for its last segment. */
const BLIND_GRACE_MS = 30_000;
/** Stores tell times in whole seconds: what seems to come so soon after the end may have come before it. */
const SECOND_MS = 1000;
/** How much sooner than a live encoder could have made it a segment may seem to come: clocks, the seconds that stores tell. */
const EARLY_MS = 5000;
/** The same where the segment continues another recording: times have to say clearly that it cannot be that one's. */
const CLEARLY_EARLY_MS = 1000;

/** Assigns one object to one of the recordings of its stream key. */
export function assignSegment(
  segment: SegmentObject,
  candidates: readonly Candidate[],
  { clockSlackMs, endGraceMs = END_GRACE_MS, capturedBy = null }: AssignOptions,
): Assignment {
  if (capturedBy !== null) return { ignore: 'already-captured' };
  if (candidates.length === 0) return { ignore: 'no-recording' };
  const started = candidates
    .filter(({ startedAtMs }) => startedAtMs <= segment.modifiedAtMs + clockSlackMs)
    .sort((a, b) => b.startedAtMs - a.startedAtMs || (a.id < b.id ? -1 : 1));
  const [newest] = started;
  if (newest === undefined) return { ignore: 'before-start' };
  const compared = started
    .filter(({ endedAtMs }) => endedAtMs === null || segment.modifiedAtMs <= endedAtMs + endGraceMs)
    .map((one) => ({ one, fit: fitOf(segment, one) }));
  const continued = chooseContinued(segment, compared, clockSlackMs);
  if (continued !== null) return continued;
  // One without timestamps is compared with nothing, whatever else is captured.
  const isUnreadable = segment.firstDts90k === null;
  const current = chooseByTime(segment, started);
  if (current !== undefined) return { recordingId: current.id, isSure: isUnreadable || candidates.length === 1 };
  const late = compared.find(({ one }) => one === newest);
  return late && isLateRest(segment, late, clockSlackMs)
    ? { recordingId: newest.id, isSure: isUnreadable }
    : { ignore: 'after-end' };
}

/** The recording with whose media this goes on. Encoders that start at the same timestamp make segments that fit several. */
function chooseContinued(
  segment: SegmentObject,
  compared: readonly Compared[],
  clockSlackMs: number,
): Assignment | null {
  const strength = Math.max(0, ...compared.map(({ fit }) => strengthOf(fit)));
  if (strength === 0) return null;
  const fitting = compared.filter(({ fit }) => strengthOf(fit) === strength);
  const [first] = fitting;
  const chosen = fitting.find(({ one }) => isDue(segment, one, EARLY_MS)) ?? first;
  if (chosen === undefined) return null;
  const newer = compared.slice(0, compared.indexOf(chosen));
  const rival = newer.find(
    (one) =>
      (isWithin(segment, one.one) || (strength === 1 && isAwaiting(segment, one))) &&
      mayBeIts(segment, one, chosen.fit),
  );
  // Clocks differ: a newer one's start may lie a little behind the segment, its end before it, and it is its all the same.
  const isSure = !newer.some(
    ({ one, fit }) =>
      (!isOver(segment, one, clockSlackMs) || one === rival?.one) && (fit.kind === 'unknown' || fit.kind === 'taken'),
  );
  return { recordingId: (rival ?? chosen).one.id, isSure };
}

/** The segment continues an older recording, and a newer one that is running has nothing that it continues. */
function mayBeIts(segment: SegmentObject, { one, fit }: Compared, older: Fit): boolean {
  // Its encoder has been at that number with that clock before: it has begun anew, and so does the next one.
  if (fit.kind === 'taken') return true;
  // Only the clock says that it is the older one's: one that began near zero may just have come to that time.
  if (older.kind === 'goes-on' || (older.kind === 'precedes' && fit.kind === 'foreign'))
    return beginsAlike(segment) && isDue(segment, one, CLEARLY_EARLY_MS);
  if (fit.kind !== 'unknown') return false;
  if (beginsAlike(segment)) return isDue(segment, one, EARLY_MS);
  // What it continues may be the newer one's too, captured before its start was heard.
  return older.sinceMs >= one.startedAtMs && isDue(segment, one, CLEARLY_EARLY_MS);
}

/** The newest that runs at the time of the segment; clocks that differ may let it seem to be before that one's start. */
function chooseByTime(segment: SegmentObject, started: readonly Candidate[]): Candidate | undefined {
  const newest = started.find((one) => !isOver(segment, one));
  if (newest === undefined || segment.modifiedAtMs >= newest.startedAtMs) return newest;
  const running = started.find((one) => isWithin(segment, one));
  // A name that comes again and continues nothing is a restarted encoder's, or the first of the newer broadcast.
  return running && !(hasKey(running) && isDue(segment, newest, EARLY_MS)) ? running : newest;
}

function isWithin(segment: SegmentObject, one: Candidate): boolean {
  return segment.modifiedAtMs >= one.startedAtMs && !isOver(segment, one);
}

/** It has ended and has nothing yet: the first that comes may have been late. */
function isAwaiting(segment: SegmentObject, { one, fit }: Compared): boolean {
  if (one.endedAtMs === null || fit.kind !== 'unknown' || hasKey(one)) return false;
  return segment.modifiedAtMs >= one.startedAtMs && segment.modifiedAtMs <= one.endedAtMs + BLIND_GRACE_MS;
}

/** A name that it has already is hardly its own any more behind its end. */
function isOver(segment: SegmentObject, one: Candidate, toleranceMs = hasKey(one) ? 0 : SECOND_MS): boolean {
  return one.endedAtMs !== null && segment.modifiedAtMs > one.endedAtMs + toleranceMs;
}

/** By its number enough time has passed for it to be made, reckoned from those before it; one of them may have been late. */
function isDue(segment: SegmentObject, one: Candidate, earlyMs: number): boolean {
  const { number } = segment;
  if (number === null) return true;
  const before = (one.near ?? []).filter((near) => near.number !== null && near.number < number);
  const known =
    before.length > 0
      ? before
      : [{ number: one.lastNumber ?? -1, modifiedAtMs: one.lastModifiedAtMs ?? one.startedAtMs }];
  const dueMs = known.map((near) => near.modifiedAtMs + (number - (near.number ?? 0)) * nominalMs(segment));
  return segment.modifiedAtMs >= Math.min(...dueMs) - earlyMs;
}

/** Uploaded after the end: can it be this broadcast's, or does it look like the beginning of another? */
function isLateRest(segment: SegmentObject, { one, fit }: Compared, clockSlackMs: number): boolean {
  // A restarted encoder uses its names again, and so does the next broadcast's.
  if (fit.kind === 'taken') return isTooFar(segment, one, clockSlackMs);
  if (hasKey(one)) return false;
  if (segment.number === null || one.lastNumber === null)
    return segment.modifiedAtMs - (one.endedAtMs ?? segment.modifiedAtMs) <= BLIND_GRACE_MS;
  return isAhead(segment, one) || (fit.kind === 'unknown' && isHole(segment, one));
}

/** A broadcast that began after this one's end cannot have come to this number yet. */
function isTooFar(segment: SegmentObject, ended: Candidate, clockSlackMs: number): boolean {
  if (segment.number === null || ended.endedAtMs === null) return false;
  const overMs = Math.min(ended.endedAtMs, ended.toldEndMs ?? ended.endedAtMs) - clockSlackMs;
  return segment.modifiedAtMs < overMs + (segment.number + 1) * nominalMs(segment);
}
