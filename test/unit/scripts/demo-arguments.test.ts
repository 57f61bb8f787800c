/** What may be typed after `npm run demo --`, and the one line that answers everything else. */
import { parseDemoArguments } from '../../../scripts/demo-arguments.ts';

describe('the arguments of the demo', () => {
  it.each([
    [[], { input: undefined, seconds: 20, realtime: false, rtmp: false }],
    [['--seconds', '6'], { input: undefined, seconds: 6, realtime: false, rtmp: false }],
    [['film.mp4'], { input: 'film.mp4', seconds: 20, realtime: false, rtmp: false }],
    [['--realtime', 'a b/'], { input: 'a b/', seconds: 20, realtime: true, rtmp: false }],
    [['--rtmp', '--seconds', '6'], { input: undefined, seconds: 6, realtime: false, rtmp: true }],
    [['--', '-film.mp4'], { input: '-film.mp4', seconds: 20, realtime: false, rtmp: false }],
  ])('%j run it', (words, options) => {
    expect(parseDemoArguments(words)).toEqual({ kind: 'run', options });
  });

  it('--help asks for help, whatever else is there', () => {
    expect(parseDemoArguments(['--help', 'x'])).toEqual({ kind: 'help' });
  });

  it.each([
    [['a', 'b'], 'One file or folder at a time, not 2'],
    [[''], 'The name of the file or folder is empty'],
    [['a\0b'], 'The name of the file or folder has a zero byte in it'],
    [['--seconds', 'x'], '--seconds must be a whole number'],
    [['--seconds', '1e1'], '--seconds must be a whole number'],
    [['--seconds', '3'], '--seconds must be from 4 to 600'],
    [['--seconds', '99999999999999999999'], '--seconds must be from 4 to 600'],
    [['--seconds', '9', 'film.mp4'], '--seconds is the length of the test stream'],
    [['--rtmp', 'film.mp4'], '--rtmp publishes the test stream'],
    [['--realtime'], '--realtime needs a file or folder'],
    [['--nonsense\u001b[31m\nnew line'], "Unknown option '--nonsense [31m new line'"],
  ])('%j are refused in one line', (words, problem) => {
    expect(parseDemoArguments(words)).toEqual({ kind: 'wrong', problem });
  });
});
