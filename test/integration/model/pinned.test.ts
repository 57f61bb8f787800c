/** Schedules that showed a difference once, as small as they go. */
import { type Bench, startBench } from '../../support/model/bench.ts';
import { playSchedule } from '../../support/model/play.ts';
import type { BroadcastPlan, Schedule, SegmentPlan, SessionPlan } from '../../support/model/schedule.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(() => bench.stop());

const segment = (more: Partial<SegmentPlan> = {}): SegmentPlan => ({ lateMs: 0, told: [50], damage: 'none', ...more });

const session = (segments: readonly SegmentPlan[], more: Partial<SessionPlan> = {}): SessionPlan => ({
  pauseMs: 0,
  clock: 'anew',
  numbers: 'anew',
  segments,
  ...more,
});

const broadcast = (sessions: readonly SessionPlan[], more: Partial<BroadcastPlan> = {}): BroadcastPlan => ({
  stream: 'same',
  pauseMs: 10_000,
  sessions,
  started: [50],
  ended: [50],
  endList: false,
  ...more,
});

type More = Omit<Partial<Schedule>, 'settings'> & { settings?: Partial<Schedule['settings']> };

const schedule = (broadcasts: readonly BroadcastPlan[], { settings, ...more }: More = {}): Schedule => ({
  seed: 1,
  settings: {
    reconnectWindowMs: 0,
    partSegments: 2,
    playlist: 'none',
    keep: null,
    sameClock: false,
    doubled: false,
    ...settings,
  },
  skewMs: { streams: 0, store: 0, webhook: 0, segments: 0, finalizer: 0, poller: 0 },
  broadcasts,
  faults: [],
  outages: [],
  sweepsMs: [],
  ...more,
});

const two = [segment(), segment()];
const lateLast = (lateMs: number) => [segment(), segment(), segment({ lateMs })];

describe('a schedule that showed a difference once', () => {
  it.each<[string, Schedule]>([
    [
      'a last segment after the end does not shorten the reconnect window',
      schedule([broadcast([session(lateLast(2000))]), broadcast([session(two)], { pauseMs: 9000 })], {
        settings: { reconnectWindowMs: 20_000 },
      }),
    ],
    [
      'a last segment after the end, under a name that the encoder used before it restarted',
      schedule([broadcast([session([...two, ...two]), session(lateLast(2500), { pauseMs: 11_000 })])]),
    ],
    [
      'a late segment of a stream that came back since, under a name and behind a number that were used again',
      schedule(
        [
          broadcast([session([segment({ damage: 'empty' })]), session([segment(), segment({ lateMs: 10_900 })])]),
          broadcast([session(two)], { pauseMs: 500 }),
        ],
        { settings: { reconnectWindowMs: 20_000 } },
      ),
    ],
    [
      'a first segment that was cut off and comes late',
      schedule([
        broadcast([
          session([segment({ damage: 'truncated', lateMs: 3500 }), ...two, segment(), segment({ lateMs: 4800 })]),
        ]),
      ]),
    ],
    [
      'a start and an end told by hosts whose clocks differ',
      schedule(
        [
          broadcast([session(two)], { ended: [] }),
          broadcast([session([segment({ told: [] }), ...two])], { pauseMs: 1100 }),
        ],
        { skewMs: { streams: 0, store: 100, webhook: 0, segments: 4000, finalizer: -3900, poller: 2900 } },
      ),
    ],
    [
      'a restarted encoder’s first segment after the end, its clock going on and its name used before',
      schedule([
        broadcast([session([segment(), segment({ told: [] })]), session([segment()], { clock: 'goes-on' })]),
        broadcast([session(two)], { pauseMs: 500 }),
      ]),
    ],
    [
      'a segment between two of its encoder, under a name used before, after the next start',
      schedule([
        broadcast([
          session([...two, segment()]),
          session([segment(), segment({ lateMs: 5000, told: [] }), segment({ lateMs: 500 })]),
        ]),
        broadcast([session([segment({ lateMs: 3000, told: [] }), segment()])], { pauseMs: 1000 }),
      ]),
    ],
    [
      'an end that is told after the next start, both of one second',
      schedule([
        broadcast([session([segment({ lateMs: 500 })])], { ended: [600] }),
        broadcast([session([...two, segment()])], { pauseMs: 500 }),
      ]),
    ],
    [
      'a broadcast whose events come while the next one of its stream is running',
      schedule([
        broadcast([session(two)], { started: [25_600], ended: [5500] }),
        broadcast([session([...two, segment()])], { pauseMs: 3600 }),
      ]),
    ],
    [
      'encoders that begin alike, and one of them goes on with its numbers behind a restart',
      schedule(
        [
          broadcast([session([segment({ lateMs: 500 })])], { ended: [1000] }),
          broadcast(
            [
              session([segment(), segment({ told: [] })]),
              session([segment(), segment({ lateMs: 10_000 })], { numbers: 'go-on' }),
            ],
            { pauseMs: 11_000 },
          ),
        ],
        { settings: { sameClock: true } },
      ),
    ],
    [
      'a start that was lost while neither the store nor the Stream Service could be asked',
      schedule(
        [
          broadcast(
            [
              session([...two, segment({ lateMs: 3000 }), ...two]),
              session([segment({ lateMs: 500 })], { pauseMs: 4000, clock: 'goes-on' }),
            ],
            { started: [] },
          ),
        ],
        {
          outages: [
            { target: 'store', fromMs: 11_900, forMs: 9300 },
            { target: 'streams', fromMs: 0, forMs: 21_200 },
          ],
        },
      ),
    ],
    [
      'a start that only polling tells, in the second of the end before it',
      schedule(
        [
          broadcast([session([segment()]), session([segment({ told: [1000] })], { pauseMs: 2900 })]),
          broadcast([session([segment({ damage: 'empty', told: [1000] })])], { pauseMs: 3100 }),
          broadcast(
            [
              session([segment(), segment({ lateMs: 3000 }), segment()]),
              session([segment({ told: [] })], { numbers: 'go-on' }),
            ],
            { pauseMs: 500, started: [] },
          ),
        ],
        { outages: [{ target: 'database', fromMs: 20_100, forMs: 5700 }] },
      ),
    ],
    [
      'a broadcast whose end seems to be before its only segment, which fits in front of another one’s',
      schedule(
        [
          broadcast([session([segment({ damage: 'never' }), segment({ told: [6300] })])], { started: [] }),
          broadcast([session([segment()])], { stream: 'other', pauseMs: 10_200 }),
        ],
        { settings: { sameClock: true } },
      ),
    ],
    [
      'a broadcast of which nothing is captured before its end, and whose last segment fits an earlier one’s',
      schedule(
        [
          broadcast([session([segment()])]),
          broadcast([session([segment()])], { pauseMs: 9300 }),
          broadcast([session(two)], { pauseMs: 27_800 }),
        ],
        { settings: { sameClock: true }, outages: [{ target: 'store', fromMs: 40_400, forMs: 26_200 }] },
      ),
    ],
    [
      'a part whose segments stand in another order by what comes after it',
      schedule(
        [
          broadcast([session([segment()])], { pauseMs: 3400 }),
          broadcast([session([segment({ lateMs: 7200 }), segment({ damage: 'html' }), segment()])], { pauseMs: 1400 }),
          broadcast([session([segment({ lateMs: 3000 }), segment()]), session([segment()], { pauseMs: 11_600 })], {
            pauseMs: 2200,
            started: [31_400],
          }),
        ],
        { seed: 152159651, settings: { reconnectWindowMs: 20_000, partSegments: 3 } },
      ),
    ],
  ])('%s', async (_title, one) => {
    expect((await playSchedule(bench, one)).differences).toEqual([]);
  });
});
