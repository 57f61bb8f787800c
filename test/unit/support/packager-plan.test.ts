/** The packager's plans as tables: which objects are written, in which order, and what the playlist says each time. */
import { parse } from 'hls-parser';
import { damagedBytes, type PackagerStep, planPackaging } from '../../support/packager-plan.ts';

/** One word a step: +0 segment, *[…] playlist with its numbers, -name deletion, END. */
function tell(step: PackagerStep): string {
  switch (step.kind) {
    case 'segment':
      return `+${step.index}:${step.name}${step.damage ? `!${step.damage}` : ''}`;
    case 'playlist':
      return numbersIn(step.body);
    case 'delete':
      return `-${step.name}`;
    case 'ended':
      return 'END';
  }
}

const told = (steps: readonly PackagerStep[]): string[] => steps.map(tell);

function numbersIn(body: string): string {
  const playlist = parse(body);
  if (playlist.isMasterPlaylist) throw new Error('a media playlist was expected');
  const names = playlist.segments.map((segment) => `${segment.mediaSequenceNumber}=${segment.uri}`);
  return `*[${names.join(' ')}]${playlist.endlist ? '.' : ''}`;
}

const short = (number: number) => `${number}.ts`;
const ofTwoSeconds = (count: number) => Array.from({ length: count }, () => ({ durationMs: 2000 }));

describe('the plan of a live packager', () => {
  it('puts each segment before the playlist that lists it, and closes the playlist before the stream ends', () => {
    expect(told(planPackaging(ofTwoSeconds(3), { naming: short }))).toEqual([
      '+0:0.ts',
      '*[0=0.ts]',
      '+1:1.ts',
      '*[0=0.ts 1=1.ts]',
      '+2:2.ts',
      '*[0=0.ts 1=1.ts 2=2.ts].',
      'END',
    ]);
  });

  it('names segments segment_000.ts and so on, and lets 1000 follow 999', () => {
    const names = planPackaging(ofTwoSeconds(2), { firstNumber: 999, playlist: { kind: 'none' } });
    expect(told(names)).toEqual(['+0:segment_999.ts', '+1:segment_1000.ts', 'END']);
  });

  it('slides the window with its media sequence and deletes so many segments behind', () => {
    const options = { naming: short, playlist: { kind: 'window', segments: 2 }, deleteBehind: 3 } as const;
    expect(told(planPackaging(ofTwoSeconds(5), options)).slice(6)).toEqual([
      '+3:3.ts',
      '*[2=2.ts 3=3.ts]',
      '-0.ts',
      '+4:4.ts',
      '*[3=3.ts 4=4.ts].',
      '-1.ts',
      'END',
    ]);
  });

  it('leaves the playlist open where no end list is wanted', () => {
    expect(told(planPackaging(ofTwoSeconds(1), { naming: short, endList: false }))).toEqual([
      '+0:0.ts',
      '*[0=0.ts]',
      'END',
    ]);
  });

  it('ends the stream first and brings the last segment late, counted from the end', () => {
    const steps = planPackaging(ofTwoSeconds(2), { naming: short, lastSegmentLateMs: 700 });
    expect(told(steps)).toEqual(['+0:0.ts', '*[0=0.ts]', 'END', '+1:1.ts', '*[0=0.ts 1=1.ts].']);
    expect(steps.map((step) => [step.atMs, step.afterEnd])).toEqual([
      [2000, false],
      [2000, false],
      [4000, false],
      [700, true],
      [700, true],
    ]);
  });

  it('starts again at the first number over the same names after an encoder restart, and forgets its deletions', () => {
    const options = { naming: short, restartBefore: [2], deleteBehind: 2 };
    expect(told(planPackaging(ofTwoSeconds(5), options)).slice(4)).toEqual([
      '+2:0.ts',
      '*[0=0.ts]',
      '+3:1.ts',
      '*[0=0.ts 1=1.ts]',
      '+4:2.ts',
      '*[0=0.ts 1=1.ts 2=2.ts].',
      '-0.ts',
      'END',
    ]);
  });

  it('lists a dropped segment, brings one late and out of order, uploads one twice, damages one', () => {
    const options = { naming: short, drop: [0], uploadAfter: { 1: 2 }, twice: [3], damage: { 4: 'html' } } as const;
    expect(told(planPackaging(ofTwoSeconds(5), options))).toEqual([
      '*[0=0.ts]',
      '*[0=0.ts 1=1.ts]',
      '+2:2.ts',
      '+1:1.ts',
      '*[0=0.ts 1=1.ts 2=2.ts]',
      '+3:3.ts',
      '+3:3.ts',
      '*[0=0.ts 1=1.ts 2=2.ts 3=3.ts]',
      '+4:4.ts!html',
      '*[0=0.ts 1=1.ts 2=2.ts 3=3.ts 4=4.ts].',
      'END',
    ]);
  });

  it('is due when a segment has been spoken to its end', () => {
    expect(
      planPackaging([{ durationMs: 2000 }, { durationMs: 1500 }], { playlist: { kind: 'none' } }).map(
        (step) => step.atMs,
      ),
    ).toEqual([2000, 3500, 3500]);
  });

  it('marks a discontinuity of its source in the playlist', () => {
    const segments = [{ durationMs: 2000 }, { durationMs: 2000, discontinuity: true }];
    const playlists = planPackaging(segments, { naming: short }).flatMap((step) =>
      step.kind === 'playlist' ? [step.body] : [],
    );
    expect(playlists.at(-1)).toContain('0.ts\n#EXT-X-DISCONTINUITY\n#EXTINF:2.000000,\n1.ts\n');
  });

  it('of a stream without segments is only its end', () => {
    expect(told(planPackaging([], { lastSegmentLateMs: 5 }))).toEqual(['END']);
  });
});

describe('damaged bytes', () => {
  const intact = new Uint8Array(188 * 4).fill(0x47);

  it.each([
    [undefined, 752],
    ['empty', 0],
    ['truncated', 188 * 2 + 94],
  ] as const)('of the kind %s are %d', (damage, length) => {
    expect(damagedBytes(intact, damage)).toHaveLength(length);
  });

  it('of the kind html are an error page', () => {
    expect(new TextDecoder().decode(damagedBytes(intact, 'html'))).toMatch(/^<!DOCTYPE html>/);
  });
});
