import { concatList, quoted } from '../../../lib/ffmpeg/concat-list.ts';

describe('segments.txt', () => {
  it('has one line for one run', () => {
    expect(concatList([{ fileName: 'run-0.ts', start90k: 0 }])).toBe("file 'run-0.ts'\n");
  });

  it('says of each run but the last how long it is', () => {
    const list = concatList([
      { fileName: 'run-0.ts', start90k: 0 },
      { fileName: 'run-1.ts', start90k: 362_880 },
      { fileName: 'run-2.ts', start90k: 362_887 },
    ]);
    expect(list).toBe("file 'run-0.ts'\nduration 4.032000\nfile 'run-1.ts'\nduration 0.000078\nfile 'run-2.ts'\n");
  });

  it('places each of thousands of runs to the tick: rounding does not add up', () => {
    const starts = Array.from({ length: 5000 }, (_, at) => at * 7);
    const durations = [
      ...concatList(starts.map((start90k) => ({ fileName: 'r', start90k }))).matchAll(/duration (\d+)\.(\d{6})/g),
    ];
    let micros = 0;
    for (const [at, [, whole, fraction]] of durations.entries()) {
      micros += Number(whole) * 1_000_000 + Number(fraction);
      expect(Math.round((micros * 9) / 100)).toBe(starts[at + 1]);
    }
    expect(durations).toHaveLength(4999);
  });

  it('quotes what ffmpeg would take for its own syntax', () => {
    expect(quoted("it's # a \\ name")).toBe("'it'\\''s # a \\ name'");
    expect(() => quoted('a\nfile /etc/passwd')).toThrow(/line break/);
  });
});
