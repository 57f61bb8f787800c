/** The command line of the uploader. */
import { parseUploadArguments } from '../../../scripts/upload-arguments.ts';

describe('npm run upload --', () => {
  it('takes a folder, and everything else has a default', () => {
    expect(parseUploadArguments(['--from', '/var/lib/hls'])).toEqual({
      kind: 'run',
      options: {
        from: '/var/lib/hls',
        to: undefined,
        ledgerFile: undefined,
        idleMs: undefined,
        intervalMs: undefined,
        deleteAfterMs: null,
        all: false,
      },
    });
  });

  it('takes durations as the configuration has them', () => {
    const words = '--from x --to b --idle 5s --interval 250ms --delete-after 10m --state s --all'.split(' ');
    expect(parseUploadArguments(words)).toMatchObject({
      options: { to: 'b', idleMs: 5000, intervalMs: 250, deleteAfterMs: 600_000, ledgerFile: 's', all: true },
    });
  });

  it.each([
    ['', /--from is missing/],
    ['/var/lib/hls', /given with --from/],
    ['--from x --idle soon', /--idle must be/],
    ['--from x --interval 1ms', /--interval must be/],
    ['--from x --delete-after 5s', /--delete-after must be/],
    ['--from x --flat', /--flat/],
    ['--from', /--from/],
  ])('%j is told what is wrong', (line, problem) => {
    const parsed = parseUploadArguments(line.split(' ').filter((word) => word !== ''));
    expect(parsed).toEqual({ kind: 'wrong', problem: expect.stringMatching(problem) });
  });

  it('shows its help', () => {
    expect(parseUploadArguments(['--help'])).toEqual({ kind: 'help' });
  });
});
