import { decideSessionEnd, decideSessionStart } from '../../../lib/recordings/hook-sessions.ts';

const at = (seconds: number) => new Date(Date.parse('2025-10-05T18:00:00Z') + seconds * 1000);
const open = (session: string | null, from: number) => ({ session, startedAt: at(from), endedAt: null });
const over = (session: string | null, from: number, to: number) => ({ session, startedAt: at(from), endedAt: at(to) });

describe('a start', () => {
  it.each([
    ['of a connection that nobody knows', [], 'a', 10, 10, true],
    ['that is told again is the first one', [open('a', 0)], 'a', 10, 0, false],
    ['of a number that is used again, after a restart that told no end', [open('a', 0)], 'a', 3600, 3600, true],
    ['of a number that is used again at once, after an end', [over('a', 0, 5)], 'a', 10, 10, true],
    ['of another connection', [open('a', 0)], 'b', 10, 10, true],
    ['without a connection is always new', [open(null, 0)], null, 10, 10, true],
  ])('%s', (_, known, session, now, startedAt, isNew) => {
    expect(decideSessionStart(known, session, at(now))).toEqual({ startedAt: at(startedAt), isNew });
  });
});

describe('an end', () => {
  it.each([
    ['of the open connection ends the stream', [open('a', 0)], 'a', 10, true],
    ['of a replaced connection does not', [over('a', 0, 20), open('b', 20)], 'a', 25, false],
    ['of an unknown connection does not, while another one has just begun', [open('b', 20)], 'x', 25, false],
    ['of an unknown connection does, where the open one is old: its end was lost', [open('b', 0)], 'x', 3600, true],
    ['that nobody knows the start of is told, so that the recording is made', [], 'a', 10, true],
    ['that is told again is told again', [over('a', 0, 5)], 'a', 6, true],
    ['without a connection ends the stream', [open('a', 0)], null, 10, true],
  ])('%s', (_, known, session, now, ends) => {
    expect(decideSessionEnd(known, session, at(now))).toBe(ends);
  });
});
