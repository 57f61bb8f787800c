/** Whose segment is it: every pair of broadcasts that share a stream key. */
import {
  type AssignOptions,
  assignSegment,
  type Candidate,
  type CapturedSegment,
  type SegmentObject,
} from '../../../lib/capture/broadcast.ts';
import { T0 } from './segments.ts';

const at = (second: number) => T0 + second * 1000;
const END_OF_9 = 126_000 + 10 * 180_000;

function recording(id: string, start: number, end: number | null, last: Partial<Candidate> = {}): Candidate {
  return {
    id,
    startedAtMs: at(start),
    endedAtMs: end === null ? null : at(end),
    status: end === null ? 'recording' : 'processing',
    lastNumber: null,
    lastEndDts90k: null,
    ...last,
  };
}

function segment(
  second: number,
  number: number | null,
  firstDts90k: number | null = number === null ? null : 126_000 + number * 180_000,
): SegmentObject {
  return { key: `k/segment_${number}.ts`, etag: `e${second}`, modifiedAtMs: at(second), number, firstDts90k };
}

/** A captured segment of two seconds, on the line of all others unless it says otherwise. */
const had = (number: number, first = 126_000 + number * 180_000, more: Partial<CapturedSegment> = {}) => ({
  number,
  firstDts90k: first,
  endDts90k: first + 180_000,
  modifiedAtMs: at(2 + 2 * number),
  isSameKey: false,
  ...more,
});
const sameKey = { isSameKey: true };

const last9 = { lastNumber: 9, lastEndDts90k: END_OF_9, near: [had(9)] };
/** All ten of an encoder, as they are found around one of the names that it used. */
const tenFrom = (number: number, first = 126_000) =>
  Array.from({ length: 10 }, (_, n) => had(n, first + n * 180_000, { isSameKey: n === number }));
const assign = (object: SegmentObject, candidates: Candidate[], options: Partial<AssignOptions> = {}) => {
  const result = assignSegment(object, candidates, { clockSlackMs: 2000, ...options });
  return 'recordingId' in result ? result.recordingId : result.ignore;
};

describe('with one recording', () => {
  const live = recording('A', 0, null);
  const ended = recording('A', 0, 20, last9);

  it.each<[string, SegmentObject, Candidate, string]>([
    ['while it is live', segment(10, 4), live, 'A'],
    ['before its start within the slack of the clocks', segment(-2, 0), live, 'A'],
    ['before its start: left over from an earlier broadcast', segment(-3, 0), live, 'before-start'],
    ['a day before', segment(-86_400, 7), live, 'before-start'],
    ['at its very end', segment(20, 9), ended, 'A'],
    ['right after its end, continuing it', segment(22, 10), ended, 'A'],
    ['minutes after its end, continuing it', segment(300, 10), ended, 'A'],
    ['an hour after its end, continuing it', segment(3600, 10), ended, 'after-end'],
    ['after its end, while the one before is on its way', segment(25, 11), ended, 'A'],
    ['after its end, into one of its holes', segment(35, 8), ended, 'A'],
    [
      'after its end, into one of its holes by number, though by its timestamps it is of another encoder',
      segment(25, 1, 900_000_000),
      recording('A', 0, 20, { lastNumber: 2, lastEndDts90k: 126_000 + 3 * 180_000, near: [had(0), had(2)] }),
      'after-end',
    ],
    [
      'after its end, of an encoder that restarted under a name that it had used, its clock going on',
      segment(21, 0, END_OF_9),
      { ...ended, near: [had(0, undefined, sameKey), had(9)] },
      'A',
    ],
    [
      'after its end, cut short as the one before it was, as far behind a whole one as their numbers say',
      { ...segment(21, 3, 900_360_000), endDts90k: 900_450_000, durationMs: 1000 },
      {
        ...ended,
        lastNumber: 2,
        near: [had(3, undefined, sameKey), had(1, 900_000_000), { ...had(2, 900_180_000), endDts90k: 900_270_000 }],
      },
      'A',
    ],
    [
      'after its end, as far behind one of its segments as their numbers say, where the one between was cut short',
      segment(21, 2, 900_360_000),
      {
        ...ended,
        near: [
          had(0),
          had(1),
          had(2, undefined, sameKey),
          had(0, 900_000_000),
          { ...had(1, 900_180_000), endDts90k: 900_270_000 },
        ],
      },
      'A',
    ],
    ['after its end, far beyond its numbers: another broadcast', segment(25, 40), ended, 'after-end'],
    ['after its end, from another clock: another broadcast', segment(25, 10, 90_000_000), ended, 'after-end'],
    [
      'after its end, far behind its numbers: another broadcast',
      segment(25, 0),
      recording('A', 0, 20, { lastNumber: 100, lastEndDts90k: 1 }),
      'after-end',
    ],
    [
      'after its end, under a name it has: another broadcast',
      segment(35, 3),
      { ...ended, near: tenFrom(3) },
      'after-end',
    ],
    [
      'after its end, under a name that its encoder used before it restarted with another clock',
      segment(22, 3, 900_000_000),
      { ...ended, near: [...tenFrom(3), had(2, 900_000_000 - 180_000)] },
      'A',
    ],
    [
      'after its end, continuing an encoder before the one that came last, under a name that both used',
      segment(22, 3, 900_000_000),
      {
        ...ended,
        near: [
          ...tenFrom(3),
          had(2, 900_000_000 - 180_000),
          had(2, 500_000_000 - 180_000),
          had(3, 500_000_000, sameKey),
        ],
      },
      'A',
    ],
    [
      'after its end, where an encoder before the one that came last has the media of its name',
      segment(60, 3, 900_000_000),
      { ...ended, near: [had(2, 900_000_000 - 180_000), had(3, 900_000_000, sameKey), ...tenFrom(3)] },
      'after-end',
    ],
    [
      'after its end, under a name it has, with a number that another broadcast cannot have reached yet',
      segment(22, 10),
      { ...ended, near: [had(9), had(10, undefined, sameKey)] },
      'A',
    ],
    [
      'after its end, under a name it has, with a number that another broadcast may have reached',
      segment(60, 10),
      { ...ended, near: [had(9), had(10, undefined, sameKey)] },
      'after-end',
    ],
    [
      'after its end, continuing one of its segments though not the one that came last',
      segment(22, 5, 900_000_000),
      { ...ended, lastNumber: 3, lastEndDts90k: 1_000_000, near: [had(4, 900_000_000 - 180_000)] },
      'A',
    ],
    ['soon after its end, nothing known of it', segment(40, null), ended, 'A'],
    ['long after its end, nothing known of it', segment(60, null), ended, 'after-end'],
  ])('an object %s', (_name, object, candidate, expected) => {
    expect(assign(object, [candidate])).toBe(expected);
  });
});

describe('with two recordings of a key', () => {
  const first = recording('A', 0, 20, last9);
  const second = recording('B', 23, null);

  it.each<[string, SegmentObject, Candidate[], string]>([
    ['after both starts is the newer one’s', segment(27, 1), [first, second], 'B'],
    ['is found whatever the order of the candidates', segment(27, 1), [second, first], 'B'],
    ['that exactly continues the ended one is its late last segment', segment(26, 10), [first, second], 'A'],
    ['that continues it by number alone is not', segment(26, 10, 0), [first, second], 'B'],
    ['that fits both is the running one’s', segment(44, 10), [first, { ...second, ...last9 }], 'B'],
    [
      'that fits both, one ahead, is the running one’s',
      segment(44, 10),
      [first, { ...second, lastNumber: 8, lastEndDts90k: END_OF_9 - 180_000, near: [had(8)] }],
      'B',
    ],
    ['before the newer one’s start, still within the older', segment(19, 9), [first, recording('B', 20.5, null)], 'A'],
    ['between them within the slack is the newer one’s', segment(22, 0), [first, second], 'B'],
    ['between them before the slack continues the older', segment(20.5, 10), [first, second], 'A'],
    [
      'that seems to be before the newer one’s start, under a name of the older that it does not continue, is the newer one’s',
      segment(19, 0, 900_000_000),
      [{ ...first, near: tenFrom(0) }, recording('B', 20.5, null)],
      'B',
    ],
    [
      'well before the newer one’s start, under a name of the older that it does not continue, is its restarted encoder’s',
      segment(17, 0, 900_000_000),
      [{ ...first, near: tenFrom(0) }, recording('B', 20.5, null)],
      'A',
    ],
    ['that continues the older long after is not taken', segment(900, 10), [first, second], 'B'],
    [
      'that continues the older under a name it has is the newer one’s',
      segment(26, 10),
      [{ ...first, near: [had(9), had(10, undefined, sameKey)] }, second],
      'B',
    ],
    [
      'that fills a hole of the older, before the newer one can have come so far, is the older one’s',
      { ...segment(27, 5), endDts90k: 126_000 + 6 * 180_000 },
      [
        { ...first, near: [had(4)] },
        {
          ...second,
          lastNumber: 0,
          lastEndDts90k: 126_000 + 180_000,
          lastModifiedAtMs: at(25),
          near: [had(0, undefined, { modifiedAtMs: at(25) })],
        },
      ],
      'A',
    ],
    [
      'that fills a hole of the older when the newer one has come so far is the newer one’s',
      { ...segment(34, 5), endDts90k: 126_000 + 6 * 180_000 },
      [
        { ...first, near: [had(6)] },
        { ...second, lastNumber: 3, lastEndDts90k: 126_000 + 4 * 180_000, lastModifiedAtMs: at(31), near: [had(3)] },
      ],
      'B',
    ],
    [
      'that fits the hole of both is the running one’s',
      { ...segment(27, 5), endDts90k: 126_000 + 6 * 180_000 },
      [
        { ...first, near: [had(4)] },
        { ...second, lastNumber: 4, lastEndDts90k: 126_000 + 5 * 180_000, lastModifiedAtMs: at(26.9), near: [had(4)] },
      ],
      'B',
    ],
    [
      'that would continue the older, but comes as the first of the newer one, is the newer one’s',
      { ...segment(25, 0), endDts90k: 126_000 + 180_000 },
      [{ ...first, near: [had(1)] }, second],
      'B',
    ],
    [
      'of a restarted encoder whose clock begins as all others do is the running one’s, though it fits the older',
      segment(29, 1),
      [
        { ...first, lastNumber: 0, near: [had(0)] },
        { ...second, lastNumber: 0, near: [had(0), had(1, undefined, sameKey), had(0)] },
      ],
      'B',
    ],
    [
      'of a restarted encoder is the running one’s, though its first segment is not there yet and it fits the older',
      segment(29, 1),
      [
        { ...first, lastNumber: 0, near: [had(0)] },
        { ...second, lastNumber: 1, near: [had(0), had(1, undefined, sameKey)] },
      ],
      'B',
    ],
    [
      'that is next in the newer one, where one before it has just come late, is that one’s though it is in line with the older',
      segment(33, 4),
      [
        { ...first, lastNumber: 1, near: [had(1)] },
        {
          ...second,
          lastNumber: 1,
          lastModifiedAtMs: at(32.5),
          near: [had(3, undefined, { modifiedAtMs: at(31) }), had(1, undefined, { modifiedAtMs: at(32.5) })],
        },
      ],
      'B',
    ],
    [
      'that continues the older by its clock alone, is the newer one’s whose numbers it continues too',
      segment(29, 3, END_OF_9),
      [
        { ...first, lastNumber: 0, near: [had(0, END_OF_9 - 180_000)] },
        { ...second, lastNumber: 2, near: [had(0, END_OF_9 - 180_000), had(1, END_OF_9), had(2, END_OF_9 - 180_000)] },
      ],
      'B',
    ],
    [
      'that continues the older, when the newer one has nothing yet and may have come so far, is the older one’s',
      segment(29, 2, 900_000_000),
      [{ ...first, near: [had(1, 900_000_000 - 180_000, { modifiedAtMs: at(19) })] }, second],
      'A',
    ],
    [
      'that continues what the older captured since the newer one’s start, and is due in that one, is the newer one’s',
      segment(29, 2, 900_000_000),
      [{ ...first, near: [had(1, 900_000_000 - 180_000, { modifiedAtMs: at(27) })] }, second],
      'B',
    ],
    [
      'that the older’s first one continues, a moment before the newer one can have made it, is the newer one’s',
      { ...segment(23.5, 0), endDts90k: 126_000 + 180_000 },
      [{ ...first, near: [had(1)] }, second],
      'B',
    ],
    [
      'that the older’s first one continues, soon after the end of a newer one that has nothing yet, is the newer one’s',
      { ...segment(33, 0), endDts90k: 126_000 + 180_000 },
      [
        { ...first, near: [had(1)] },
        { ...second, endedAtMs: at(30) },
      ],
      'B',
    ],
    [
      'that the older’s first one continues, long after the end of a newer one that has nothing, is the older one’s',
      { ...segment(63, 0), endDts90k: 126_000 + 180_000 },
      [
        { ...first, near: [had(1)] },
        { ...second, endedAtMs: at(30) },
      ],
      'A',
    ],
    [
      'that counts anew where the clock of the older goes on, when the newer one is due, is the newer one’s',
      segment(26, 0, END_OF_9),
      [first, second],
      'B',
    ],
    [
      'that the older’s first one continues, when the newer one is due, is the older one’s where clocks do not begin alike',
      { ...segment(26, 0, 900_000_000), endDts90k: 900_180_000 },
      [{ ...first, near: [had(1, 900_180_000)] }, second],
      'A',
    ],
    [
      'that continues what the older captured about the newer one’s start, of those from before, is the older one’s',
      segment(29.5, 2, 900_000_000),
      [
        {
          ...first,
          near: [
            had(0, 900_000_000 - 360_000, { modifiedAtMs: at(22) }),
            had(1, 900_000_000 - 180_000, { modifiedAtMs: at(24) }),
          ],
        },
        second,
      ],
      'A',
    ],
    [
      'that fits the older when the newer one is due, its first one late, is the newer one’s where clocks begin alike',
      segment(27, 1),
      [{ ...first, near: [had(0)] }, second],
      'B',
    ],
    [
      'that counts anew where the clock of the older ended, long after, is the running one’s though that has others',
      segment(47, 0, END_OF_9),
      [
        first,
        { ...second, lastNumber: 2, lastModifiedAtMs: at(29), near: [had(0, undefined, sameKey), had(1), had(2)] },
      ],
      'B',
    ],
    [
      'that counts anew where the clock of the older goes on, before the newer one can have made any, is the older one’s',
      segment(23.5, 0, END_OF_9),
      [first, second],
      'A',
    ],
    [
      'that fills a hole of the older, under a name that both encoders of that one used, is the older one’s',
      { ...segment(27, 1, 900_180_000), endDts90k: 900_360_000 },
      [{ ...first, near: [...tenFrom(1), had(0, 900_000_000), had(2, 900_360_000)] }, second],
      'A',
    ],
    [
      'that continues nothing, after the newer one’s end while the older runs, is the running one’s',
      segment(45, 0, 900_000_000),
      [recording('A', 0, null, last9), recording('B', 23, 40, { lastNumber: 8, lastEndDts90k: 1, near: [] })],
      'A',
    ],
  ])('an object %s', (_name, object, candidates, expected) => {
    expect(assign(object, candidates)).toBe(expected);
  });

  it('that overlap, each segment goes to the newest but for those that continue the older exactly', () => {
    const older = recording('A', 0, null, last9);
    const newer = recording('B', 10, null, { lastNumber: 1, lastEndDts90k: 126_000 + 2 * 180_000, near: [had(1)] });
    expect(assign(segment(22, 10), [older, newer])).toBe('A');
    expect(assign(segment(22, 2), [older, newer])).toBe('B');
  });

  it('that follow, a first number with the older’s clock going on is the older’s, but where both may have begun near zero', () => {
    const far = 900_000_000;
    const older = (first: number) =>
      recording('A', 0, 20, {
        lastNumber: 9,
        lastEndDts90k: first + 180_000,
        near: [had(9, first, { modifiedAtMs: at(20) })],
      });
    expect(assign(segment(24, 0, far + 180_000), [older(far), recording('B', 22, null)])).toBe('A');
    expect(assign(segment(24, 0, 126_000), [older(126_000 - 180_000), recording('B', 22, null)])).toBe('B');
  });

  it('that follow, a restarted encoder’s first one is the running one’s though its clock is just before what the older has', () => {
    const older = recording('A', 0, 30, { lastNumber: 6, lastEndDts90k: 2_466_000, near: [had(2, 1_566_000)] });
    const running = recording('B', 50, null, {
      lastNumber: 2,
      lastEndDts90k: 666_000,
      near: [had(0, 126_000, sameKey)],
    });
    expect(assign(segment(68, 0, 1_197_000), [older, running])).toBe('B');
  });

  it('that ended, an encoder that restarts after a single segment goes on with it under the same name', () => {
    const far = 900_000_000;
    const ended = recording('A', 0, 20, { lastNumber: 0, lastEndDts90k: far + 180_000, near: [had(0, far, sameKey)] });
    expect(assign(segment(30, 0, far + 180_000), [ended])).toBe('A');
    expect(assign(segment(30, 0, far + 900_000), [ended])).toBe('after-end');
  });

  it('that overlap, a first segment that seems to be there sooner than made is the newer’s as far as clocks may differ', () => {
    const older = recording('A', 0, null, { lastNumber: 0, near: [had(0, 900_000_000, sameKey)] });
    expect(assign(segment(17.1, 0), [older, recording('B', 20, null)], { clockSlackMs: 10_000 })).toBe('B');
    expect(assign(segment(16.9, 0), [older, recording('B', 20, null)], { clockSlackMs: 10_000 })).toBe('A');
  });

  it('that both ended, one in the second of the newer’s end that fits in front of the older is the newer’s', () => {
    const older = recording('A', 0, 8, { lastNumber: 1, lastEndDts90k: 126_000 + 2 * 180_000, near: [had(1)] });
    expect(assign(segment(22.5, 0), [older, recording('B', 20, 22)])).toBe('B');
    const has = recording('B', 20, 22, { lastNumber: 0, lastEndDts90k: 306_000, near: [had(0, 126_000, sameKey)] });
    expect(assign(segment(22.5, 0), [recording('A', 0, 8), has])).toBe('after-end');
  });

  it('that both ended, a stray object is left out', () => {
    const both = [first, recording('B', 23, 40, last9)];
    expect(assign(segment(100, 77), both)).toBe('after-end');
  });
});

describe('what is sure', () => {
  const isSure = (object: SegmentObject, candidates: Candidate[]) => {
    const result = assignSegment(object, candidates, { clockSlackMs: 2000 });
    return 'isSure' in result && result.isSure;
  };
  const [ended, running] = [recording('A', 0, 20, last9), recording('B', 23, null)];

  it.each<[string, boolean, SegmentObject, Candidate[]]>([
    ['the time alone, of the only recording', true, segment(10, 4), [recording('A', 0, null)]],
    ['the time alone, of one of several', false, segment(27, 0, 900_000_000), [ended, running]],
    [
      'media that continues one of several',
      true,
      segment(27, 1),
      [ended, { ...running, lastNumber: 0, near: [had(0)] }],
    ],
    ['media that continues the older, where the newer has nothing yet', false, segment(27, 10), [ended, running]],
    ['the same, a moment before the newer one’s start', false, segment(22.9, 10), [ended, running]],
    ['the same, a moment after the newer one’s end', false, segment(41.9, 10), [ended, recording('B', 23, 40)]],
    ['the same, well after the newer one’s end', true, segment(43, 10), [ended, recording('B', 23, 40)]],
    ['a number that may be a late one’s', false, segment(22, 10, END_OF_9 + 900_000), [ended]],
    ['one that has no timestamps', true, segment(22, 10, null), [ended]],
  ])('%s: %s', (_name, expected, object, candidates) => {
    expect(isSure(object, candidates)).toBe(expected);
  });
});

describe('without a choice', () => {
  it('what was captured stays where it is', () => {
    expect(assign(segment(5, 1), [recording('A', 0, null)], { capturedBy: 'Z' })).toBe('already-captured');
  });

  it('no recording takes nothing', () => {
    expect(assign(segment(5, 1), [])).toBe('no-recording');
  });

  it('the grace after the end is configurable', () => {
    const ended = recording('A', 0, 20, last9);
    expect(assign(segment(26, 10), [ended], { endGraceMs: 5000 })).toBe('after-end');
    expect(assign(segment(25, 10), [ended], { endGraceMs: 5000 })).toBe('A');
  });
});
