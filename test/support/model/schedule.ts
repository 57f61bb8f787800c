/**
 * A schedule: what streams do, what of it the service is told, and which faults it meets, as plain data that fast-check
 * makes and shrinks. Owns the ranges, which are those of docs/RELIABILITY.md; script.ts makes times of it.
 */
import fc from 'fast-check';
import type { Fault, FaultKind, Target } from './simulation.ts';

export type Damage = 'none' | 'empty' | 'html' | 'truncated' | 'never' | 'repaired';

export interface SegmentPlan {
  /** Uploaded so long after it was due. */
  readonly lateMs: number;
  /** When its notification comes, milliseconds after the upload; none: lost. */
  readonly told: readonly number[];
  readonly damage: Damage;
}

/** What one start of the encoder made. */
export interface SessionPlan {
  readonly pauseMs: number;
  readonly clock: 'anew' | 'goes-on';
  readonly numbers: 'anew' | 'go-on';
  readonly segments: readonly SegmentPlan[];
}

export interface BroadcastPlan {
  /** Of the stream before, or of another one that has the same key. */
  readonly stream: 'same' | 'other';
  /** After the end of the broadcast before; negative: they overlap, which only other streams can. */
  readonly pauseMs: number;
  readonly sessions: readonly SessionPlan[];
  /** When its webhooks come, milliseconds after what they tell; none: lost. */
  readonly started: readonly number[];
  readonly ended: readonly number[];
  readonly endList: boolean;
}

export interface Outage {
  readonly target: Target;
  readonly fromMs: number;
  readonly forMs: number;
}

export interface Settings {
  readonly reconnectWindowMs: number;
  /** Segments that fill a part. */
  readonly partSegments: number;
  readonly playlist: 'none' | 'event' | 'window';
  /** How many segments the packager keeps; null: all. */
  readonly keep: number | null;
  /** Every encoder begins at the same time stamp. */
  readonly sameClock: boolean;
  /** Queue messages come twice. */
  readonly doubled: boolean;
}

export const HOSTS = ['streams', 'store', 'webhook', 'segments', 'finalizer', 'poller'] as const;
export type Host = (typeof HOSTS)[number];
/** How wrong a host's clock is at most. */
export const MOST_SKEW_MS = 4000;

export interface Schedule {
  /** Of the latencies. */
  readonly seed: number;
  readonly settings: Settings;
  /** Each host's clock less the world's. */
  readonly skewMs: Readonly<Record<Host, number>>;
  readonly broadcasts: readonly BroadcastPlan[];
  readonly faults: readonly Fault[];
  readonly outages: readonly Outage[];
  /** When the store aborts every open upload. */
  readonly sweepsMs: readonly number[];
}

const mostly = <Value>(usual: Value, weight: number, ...others: fc.Arbitrary<Value>[]) =>
  fc.oneof({ arbitrary: fc.constant(usual), weight }, ...others.map((arbitrary) => ({ arbitrary, weight: 1 })));
const ms = (min: number, max: number) => fc.integer({ min: min / 100, max: max / 100 }).map((tenths) => tenths * 100);

const told: fc.Arbitrary<readonly number[]> = mostly<readonly number[]>(
  [50],
  6,
  fc.constant([]),
  fc.constant([]),
  ms(1000, 30_000).map((late) => [late]),
  ms(1000, 30_000).map((again) => [50, again]),
);

const segment: fc.Arbitrary<SegmentPlan> = fc.record({
  lateMs: mostly(0, 12, ms(500, 3000), ms(3000, 8000)),
  told,
  damage: mostly<Damage>('none', 40, fc.constantFrom('empty', 'html', 'truncated', 'never', 'repaired')),
});

const session: fc.Arbitrary<SessionPlan> = fc.record({
  pauseMs: ms(0, 15_000),
  clock: mostly<'anew' | 'goes-on'>('anew', 2, fc.constant('goes-on')),
  numbers: mostly<'anew' | 'go-on'>('anew', 2, fc.constant('go-on')),
  segments: fc.array(segment, { minLength: 1, maxLength: 5 }),
});

/** Of the last segment alone: it may come long after the end. */
const lastLateMs = mostly(0, 6, ms(500, 8000), ms(10_000, 40_000));

const broadcast: fc.Arbitrary<BroadcastPlan> = fc
  .record({
    stream: mostly<'same' | 'other'>('same', 2, fc.constant('other')),
    pauseMs: fc.oneof(ms(1000, 10_000), ms(10_000, 30_000), ms(-4000, -500)),
    sessions: fc.oneof(
      { arbitrary: fc.array(session, { minLength: 1, maxLength: 1 }), weight: 3 },
      { arbitrary: fc.array(session, { minLength: 2, maxLength: 3 }), weight: 1 },
    ),
    lastLateMs,
    started: mostly<readonly number[]>(
      [50],
      4,
      fc.constant([]),
      told,
      ms(0, 40_000).map((late) => [late]),
    ),
    ended: mostly<readonly number[]>(
      [50],
      4,
      fc.constant([]),
      told,
      ms(0, 40_000).map((late) => [late]),
    ),
    endList: fc.boolean(),
  })
  .map(({ lastLateMs: late, ...plan }) => ({
    ...plan,
    pauseMs: plan.stream === 'same' ? Math.abs(plan.pauseMs) : plan.pauseMs,
    sessions: plan.sessions.map((one, at) =>
      at === plan.sessions.length - 1 && late > 0
        ? { ...one, segments: one.segments.map((s, i) => (i === one.segments.length - 1 ? { ...s, lateMs: late } : s)) }
        : one,
    ),
  }));

const KINDS: readonly FaultKind[] = ['kill-before', 'kill-after', 'fail-before', 'fail-after', 'slow', 'freeze'];
const TARGETS: readonly Target[] = ['database', 'store', 'streams', 'queue', 'media'];
/** A schedule has some hundred calls while streams are live and recordings are made. */
const CALLS = 700;

const fault: fc.Arbitrary<Fault> = fc.record({
  call: fc.integer({ min: 0, max: CALLS }),
  kind: fc.constantFrom(...KINDS),
});

const outage: fc.Arbitrary<Outage> = fc.record({
  target: fc.constantFrom(...TARGETS),
  fromMs: ms(0, 60_000),
  forMs: ms(500, 30_000),
});

const settings: fc.Arbitrary<Settings> = fc.record({
  reconnectWindowMs: fc.constantFrom(0, 0, 20_000),
  partSegments: fc.constantFrom(2, 3, 1000),
  playlist: fc.constantFrom('none', 'event', 'window'),
  keep: fc.constantFrom(null, null, 12),
  sameClock: fc.boolean(),
  doubled: mostly(false, 3, fc.constant(true)),
});

export const scheduleArbitrary: fc.Arbitrary<Schedule> = fc.record({
  seed: fc.noShrink(fc.nat(0x7fff_ffff)),
  settings,
  skewMs: fc.record(
    Object.fromEntries(HOSTS.map((host) => [host, mostly(0, 1, ms(-MOST_SKEW_MS, MOST_SKEW_MS))])) as Record<
      Host,
      fc.Arbitrary<number>
    >,
  ),
  broadcasts: fc.oneof(
    { arbitrary: fc.array(broadcast, { minLength: 1, maxLength: 1 }), weight: 3 },
    { arbitrary: fc.array(broadcast, { minLength: 2, maxLength: 3 }), weight: 2 },
  ),
  faults: fc.oneof(
    fc.array(fault, { maxLength: 0 }),
    fc.array(fault, { maxLength: 3 }),
    fc.array(fault, { maxLength: 12 }),
  ),
  outages: fc.oneof(
    { arbitrary: fc.array(outage, { maxLength: 0 }), weight: 2 },
    { arbitrary: fc.array(outage, { maxLength: 2 }), weight: 1 },
  ),
  sweepsMs: fc.oneof(
    { arbitrary: fc.array(ms(0, 60_000), { maxLength: 0 }), weight: 3 },
    { arbitrary: fc.array(ms(0, 60_000), { maxLength: 2 }), weight: 1 },
  ),
});
