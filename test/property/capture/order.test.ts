/**
 * Order and runs over whole broadcasts of a made-up encoder: restarts over the same names with the same timestamps, lost
 * segments, jitter, retried uploads. What the encoder did is known, so the result can be compared with it.
 */
import fc from 'fast-check';
import { delta90k, unwrap90k, WRAP_90K } from '../../../lib/capture/clock90k.ts';
import { type OrderRow, orderSegments } from '../../../lib/capture/order.ts';
import { planRuns, type RunSegment } from '../../../lib/capture/runs.ts';
import { probe, T0 } from '../../unit/capture/segments.ts';

interface Take {
  count: number;
  pauseMs: number;
  lost: number[];
  retried: number;
  retryMs: number;
  startTicks: number;
  /** From this number on its timestamps are later by JUMP_TICKS, another time by twice as much. */
  jumpAt: number | null;
}

/** Not a multiple of any segment's length: two runs must not meet by chance. */
const JUMP_TICKS = 90_000 * 33 + 70_007;

const take: fc.Arbitrary<Take> = fc.record({
  count: fc.integer({ min: 5, max: 60 }),
  pauseMs: fc.integer({ min: 6000, max: 60_000 }),
  lost: fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 3 }),
  retried: fc.nat(60),
  retryMs: fc.integer({ min: 1000, max: 16_000 }),
  // Mostly the same clock after a restart: the hardest case, and ffmpeg's.
  startTicks: fc.constantFrom(126_000, 126_000, 5_000_000, WRAP_90K - 900_000),
  jumpAt: fc.constant(null),
});

/** A take that may be a segment or two, and whose clock may be set anew in between. */
const brokenTake: fc.Arbitrary<Take> = fc
  .record({
    ...{ one: take, count: fc.integer({ min: 1, max: 60 }), jumpAt: fc.option(fc.integer({ min: 1, max: 60 })) },
    startTicks: fc.constantFrom(126_000, 5_000_000_000),
  })
  .map(({ one, ...broken }) => ({ ...one, ...broken, lost: [], retryMs: 0 }));

const broadcast = fc.record({
  takes: fc.array(take, { minLength: 1, maxLength: 3 }),
  segmentMs: fc.constantFrom(2000, 4000, 6000),
  jitterMs: fc.array(fc.nat(1000), { minLength: 5, maxLength: 40 }),
  wholeSeconds: fc.boolean(),
  joinedAt: fc.nat(30),
  listed: fc.boolean(),
});

type Broadcast = typeof broadcast extends fc.Arbitrary<infer T> ? T : never;

/** The rows in the encoder's order. */
function record({ takes, segmentMs, jitterMs, wholeSeconds, joinedAt, listed }: Broadcast): OrderRow[] {
  const rows: OrderRow[] = [];
  let now = T0;
  for (const [epoch, { count, pauseMs, lost, retried, retryMs, startTicks, jumpAt }] of takes.entries()) {
    now += pauseMs;
    const from = epoch === 0 ? joinedAt : 0;
    for (let number = 0; number < from + count; number++) {
      now += segmentMs;
      if (number < from || (number > from && lost.includes(number))) continue;
      // A retry that crosses a restart cannot be told from the restart's own segments: kept away from it here.
      const away = number - from > 10 && from + count - number > 12;
      const at = now + (jitterMs[rows.length % jitterMs.length] ?? 0) + (away && number === retried ? retryMs : 0);
      const jump = jumpAt !== null && number >= jumpAt ? JUMP_TICKS * (epoch + 1) : 0;
      const first = (startTicks + jump + number * segmentMs * 90) % WRAP_90K;
      rows.push({
        id: `${epoch}-${number}`,
        name: `segment_${number}.ts`,
        number,
        playlistSequence: listed ? number + 3 : null,
        modifiedAtMs: wholeSeconds ? Math.floor(at / 1000) * 1000 : at,
        firstDts90k: first,
        endDts90k: first + segmentMs * 90,
        durationMs: segmentMs,
        etag: `${epoch}-${number}`,
      });
    }
  }
  return rows;
}

const shuffledBy = (seed: number) => {
  let state = seed + 1;
  const random = () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return state;
  };
  return <T>(items: readonly T[]): T[] =>
    items
      .map((item) => ({ item, key: random() }))
      .sort((a, b) => a.key - b.key)
      .map(({ item }) => item);
};

const ids = (segments: readonly { row: OrderRow }[]) => segments.map(({ row }) => row.id);

describe('the order of a broadcast', () => {
  it('is what the encoder did, in whatever order the rows come', () => {
    fc.assert(
      fc.property(broadcast, fc.nat(), (one, seed) => {
        const rows = record(one);
        const order = orderSegments(shuffledBy(seed)(rows));
        expect(ids(order.ordered)).toEqual(rows.map(({ id }) => id));
        expect(order.duplicates).toEqual([]);
      }),
      { numRuns: 400 },
    );
  });

  it('is what the encoder did where its clock jumps, soon after it restarted over and over', () => {
    const broken = fc.record({
      ...{ one: broadcast, takes: fc.array(brokenTake, { minLength: 2, maxLength: 4 }) },
      seed: fc.nat(),
    });
    fc.assert(
      fc.property(broken, ({ one, takes, seed }) => {
        const rows = record({ ...one, takes, joinedAt: 0 });
        expect(ids(orderSegments(shuffledBy(seed)(rows)).ordered)).toEqual(rows.map(({ id }) => id));
      }),
      { numRuns: 400 },
    );
  });

  it('has the gaps that were made, and no others', () => {
    fc.assert(
      fc.property(broadcast, (one) => {
        const rows = record(one);
        const numbers = new Map<string, number[]>();
        for (const { id, number } of rows) {
          const epoch = String(id).split('-')[0] ?? '';
          numbers.set(epoch, [...(numbers.get(epoch) ?? []), number ?? 0]);
        }
        const missing = [...numbers.values()].reduce(
          (sum, list) => sum + Math.max(...list) - Math.min(...list) + 1 - list.length,
          0,
        );
        expect(orderSegments(rows).gaps.reduce((sum, gap) => sum + gap.missing, 0)).toBe(missing);
      }),
      { numRuns: 200 },
    );
  });

  it('of any rows, however senseless, is one and the same for every permutation and keeps every row once', () => {
    const senseless = fc.array(
      fc.record({
        name: fc.constantFrom('a.ts', 'b.ts', 's1.ts', 's2.ts', 's3.ts'),
        number: fc.option(fc.nat(5)),
        playlistSequence: fc.option(fc.nat(5)),
        modifiedAtMs: fc.integer({ min: 0, max: 20 }).map((second) => T0 + second * 1000),
        firstDts90k: fc.option(fc.nat(2 ** 33 - 1)),
        durationMs: fc.nat(4000),
        etag: fc.constantFrom('x', 'y', 'z'),
        position: fc.option(fc.nat(9)),
      }),
      { maxLength: 25 },
    );
    fc.assert(
      fc.property(senseless, fc.nat(), (shapes, seed) => {
        const rows = shapes.map((one, id) => ({
          ...one,
          id,
          endDts90k: one.firstDts90k === null ? null : one.firstDts90k + one.durationMs * 90,
        }));
        const order = orderSegments(rows);
        expect(orderSegments(shuffledBy(seed)(rows))).toEqual(order);
        const all = [...ids(order.ordered), ...ids(order.late), ...order.duplicates.map(({ row }) => row.id)];
        expect(all.sort()).toEqual(rows.map(({ id }) => id).sort());
      }),
      { numRuns: 1000 },
    );
  });

  it('grows only at its end while segments arrive in time, so that what is committed stays', () => {
    fc.assert(
      fc.property(broadcast, fc.double({ min: 0, max: 1, noNaN: true }), (one, share) => {
        const rows = record({ ...one, jitterMs: [0], takes: one.takes.map((each) => ({ ...each, retryMs: 0 })) });
        const known = rows.slice(0, Math.ceil(rows.length * share));
        const before = orderSegments(known).ordered;
        const committed = rows.map((row, i) => (i < known.length ? { ...row, position: i } : row));
        const after = orderSegments(committed);
        expect(after.late).toEqual([]);
        expect(ids(after.ordered).slice(0, before.length)).toEqual(ids(before));
      }),
      { numRuns: 200 },
    );
  });
});

describe('the runs of a broadcast', () => {
  function runSegments(one: Broadcast): RunSegment[] {
    return orderSegments(record(one)).ordered.map(({ row, epoch, number, afterGap }) => ({
      epoch,
      number,
      afterGap,
      discontinuity: false,
      modifiedAtMs: row.modifiedAtMs,
      probe: probe({ first: row.firstDts90k ?? 0, seconds: row.durationMs / 1000 }),
    }));
  }

  it('break exactly where numbers are missing or the encoder restarted', () => {
    fc.assert(
      fc.property(broadcast, (one) => {
        const segments = runSegments(one);
        const breaks = segments.filter((segment, i) => {
          const previous = segments[i - 1];
          return previous === undefined || previous.epoch !== segment.epoch || segment.number !== previous.number + 1;
        });
        expect(planRuns(segments).runs.map((run) => run.segments[0])).toEqual(breaks);
      }),
      { numRuns: 200 },
    );
  });

  it('are the same planned at once and planned in pieces', () => {
    fc.assert(
      fc.property(broadcast, fc.array(fc.nat(120), { maxLength: 5 }), (one, cuts) => {
        const segments = runSegments(one);
        const edges = [0, ...cuts.filter((cut) => cut < segments.length).sort((a, b) => a - b), segments.length];
        let tail: ReturnType<typeof planRuns>['tail'] = null;
        const pieces: RunSegment[][] = [];
        for (const [i, edge] of edges.slice(1).entries()) {
          const planned: ReturnType<typeof planRuns> = planRuns(segments.slice(edges[i], edge), tail);
          for (const run of planned.runs) {
            if (run.reason === null) pieces.at(-1)?.push(...run.segments);
            else pieces.push([...run.segments]);
          }
          tail = planned.tail === null ? null : JSON.parse(JSON.stringify(planned.tail));
        }
        const whole = planRuns(segments);
        expect(pieces).toEqual(whole.runs.map((run) => run.segments));
        expect(tail).toEqual(whole.tail);
      }),
      { numRuns: 200 },
    );
  });
});

describe('33-bit timestamps', () => {
  it('unwrap to what they were, whatever the wrap, for steps under thirteen hours', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 40), fc.integer({ min: -(2 ** 32) + 1, max: 2 ** 32 - 1 }), (previous, step) => {
        const raw = (((previous + step) % WRAP_90K) + WRAP_90K) % WRAP_90K;
        return unwrap90k(previous, raw) === previous + step && delta90k(previous, raw) === step;
      }),
    );
  });
});
