/** What may be typed after `npm run chaos --`. */
import { parseChaosArguments } from '../../chaos/chaos-arguments.ts';

const parse = (line: string) => parseChaosArguments(line.split(' ').filter((word) => word !== ''));

describe('the arguments of npm run chaos', () => {
  it.each([
    ['', { schedules: 1000, seed: undefined, path: undefined }],
    ['10000', { schedules: 10_000, seed: undefined, path: undefined }],
    ['500 --seed -7', undefined],
    ['500 --seed=-7', { schedules: 500, seed: -7, path: undefined }],
    ['--seed 42 --path 17:0:2', { schedules: 1000, seed: 42, path: '17:0:2' }],
  ])('are read: %s', (line, options) => {
    const parsed = parse(line);
    expect(parsed.kind === 'run' ? parsed.options : undefined).toEqual(options);
  });

  it.each(['0', 'many', '10 20', '--seed x', '--path 1:2', '--seed 1 --path one', '--sead 1'])(
    'are refused with what is wrong: %s',
    (line) => {
      expect(parse(line)).toMatchObject({ kind: 'wrong', problem: expect.stringMatching(/./) });
    },
  );
});
