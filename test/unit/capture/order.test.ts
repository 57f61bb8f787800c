/** The order of captured segments in every situation that streams have been seen in. */
import { type OrderRow, orderSegments } from '../../../lib/capture/order.ts';
import { row, rows, T0 } from './segments.ts';

function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map((item, i) => ({ item, key: (i * 7919 + 13) % 101 }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item);
}

function ids(all: readonly OrderRow[], ...rest: [Parameters<typeof orderSegments>[1]?]): string {
  return orderSegments(shuffled(all), ...rest)
    .ordered.map(({ row: { id }, epoch }) => `${epoch}:${id}`)
    .join(' ');
}

const listing = (take: string, epoch: number, from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => `${epoch}:${take}${from + i}`).join(' ');

/** The same with timestamps that are later by `ticks`. */
const shifted = (all: readonly OrderRow[], ticks: number): OrderRow[] =>
  all.map((one) => ({
    ...one,
    firstDts90k: (one.firstDts90k ?? 0) + ticks,
    endDts90k: (one.endDts90k ?? 0) + ticks,
  }));

describe('one numbering', () => {
  it('is ordered by the numbers in the names', () => {
    expect(ids(rows(0, 12, 2))).toBe(listing('a', 0, 0, 12));
  });

  it('is ordered by number, not by name or time, where uploads overtake each other', () => {
    expect(
      ids([
        row({ number: 9, at: 20 }),
        row({ number: 10, at: 19 }),
        row({ number: 11, at: 22 }),
        row({ number: 8, at: 22 }),
      ]),
    ).toBe(listing('a', 0, 8, 11));
  });

  it('takes a segment whose upload was retried for a quarter of a minute', () => {
    expect(ids([...rows(0, 3, 2), row({ number: 4, at: 27 }), ...rows(5, 14, 12)])).toBe(listing('a', 0, 0, 14));
  });

  it('takes the very first segment late, once the numbering has gone on', () => {
    expect(ids([row({ number: 0, at: 37 }), ...rows(1, 25, 4)])).toBe(listing('a', 0, 0, 25));
  });

  it('takes the very first segment a minute late, though its clock jumps and it pauses later', () => {
    const jumped = shifted(rows(60, 80, 224), 9_000_000);
    const first = row({ number: 0, at: 63 });
    expect(ids([first, ...rows(1, 39, 4), ...rows(40, 59, 122), ...jumped])).toBe(listing('a', 0, 0, 80));
  });

  it('takes the very first segment late though it was cut off and does not touch the next', () => {
    const cut = { ...row({ number: 0, at: 6 }), endDts90k: 126_000 + 90_000, durationMs: 1000 };
    expect(ids([...rows(1, 3, 4), cut, row({ number: 4, at: 15 })])).toBe(listing('a', 0, 0, 4));
  });

  it('takes the very first segment late though the one behind it is lost', () => {
    const late = row({ number: 2, at: 15.1 });
    expect(ids([late, ...rows(4, 9, 7.8)])).toBe(`0:a2 ${listing('a', 0, 4, 9)}`);
  });

  it('takes the first two late, the very first one cut off, where its clock is set anew behind them', () => {
    const cut = row({ number: 0, at: 23, take: 'b', seconds: 1 });
    const rest = [row({ number: 1, at: 24, take: 'b' }), ...rows(2, 4, 20, { take: 'b' })];
    const anew = rows(5, 8, 26, { take: 'b' }).map((one, i) => ({
      ...one,
      firstDts90k: 900_000_000 + i * 180_000,
      endDts90k: 900_180_000 + i * 180_000,
    }));
    expect(ids([...rows(0, 4, 2), cut, ...rest, ...anew])).toBe(`${listing('a', 0, 0, 4)} ${listing('b', 1, 0, 8)}`);
  });

  it('takes a backlog that is uploaded newest first after an outage of five minutes', () => {
    const backlog = [...rows(5, 60, 0)].map((one, i) => ({ ...one, modifiedAtMs: T0 + (420 - i) * 1000 }));
    expect(ids([...rows(0, 4, 2), ...backlog, ...rows(61, 70, 422)])).toBe(listing('a', 0, 0, 70));
  });

  it('goes on where only the timestamps are set anew', () => {
    const anew = rows(5, 9, 12).map((one, i) => ({
      ...one,
      firstDts90k: 126_000 + i * 180_000,
      endDts90k: 306_000 + i * 180_000,
    }));
    expect(ids([...rows(0, 4, 2), ...anew])).toBe(listing('a', 0, 0, 9));
  });

  it('gives a restarted encoder its first segment though it came last and nothing tells them apart but their clocks', () => {
    const restarted = shifted(rows(0, 3, 9, { take: 'b' }), 2_000_000_000).map((one) => ({
      ...one,
      modifiedAtMs: one.number === 0 ? T0 + 16_000 : one.modifiedAtMs,
    }));
    expect(ids([row({ number: 0, at: 2 }), ...restarted])).toBe(`${listing('a', 0, 0, 0)} ${listing('b', 1, 0, 3)}`);
  });

  it('goes on where the timestamps are set anew after a pause, though a restart follows at once', () => {
    const anew = rows(4, 5, 22).map((one, i) => ({
      ...one,
      firstDts90k: 5_000_000_000 + i * 180_000,
      endDts90k: 5_000_180_000 + i * 180_000,
    }));
    const restarted = shifted(rows(0, 3, 28, { take: 'b' }), 2_000_000_000);
    expect(ids([...rows(0, 3, 2), ...anew, ...restarted])).toBe(`${listing('a', 0, 0, 5)} ${listing('b', 1, 0, 3)}`);
  });

  it('crosses the wrap of the timestamps', () => {
    const wrapping = rows(0, 5, 2).map((one, i) => {
      const first = (2 ** 33 - 400_000 + i * 180_000) % 2 ** 33;
      return { ...one, firstDts90k: first, endDts90k: first + 180_000 };
    });
    const order = orderSegments(shuffled(wrapping));
    expect(order.ordered.map(({ row: { id } }) => id).join(' ')).toBe('a0 a1 a2 a3 a4 a5');
    expect(order.gaps).toEqual([]);
  });

  it('without timestamps is ordered all the same', () => {
    expect(ids(rows(0, 9, 2, { firstDts: null }))).toBe(listing('a', 0, 0, 9));
  });

  it('of object times in whole seconds is ordered by number', () => {
    expect(ids(rows(0, 9, 2, { seconds: 1 }).map((one) => ({ ...one, modifiedAtMs: T0 })))).toBe(listing('a', 0, 0, 9));
  });
});

describe('a backlog that is uploaded at once', () => {
  const total = 15;

  it.each([
    ['half', (number: number) => number < 7],
    ['every second', (number: number) => number % 2 === 1],
  ])('within one second of the store’s clock is one numbering where the playlist lists %s of it', (_, isListed) => {
    const burst = rows(0, total - 1, 0).map((one) => ({
      ...one,
      modifiedAtMs: T0 + 4000,
      playlistSequence: isListed(one.number ?? 0) ? one.number : null,
    }));
    expect(ids(burst)).toBe(listing('a', 0, 0, total - 1));
  });

  it('over parallel connections is one numbering, whatever comes first', () => {
    for (let turn = 0; turn < total; turn++) {
      const burst = rows(0, total - 1, 0).map((one, i) => ({
        ...one,
        modifiedAtMs: T0 + ((i * 7 + turn) % total) * 40,
      }));
      expect(ids(burst)).toBe(listing('a', 0, 0, total - 1));
    }
  });

  it('second half first is one numbering too', () => {
    const burst = rows(0, total - 1, 0).map((one, i) => ({ ...one, modifiedAtMs: T0 + ((i + 8) % total) * 40 }));
    expect(ids(burst)).toBe(listing('a', 0, 0, total - 1));
  });

  it('is none where the encoder restarted and its new segments end where its old ones began', () => {
    const restarted = rows(0, 6, 46, { take: 'b' });
    expect(ids([...rows(7, 14, 30), ...restarted])).toBe(`${listing('a', 0, 7, 14)} ${listing('b', 1, 0, 6)}`);
  });
});

describe('an encoder that restarts', () => {
  it('over the same names begins a new epoch', () => {
    expect(ids([...rows(0, 9, 2), ...rows(0, 9, 35, { take: 'b' })])).toBe(
      `${listing('a', 0, 0, 9)} ${listing('b', 1, 0, 9)}`,
    );
  });

  it('three times over is three new epochs', () => {
    const all = ['a', 'b', 'c', 'd'].flatMap((take, i) => rows(0, 4, i * 25, { take }));
    expect(ids(all)).toBe(['a', 'b', 'c', 'd'].map((take, i) => listing(take, i, 0, 4)).join(' '));
  });

  it('is noticed when the old begin was never captured', () => {
    expect(ids([...rows(100, 120, 2), ...rows(0, 5, 52, { take: 'b' })])).toBe(
      `${listing('a', 0, 100, 120)} ${listing('b', 1, 0, 5)}`,
    );
  });

  it('is noticed when its first repeated number comes after some that were free', () => {
    expect(ids([...rows(3, 8, 8), ...rows(0, 6, 25, { take: 'b' })])).toBe(
      `${listing('a', 0, 3, 8)} ${listing('b', 1, 0, 6)}`,
    );
  });

  it('is noticed when its first two segments overtake each other', () => {
    const restarted = [
      row({ number: 1, at: 30, take: 'b' }),
      row({ number: 0, at: 31, take: 'b' }),
      ...rows(2, 6, 33, { take: 'b' }),
    ];
    expect(ids([row({ number: 0, at: 2 }), ...restarted])).toBe(`0:a0 ${listing('b', 1, 0, 6)}`);
  });

  it('is noticed when the number before the first captured one was free', () => {
    expect(ids([...rows(1, 8, 4), ...rows(0, 6, 25, { take: 'b' })])).toBe(
      `${listing('a', 0, 1, 8)} ${listing('b', 1, 0, 6)}`,
    );
  });

  it('is noticed when a later segment overtakes the first repeated one', () => {
    const restarted = [
      row({ number: 2, at: 30, take: 'b' }),
      ...rows(0, 1, 31, { take: 'b' }),
      ...rows(3, 6, 35, { take: 'b' }),
    ];
    expect(ids([...rows(0, 1, 2), ...restarted])).toBe(`${listing('a', 0, 0, 1)} ${listing('b', 1, 0, 6)}`);
  });

  it('is noticed when its first upload is retried while its others go on the old end without a seam', () => {
    const restarted = [...rows(1, 9, 34, { take: 'b' }), row({ number: 0, at: 46.5, take: 'b' })];
    expect(ids([row({ number: 0, at: 2 }), ...restarted])).toBe(`0:a0 ${listing('b', 1, 0, 9)}`);
  });

  it('keeps its late segment when it restarts at once and counts anew, its clock going on', () => {
    const all = [...rows(0, 0, 2), row({ number: 2, at: 6 }), row({ number: 1, at: 7.1 })];
    expect(ids([...all, row({ number: 0, at: 8.1, take: 'b', firstDts: 126_000 + 3 * 180_000 })])).toBe(
      `${listing('a', 0, 0, 2)} 1:b0`,
    );
  });

  it('keeps its late segment behind a hole, though by the time it would go on the next numbering', () => {
    const anew = (number: number, at: number) =>
      row({ number, at, take: 'b', firstDts: 900_000_000 + number * 180_000 });
    const order = orderSegments([...rows(0, 0, 7), anew(0, 14), row({ number: 2, at: 15 }), anew(1, 16)]);
    expect(order.ordered.map(({ row: { id }, epoch }) => `${epoch}:${id}`)).toEqual(['0:a0', '0:a2', '1:b0', '1:b1']);
    expect(order.gaps).toMatchObject([{ from: 1, to: 1, afterId: 'a0' }]);
  });

  it('goes on with its numbers behind a restart, though its clock begins as the first one’s did', () => {
    const again = row({ number: 0, at: 23.4, take: 'b', firstDts: 1_593_000 });
    const anew = Array.from({ length: 3 }, (_, i) =>
      row({ number: i + 1, at: 26.7 + 2 * i, take: 'b', firstDts: 126_000 + i * 180_000 }),
    );
    expect(ids([row({ number: 0, at: 7.1 }), again, ...anew])).toBe(`0:a0 ${listing('b', 1, 0, 3)}`);
  });

  it('is noticed when its first upload is retried, its second goes on the old end, and it restarts once more', () => {
    const later = [
      row({ number: 1, at: 11.1, take: 'b', firstDts: 5e8 }),
      row({ number: 0, at: 13, take: 'b', firstDts: 5e8 - 180_000 }),
    ];
    const third = [2, 3].map((number) =>
      row({ number, at: 10.1 + number * 2, take: 'c', firstDts: 9e8 + number * 180_000 }),
    );
    expect(ids([row({ number: 0, at: 8 }), ...later, ...third])).toBe('0:a0 1:b0 1:b1 1:c2 1:c3');
  });

  it('leaves a single old segment where it is', () => {
    expect(ids([row({ number: 10, at: 33 }), row({ number: 0, at: 37, take: 'b' })])).toBe('0:a10 1:b0');
  });

  it('with another clock fills no hole, even where its other segments are lost', () => {
    const other = row({ number: 5, at: 25, take: 'b', firstDts: 9_000_000 });
    expect(ids([...rows(0, 4, 2), ...rows(6, 9, 14), other])).toBe(
      `${listing('a', 0, 0, 4)} ${listing('a', 0, 6, 9)} 1:b5`,
    );
  });

  it('does not swallow the last segment of the old numbering that comes after it', () => {
    const late = row({ number: 10, at: 31 });
    expect(ids([...rows(0, 9, 2), ...rows(0, 5, 26, { take: 'b' }), late])).toBe(
      `${listing('a', 0, 0, 10)} ${listing('b', 1, 0, 5)}`,
    );
  });

  it('at a much higher number begins a new epoch instead of a giant gap', () => {
    const order = orderSegments([
      ...rows(0, 9, 2),
      ...rows(1_696_520_000, 1_696_520_004, 35, { take: 'b', firstDts: null }),
    ]);
    expect(order.ordered.map(({ epoch }) => epoch).join('')).toBe('000000000011111');
    expect(order.gaps).toEqual([]);
  });

  it('fills no hole of the old numbering', () => {
    const order = orderSegments([...rows(0, 4, 2), ...rows(6, 9, 14), ...rows(0, 9, 35, { take: 'b' })]);
    expect(order.ordered.map(({ row: { id } }) => id).join(' ')).toBe(
      'a0 a1 a2 a3 a4 a6 a7 a8 a9 b0 b1 b2 b3 b4 b5 b6 b7 b8 b9',
    );
    expect(order.gaps).toMatchObject([{ epoch: 0, from: 5, to: 5, missing: 1 }]);
  });

  it('at the same timestamps, behind a run in which one was cut off, takes nothing of that one’s', () => {
    const cut = { ...row({ number: 1, at: 4 }), endDts90k: 396_000, durationMs: 1000 };
    const first = [row({ number: 0, at: 2 }), cut, ...rows(2, 4, 6)];
    expect(ids([...first, ...rows(0, 1, 18, { take: 'b' })])).toBe(`${listing('a', 0, 0, 4)} ${listing('b', 1, 0, 1)}`);
  });

  it('and goes on after a pause, with its next number, though an older run might have had it as well', () => {
    const restarted = rows(0, 2, 14, { take: 'b' });
    const behind = shifted(rows(3, 4, 22, { take: 'b' }), 225_000);
    expect(ids([row({ number: 0, at: 2 }), ...restarted, ...behind])).toBe('0:a0 1:b0 1:b1 1:b2 1:b3 1:b4');
  });

  it('soon after another restart, keeps the segments behind a jump of its clock that an older run might have made much later', () => {
    const restarted = rows(0, 99, 19, { take: 'b' });
    const behind = shifted(rows(100, 104, 219, { take: 'b' }), 2_700_000);
    expect(ids([row({ number: 0, at: 2 }), ...restarted, ...behind])).toBe(`0:a0 ${listing('b', 1, 0, 104)}`);
  });

  it('soon after another restart, keeps what comes behind a late segment and a lost one', () => {
    const restarted = [...rows(0, 99, 16, { take: 'b' }), row({ number: 100, at: 223, take: 'b' })];
    const order = ids([row({ number: 0, at: 2 }), ...restarted, ...rows(102, 120, 220, { take: 'b' })]);
    expect(order).toBe(`0:a0 ${listing('b', 1, 0, 100)} ${listing('b', 1, 102, 120)}`);
  });
});

describe('the playlist', () => {
  it('rules where names count nothing', () => {
    const names = ['f3', '99', 'a1', '07', 'c5'];
    const listed = names.map((name, i) =>
      row({
        number: Number(name.replace(/\D/g, '')),
        at: 2 + i * 2,
        sequence: 40 + i,
        name: `${name}.ts`,
        firstDts: i * 180_000,
      }),
    );
    expect(orderSegments(shuffled(listed)).ordered.map(({ row: { name }, number }) => `${number}:${name}`)).toEqual([
      '40:f3.ts',
      '41:99.ts',
      '42:a1.ts',
      '43:07.ts',
      '44:c5.ts',
    ]);
  });

  it('lets time place an unlisted name among names that count nothing', () => {
    const digits = [731, 12, 555, 90, 4, 618];
    const hashed = digits.map((number, i) =>
      row({ number, at: 2 + i * 2, sequence: i === 3 ? null : 40 + i, name: `h${number}.ts`, firstDts: i * 180_000 }),
    );
    const { ordered } = orderSegments(shuffled(hashed));
    expect(ordered.map(({ row: { number } }) => number)).toEqual(digits);
  });

  it('gives names that it no longer lists their number by the offset of the others', () => {
    const order = orderSegments([
      ...rows(0, 3, 2),
      ...rows(4, 6, 10).map((one, i) => ({ ...one, playlistSequence: 104 + i })),
    ]);
    expect(order.ordered.map(({ number }) => number)).toEqual([100, 101, 102, 103, 104, 105, 106]);
  });

  it('joins names that are used in a circle into one numbering', () => {
    const ring = Array.from({ length: 25 }, (_, i) =>
      row({ number: i % 10, at: 2 + i * 2, sequence: i, firstDts: i * 180_000, take: `t${Math.floor(i / 10)}_` }),
    );
    const { ordered, gaps } = orderSegments(shuffled(ring));
    expect(ordered.map(({ number, epoch }) => epoch * 1000 + number)).toEqual(Array.from({ length: 25 }, (_, i) => i));
    expect(gaps).toEqual([]);
  });

  it('restarting with the encoder begins a new epoch', () => {
    const listed = (all: OrderRow[]) => all.map((one) => ({ ...one, playlistSequence: one.number }));
    expect(ids([...listed(rows(0, 5, 2)), ...listed(rows(0, 5, 25, { take: 'b' }))])).toBe(
      `${listing('a', 0, 0, 5)} ${listing('b', 1, 0, 5)}`,
    );
  });

  it('that lists more than was captured shows a gap at the end', () => {
    const order = orderSegments(
      rows(0, 4, 2).map((one) => ({ ...one, playlistSequence: (one.number ?? 0) + 7 })),
      undefined,
      [11, 12, 13].map((sequence) => ({ sequence, durationSeconds: 2 })),
    );
    expect(order.gaps).toEqual([
      { epoch: 0, from: 12, to: 13, missing: 2, missingMs: 4000, afterId: 'a4', beforeId: null },
    ]);
  });
});

describe('names of other kinds', () => {
  it('that carry a clock are ordered without false gaps', () => {
    const clock = rows(0, 8, 2).map((one, i) => ({
      ...one,
      number: 1_696_520_000_000 + i * 2000 + (i % 3) * 7,
      name: `${i}.ts`,
    }));
    const { ordered, gaps } = orderSegments(shuffled(clock));
    expect(ordered.map(({ row: { id } }) => id).join(' ')).toBe('a0 a1 a2 a3 a4 a5 a6 a7 a8');
    expect(gaps).toEqual([]);
  });

  it('that carry a clock show a gap where the media has one', () => {
    const clock = rows(0, 8, 2).map((one, i) => ({ ...one, number: 1_696_520_000_000 + i * 2000, name: `${i}.ts` }));
    const { gaps } = orderSegments(clock.filter((_, i) => i !== 4 && i !== 5));
    expect(gaps).toMatchObject([{ missing: 2, missingMs: 4000, afterId: 'a3', beforeId: 'a6' }]);
  });

  it('without any number are ordered by the clock of the media', () => {
    const nameless = rows(0, 6, 2).map((one, i) => ({
      ...one,
      number: null,
      name: `${'gcafbde'[i]}.ts`,
      modifiedAtMs: T0 + ([2, 5, 4, 8, 9, 12, 15][i] ?? 0) * 1000,
    }));
    expect(
      orderSegments(shuffled(nameless))
        .ordered.map(({ row: { id } }) => id)
        .join(' '),
    ).toBe('a0 a1 a2 a3 a4 a5 a6');
  });

  it('without number and clock are ordered by time', () => {
    const blind = rows(0, 6, 2, { firstDts: null }).map((one, i) => ({
      ...one,
      number: null,
      name: `${'gcafbde'[i]}.ts`,
    }));
    expect(
      orderSegments(shuffled(blind))
        .ordered.map(({ row: { id } }) => id)
        .join(' '),
    ).toBe('a0 a1 a2 a3 a4 a5 a6');
  });

  it('that end in the same digits are told apart by those that vary', () => {
    const named = rows(0, 11, 2).map((one, i) => ({ ...one, number: 720, name: `seg_${i}_720.ts` }));
    expect(orderSegments(shuffled(named)).ordered.map(({ number }) => number)).toEqual([
      0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11,
    ]);
  });

  it('mixed with a nameless one place it by its timestamps', () => {
    const nameless = { ...row({ number: 3, at: 8.5 }), number: null, name: 'extra.ts' };
    expect(
      orderSegments([...rows(0, 2, 2), nameless, ...rows(4, 6, 10)])
        .ordered.map(({ row: { id } }) => id)
        .join(' '),
    ).toBe('a0 a1 a2 a3 a4 a5 a6');
  });
});

describe('repetitions', () => {
  it('of name and ETag are one segment', () => {
    const again = { ...row({ number: 3, at: 40 }), id: 'again' };
    const order = orderSegments([...rows(0, 5, 2), again]);
    expect(order.ordered).toHaveLength(6);
    expect(order.duplicates).toEqual([{ row: again, keptId: 'a3', reason: 'same-object' }]);
  });

  it('with another ETag within the segment’s own duration replace it, the longer one wins', () => {
    const short = {
      ...row({ number: 2, at: 6, seconds: 6, take: 'short', firstDts: 1_206_000 }),
      durationMs: 3000,
      endDts90k: 1_476_000,
    };
    const others = [0, 1, 3].map((number) => row({ number, at: 6 * number, seconds: 6 }));
    const repaired = row({ number: 2, at: 9, seconds: 6 });
    const order = orderSegments([...others, short, repaired]);
    expect(order.ordered.map(({ row: { id } }) => id)).toEqual(['a0', 'a1', 'a2', 'a3']);
    expect(order.duplicates).toMatchObject([{ row: { id: 'short2' }, keptId: 'a2', reason: 'replaced' }]);
  });
});

describe('gaps', () => {
  it('are missing numbers between captured ones, with the media that is missing', () => {
    const order = orderSegments([...rows(5, 9, 2), ...rows(12, 14, 16)]);
    expect(order.gaps).toEqual([
      { epoch: 0, from: 10, to: 11, missing: 2, missingMs: 4000, afterId: 'a9', beforeId: 'a12' },
    ]);
    expect(order.ordered.filter(({ afterGap }) => afterGap).map(({ row: { id } }) => id)).toEqual(['a12']);
  });

  it('do not exist where the media goes on over a skipped number', () => {
    const skipping = rows(7, 9, 16).map((one, i) => ({
      ...one,
      firstDts90k: 126_000 + (6 + i) * 180_000,
      endDts90k: 306_000 + (6 + i) * 180_000,
    }));
    expect(orderSegments([...rows(0, 5, 2), ...skipping]).gaps).toEqual([]);
  });

  it('are found between short segments too', () => {
    const short = rows(0, 9, 2, { seconds: 0.5 }).filter((_, i) => i !== 4);
    expect(orderSegments(short).gaps).toMatchObject([{ from: 4, to: 4, missing: 1, missingMs: 500 }]);
  });

  it('are where another encoder’s segment stands in the place of one', () => {
    const stranger = row({ number: 4, at: 11, take: 'x', firstDts: 900_000_000 });
    const displaced = [...rows(0, 3, 2), stranger, ...rows(5, 8, 12)];
    expect(orderSegments(displaced).gaps).toEqual([
      { epoch: 0, from: 4, to: 4, missing: 1, missingMs: 2000, afterId: 'x4', beforeId: 'a5', isTaken: true },
    ]);
    // One encoder whose clock was set anew, with that segment or behind it, has lost nothing.
    const anew = rows(4, 8, 10, { take: 'b' }).map((one, i) => ({
      ...one,
      firstDts90k: 900_000_000 + i * 180_000,
      endDts90k: 900_180_000 + i * 180_000,
    }));
    expect(orderSegments([...rows(0, 3, 2), ...anew]).gaps).toEqual([]);
  });

  it('do not count the time before the first captured segment or between epochs', () => {
    expect(orderSegments([...rows(50, 55, 2), ...rows(3, 6, 90, { take: 'b' })]).gaps).toEqual([]);
  });
});

describe('what is committed', () => {
  it('stays, and what belongs before it is late', () => {
    const committed = [0, 1, 3].map((number, position) => row({ number, at: 2 + number * 2, position }));
    const order = orderSegments([
      ...committed,
      row({ number: 2, at: 30 }),
      row({ number: 4, at: 10 }),
      row({ number: 5, at: 12 }),
    ]);
    expect(order.ordered.map(({ row: { id } }) => id)).toEqual(['a0', 'a1', 'a3', 'a4', 'a5']);
    expect(order.late.map(({ row: { id } }) => id)).toEqual(['a2']);
    expect(order.gaps).toMatchObject([{ from: 2, to: 2 }]);
  });

  it('keeps its own order even where it would now be another', () => {
    const committed = [row({ number: 1, at: 4, position: 0 }), row({ number: 0, at: 2, position: 1 })];
    const order = orderSegments([...committed, row({ number: 2, at: 6 })]);
    expect(order.ordered.map(({ row: { id } }) => id)).toEqual(['a1', 'a0', 'a2']);
    expect(order.isMisplaced).toBe(true);
  });

  it('is told by a frontier where rows do not say it', () => {
    const order = orderSegments([...rows(0, 4, 2), ...rows(0, 4, 25, { take: 'b' })], { epoch: 1, number: 2 });
    expect(order.late.map(({ row: { id } }) => id).join(' ')).toBe('a0 a1 a2 a3 a4 b0 b1');
    expect(order.ordered.map(({ row: { id } }) => id).join(' ')).toBe('b2 b3 b4');
  });
});

describe('no rows', () => {
  it('have an order too', () => {
    expect(orderSegments([])).toEqual({
      ordered: [],
      late: [],
      isMisplaced: false,
      duplicates: [],
      gaps: [],
    });
  });
});
