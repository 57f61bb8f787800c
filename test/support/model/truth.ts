/** What a schedule makes true, as far as it can be known: which segments must be recorded, and whose they may be. */
import { MOST_SKEW_MS } from './schedule.ts';
import type { TrueSegment } from './script.ts';
import { markOf, readFrames, SEGMENT_90K, SEGMENT_MS } from './synthetic-segment.ts';
import { BUCKET, LIVE_BUCKET, type World } from './world.ts';

export interface Truth {
  readonly byId: ReadonlyMap<string, TrueSegment>;
  /** Segments that lie in the bucket at the end, of broadcasts that the service has heard of. */
  readonly mustHave: ReadonlySet<string>;
  /** The same and those that may be nobody's: a report has to say so. */
  readonly present: ReadonlySet<string>;
  /** Late segments that nothing tells from the first ones of a broadcast that is not known of yet. */
  readonly strays: ReadonlySet<string>;
  /** Broadcasts of which nothing says which segment was whose: docs/RELIABILITY.md, "Not promised". */
  readonly blurred: ReadonlySet<number>;
}

/** A segment that comes so late after the end of its broadcast may be taken for the next one's. */
const SETTLED_MS = 10_000;

export function truthOf(world: World): Truth {
  const { script, startsHeard, endsHeard } = world;
  const segments = script.broadcasts.flatMap((broadcast) => broadcast.segments);
  const stored = world.store.objects(LIVE_BUCKET);
  const heard = (number: number) => startsHeard.has(number) || endsHeard.has(number);
  const present = segments.filter(
    ({ broadcast, key, bytes }) =>
      bytes !== null &&
      heard(broadcast) &&
      stored.some((object) => object.key === key && sameStart(object.bytes, bytes)),
  );
  const blurred = new Set(
    script.broadcasts.flatMap((_, later) =>
      script.broadcasts
        .slice(0, later)
        .flatMap((_one, earlier) => (isBlurred(world, earlier, later) ? [earlier, later] : [])),
    ),
  );
  const had = new Set([...present.map(({ id }) => id), ...stagedIds(world)]);
  const strays = new Set<string>();
  // Where the one before is a stray itself, there is nothing that a segment could continue.
  for (const segment of segments) if (isStray(world, segment, strays, had)) strays.add(segment.id);
  const isLost = ({ id, broadcast, uploadedMs }: TrueSegment) =>
    strays.has(id) ||
    (blurred.has(broadcast) &&
      (wasHeardLate(world, broadcast) || (uploadedMs ?? 0) > (script.broadcasts[broadcast]?.endMs ?? 0)));
  return {
    byId: new Map(segments.map((segment) => [segment.id, segment])),
    mustHave: new Set(present.filter((segment) => !isLost(segment)).map((segment) => segment.id)),
    present: new Set(present.map((segment) => segment.id)),
    strays,
    blurred,
  };
}

/** What was captured, though another object may have its name by now. */
function stagedIds(world: World): string[] {
  const staged = world.store.objects(BUCKET).filter(({ key, size }) => /^\.staging\/.*\.ts$/.test(key) && size > 0);
  // Pages and noise are kept as they came, and have no mark.
  return staged.flatMap(({ bytes }) => (readFrames(bytes).length > 0 ? [markOf(bytes).id] : []));
}

/** Clocks of hosts may differ by this much, CLOCK_SLACK. */
const SLACK_MS = 10_000;
/** Starts and ends are told in whole seconds. */
const TOLD_MS = 1000;
/** A start may be told so much too early: by a clock that is wrong, and in whole seconds. */
const TOLD_EARLY_MS = MOST_SKEW_MS + TOLD_MS;
/** Without anything to compare it with, a segment that comes this long after the end is nobody's. */
const BLIND_GRACE_MS = 20_000;

/**
 * Neither time nor media tells two broadcasts apart: they ran at once under the same names; or their encoders began at
 * the same time stamp and they follow closely, or the start of the later was heard late; or what came late has no
 * neighbour to be compared with.
 */
function isBlurred({ script, schedule, startsHeard, endsHeard }: World, earlier: number, later: number): boolean {
  const [before, after] = [script.broadcasts[earlier], script.broadcasts[later]];
  if (!before || !after) return false;
  const heardMs = startsHeard.get(later) ?? Number.POSITIVE_INFINITY;
  const endHeardMs = endsHeard.get(earlier) ?? Number.POSITIVE_INFINITY;
  const crosses = before.segments.filter((segment) => (segment.uploadedMs ?? 0) > after.startMs);
  if (after.startMs < before.endMs) return true;
  if (schedule.settings.sameClock)
    return (
      crosses.length > 0 ||
      after.startMs < Math.max(before.endMs, endHeardMs) + SLACK_MS ||
      heardMs > after.startMs + SLACK_MS / 2
    );
  return crosses.length > 0 && Math.min(before.segments.length, after.segments.length) < 2;
}

/** What comes after the end and cannot be told from the first segments of a broadcast that nobody has told of yet. */
function isStray(world: World, segment: TrueSegment, strays: ReadonlySet<string>, had: ReadonlySet<string>): boolean {
  const { script, schedule } = world;
  const { broadcast, place, key, uploadedMs, first90k } = segment;
  const of = script.broadcasts[broadcast];
  // The hosts' own clocks say what came after the end.
  const skews = Object.values(schedule.skewMs);
  const skewMs = Math.max(...skews) - Math.min(...skews);
  if (!of || uploadedMs === null || uploadedMs <= of.endMs - skewMs) return false;
  const all = script.broadcasts.flatMap((one) => one.segments);
  const before = all[place - 1];
  const follows =
    before?.bytes &&
    had.has(before.id) &&
    !strays.has(before.id) &&
    before.broadcast === broadcast &&
    (before.first90k + SEGMENT_90K) % 2 ** 33 === first90k;
  // By those clocks, and in the whole seconds in which it is told, the next one may have started already.
  const next = script.broadcasts.find(
    (other) => other.startMs > of.startMs && other.startMs - TOLD_MS < uploadedMs + skewMs,
  );
  // Among the next broadcast's, only a neighbour that was there before tells whose it is.
  if (next && (!follows || (before.uploadedMs ?? 0) > next.startMs)) return true;
  const isAgain = all.some(
    (other) => other.key === key && other.place !== place && other.uploadedMs !== null && other.uploadedMs < uploadedMs,
  );
  if (isAgain) return !follows || schedule.settings.sameClock;
  const session = (one: TrueSegment) => one.id.split('.').slice(0, 2).join('.');
  const earlier = of.segments.filter((other) => other.place < place && other.bytes !== null);
  if (earlier.some((other) => session(other) === session(segment) && !strays.has(other.id))) return false;
  return earlier.length > 0 || uploadedMs > of.endMs + BLIND_GRACE_MS;
}

/** The service heard of a broadcast when its first segments were there already: they are whose was open then. */
export function wasHeardLate({ script, startsHeard }: World, number: number): boolean {
  const heardMs = startsHeard.get(number) ?? Number.POSITIVE_INFINITY;
  return heardMs > (script.broadcasts[number]?.startMs ?? 0) + SEGMENT_MS;
}

/** Two broadcasts of one stream that have to be one recording: the stream came back well within RECONNECT_WINDOW. */
export function mustShareFile(world: World, earlier: number, later: number): boolean {
  const { script, schedule, startsHeard, endsHeard } = world;
  const [before, after] = [script.broadcasts[earlier], script.broadcasts[later]];
  if (!before || !after || before.streamId !== after.streamId) return false;
  if (after.startMs - before.endMs > schedule.settings.reconnectWindowMs - SLACK_MS) return false;
  const promptly = (heardMs: number | undefined, atMs: number) => heardMs !== undefined && heardMs < atMs + 1000;
  return (
    promptly(startsHeard.get(earlier), before.startMs) &&
    promptly(endsHeard.get(earlier), before.endMs) &&
    promptly(startsHeard.get(later), after.startMs)
  );
}

/** A segment that was cut is stored with a piece of a packet behind what can be used. */
function sameStart(stored: Uint8Array, usable: Uint8Array): boolean {
  return Buffer.compare(Buffer.from(stored).subarray(0, usable.length), usable) === 0;
}

/** Two broadcasts, one after the other, in one file: a reconnect, or one of which nobody told the start. */
export function mayShareFile(world: World, earlier: number, later: number): boolean {
  const [before, after] = [world.script.broadcasts[earlier], world.script.broadcasts[later]];
  if (!before || !after || wasHeardLate(world, later)) return true;
  const between = Array.from({ length: later - earlier }, (_, index) => earlier + index);
  if (mayReconnect(world, earlier, later)) return true;
  if (between.every((number) => mayReconnect(world, number, number + 1))) return true;
  const isUnheard = wasUnheardOf(world, earlier, later);
  const lastMs = Math.max(before.endMs, ...(isUnheard ? before.segments.map(({ uploadedMs }) => uploadedMs ?? 0) : []));
  const closeMs = isUnheard ? SLACK_MS + TOLD_EARLY_MS : SETTLED_MS;
  return after.startMs < lastMs + closeMs && !(before.streamId === after.streamId && reconnects(world));
}

/** Nobody had told of the earlier one yet: what lies up to CLOCK_SLACK before the told start of the later is that one's. */
function wasUnheardOf({ startsHeard, endsHeard }: World, earlier: number, later: number): boolean {
  const heardMs = startsHeard.get(later) ?? Number.POSITIVE_INFINITY;
  return [startsHeard, endsHeard].every((heard) => (heard.get(earlier) ?? Number.POSITIVE_INFINITY) > heardMs);
}

function mayReconnect(world: World, earlier: number, later: number): boolean {
  const [before, after] = [world.script.broadcasts[earlier], world.script.broadcasts[later]];
  if (!before || !after || before.streamId !== after.streamId || !reconnects(world)) return false;
  return after.startMs - before.endMs <= world.schedule.settings.reconnectWindowMs + SETTLED_MS;
}

function reconnects({ schedule }: World): boolean {
  return schedule.settings.reconnectWindowMs > 0;
}
