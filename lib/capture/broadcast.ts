/**
 * Which recording a segment object belongs to, when broadcasts of one stream key follow or overlap each other, names
 * are used again and hosts' clocks differ. Owns that judgement; whether the object was captured before, the caller says.
 *
 *   before any start ── ignored: an object of an earlier broadcast that the packager left behind
 *   [start, end]     ── that recording; of several, the newest
 *   after the end    ── only what can be its late rest; the first segments of a broadcast whose start has not been
 *                       heard yet look alike, and wait (they are found again once there is a recording for them)
 */
import { delta90k } from './clock90k.ts';

export interface SegmentObject {
  readonly key: string;
  readonly etag: string;
  /** On our clock: the store's Date header tells the difference. */
  readonly modifiedAtMs: number;
  readonly number: number | null;
  readonly firstDts90k: number | null;
  readonly endDts90k?: number | null;
  readonly durationMs?: number;
}

export interface Candidate {
  readonly id: string;
  readonly startedAtMs: number;
  readonly endedAtMs: number | null;
  readonly status: 'recording' | 'processing' | 'completed' | 'failed';
  /** Number and end of its last captured segment; null where unknown. */
  readonly lastNumber: number | null;
  readonly lastEndDts90k: number | null;
  /** When that segment was uploaded, on our clock. */
  readonly lastModifiedAtMs?: number | null;
  /**
   * Of its segments with the numbers around this one: where those before end, where those behind begin. There are several
   * where an encoder restarted or the stream came back, and any of them may be the one that this one belongs to.
   */
  readonly previousEnds90k?: readonly number[];
  readonly nextFirsts90k?: readonly number[];
  /** Whether it has captured objects of this very key (with other ETags); undefined if unknown. */
  readonly hasKey?: boolean;
  /** Where the media of those objects begins. */
  readonly keyFirsts90k?: readonly number[];
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
export type Assignment = { readonly recordingId: string } | { readonly ignore: IgnoreReason };

const END_GRACE_MS = 10 * 60_000;
/** Without numbers to compare, only what is uploaded soon after the end is taken for its last segment. */
const BLIND_GRACE_MS = 30_000;
const CONTINUES_90K = 45_000;
/** Segments still on their way when their successors arrived. */
const AHEAD = 5;
const BEHIND = 15;
const AHEAD_90K = 120 * 90_000;
const DEFAULT_DURATION_MS = 2000;
/** How much sooner than a live encoder could have made it a segment may seem to come: clocks, uneven segments. */
const EARLY_MS = 3000;

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
  const [newest, ...earlier] = started;
  if (newest === undefined) return { ignore: 'before-start' };
  const rest = earlier.find((one) => belongsToEarlier(segment, one, newest, endGraceMs));
  if (rest !== undefined) return { recordingId: rest.id };
  if (isWithin(segment, newest)) return { recordingId: newest.id };
  return isLateRest(segment, newest, endGraceMs, clockSlackMs) ? { recordingId: newest.id } : { ignore: 'after-end' };
}

function isWithin(segment: SegmentObject, { endedAtMs }: Candidate): boolean {
  return endedAtMs === null || segment.modifiedAtMs <= endedAtMs;
}

function belongsToEarlier(segment: SegmentObject, earlier: Candidate, newest: Candidate, graceMs: number): boolean {
  // Before the newer one's start, which only the slack let in: the earlier one was still running.
  const follows = touches(segment, earlier);
  const before = segment.modifiedAtMs < newest.startedAtMs;
  if (before && segment.modifiedAtMs >= earlier.startedAtMs && isWithin(segment, earlier)) {
    // Unless clocks that differ make it look so: a name that comes again and continues nothing is the newer one's.
    return follows || earlier.hasKey !== true;
  }
  if (earlier.endedAtMs !== null && segment.modifiedAtMs > earlier.endedAtMs + graceMs) return false;
  if (!follows || (earlier.hasKey === true && !isOtherMedia(segment, earlier))) return false;
  // Encoders that start at the same timestamp make segments that fit both: the one that is running is likelier, unless
  // it cannot have come so far yet.
  return !touches(segment, newest) && !isDue(segment, newest);
}

/** Its timestamps continue a segment with the number before, or are continued by one behind. */
function touches(segment: SegmentObject, one: Candidate): boolean {
  const { number, firstDts90k, endDts90k } = segment;
  if (number === null || firstDts90k === null) return false;
  const { previousEnds90k = [], nextFirsts90k = [] } = one;
  if (one.lastNumber === number - 1 && meets(one.lastEndDts90k, firstDts90k)) return true;
  return previousEnds90k.some((end) => meets(end, firstDts90k)) || nextFirsts90k.some((next) => meets(endDts90k, next));
}

function meets(end90k: number | null | undefined, first90k: number): boolean {
  return typeof end90k === 'number' && Math.abs(delta90k(end90k, first90k)) <= CONTINUES_90K;
}

/** By its number it may be next in a running broadcast, and enough time has passed for it to be made. */
function isDue(segment: SegmentObject, running: Candidate): boolean {
  const { number, durationMs = DEFAULT_DURATION_MS } = segment;
  if (number === null) return true;
  const { lastNumber, lastModifiedAtMs } = running;
  if (lastNumber !== null && !isAhead(segment, running)) return false;
  const dueMs =
    lastNumber === null || typeof lastModifiedAtMs !== 'number'
      ? running.startedAtMs + (number + 1) * durationMs
      : lastModifiedAtMs + (number - lastNumber) * durationMs;
  return segment.modifiedAtMs >= dueMs - EARLY_MS;
}

/** The next number, or one of the few after it while those between are on their way. */
function isAhead(segment: SegmentObject, { lastNumber, lastEndDts90k }: Candidate): boolean {
  if (segment.number === null || lastNumber === null) return false;
  if (segment.number <= lastNumber || segment.number > lastNumber + AHEAD) return false;
  if (segment.firstDts90k === null || lastEndDts90k === null) return true;
  const step = delta90k(lastEndDts90k, segment.firstDts90k);
  return step >= -CONTINUES_90K && step <= AHEAD_90K;
}

/** Uploaded after the end: can it be this broadcast's, or does it look like the beginning of another? */
function isLateRest(segment: SegmentObject, ended: Candidate, graceMs: number, clockSlackMs: number): boolean {
  const sinceMs = segment.modifiedAtMs - (ended.endedAtMs ?? segment.modifiedAtMs);
  if (sinceMs > graceMs) return false;
  const follows = touches(segment, ended);
  // A restarted encoder uses its names again, and so does the next broadcast's.
  if (ended.hasKey === true) return follows && (isOtherMedia(segment, ended) || isTooFar(segment, ended, clockSlackMs));
  if (segment.number === null || ended.lastNumber === null) return sinceMs <= BLIND_GRACE_MS;
  if (follows) return true;
  if (segment.number > ended.lastNumber) return isAhead(segment, ended);
  return ended.hasKey === false || ended.lastNumber - segment.number <= BEHIND;
}

/** All objects that were captured of this key before have their timestamps elsewhere. */
function isOtherMedia({ firstDts90k }: SegmentObject, { keyFirsts90k = [] }: Candidate): boolean {
  if (keyFirsts90k.length === 0 || firstDts90k === null) return false;
  return keyFirsts90k.every((known) => Math.abs(delta90k(known, firstDts90k)) > CONTINUES_90K);
}

/** A broadcast that began after this one's end cannot have come to this number yet. */
function isTooFar(segment: SegmentObject, ended: Candidate, clockSlackMs: number): boolean {
  if (segment.number === null || ended.endedAtMs === null) return false;
  const { durationMs = DEFAULT_DURATION_MS } = segment;
  const overMs = Math.min(ended.endedAtMs, ended.toldEndMs ?? ended.endedAtMs) - clockSlackMs;
  return segment.modifiedAtMs < overMs + (segment.number + 1) * durationMs;
}
