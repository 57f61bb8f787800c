import { decideSessionEnd, decideSessionStart } from '../../../lib/recordings/hook-sessions.ts';

const at = (seconds: number) => new Date(Date.parse('2025-10-05T18:00:00Z') + seconds * 1000);
const open = (session: string | null, from: number) => ({ session, startedAt: at(from), endedAt: null });
const over = (session: string | null, from: number, to: number) => ({ session, startedAt: at(from), endedAt: at(to) });

/** nginx-rtmp and SRS refuse a second publisher; MediaMTX lets it replace the first. */
const refusing = { refusesSecond: true, isLive: true };
const replacing = { refusesSecond: false, isLive: true };

describe('a start', () => {
  it.each([
    ['of a connection that nobody knows', [], 'a', 10, 'new', 10],
    ['that is told again is the first one', [open('a', 0)], 'a', 10, 'repeated', 0],
    ['of a number that is used again, after a restart that told no end', [open('a', 0)], 'a', 3600, 'new', 3600],
    ['of a number that is used again at once, after an end', [over('a', 0, 5)], 'a', 10, 'new', 10],
    ['without a connection is always new', [open(null, 0)], null, 10, 'new', 10],
  ])('%s', (_, known, session, now, kind, startedAt) => {
    for (const rules of [refusing, replacing])
      expect(decideSessionStart(known, session, at(now), rules)).toEqual({ kind, startedAt: at(startedAt) });
  });

  it('of another connection replaces the first, or is refused while that is recorded, as the server does', () => {
    const kind = (rules: typeof refusing) => decideSessionStart([open('a', 0)], 'b', at(10), rules).kind;
    expect(kind(replacing)).toBe('new');
    expect(kind(refusing)).toBe('second');
    // Its end was lost, and the recording has been ended without it.
    expect(kind({ refusesSecond: true, isLive: false })).toBe('new');
  });
});

describe('an end, where a second publisher replaces the first', () => {
  it.each([
    ['of the open connection ends the stream', [open('a', 0)], 'a', 10, 'ends'],
    ['of a replaced connection does not', [over('a', 0, 20), open('b', 20)], 'a', 25, 'goes-on'],
    ['of an unknown connection does not, while another one has just begun', [open('b', 20)], 'x', 25, 'goes-on'],
    ['of an unknown connection does, where the open one is old: its end was lost', [open('b', 0)], 'x', 3600, 'ends'],
    ['that nobody knows the start of is told, so that the recording is made', [], 'a', 10, 'ends'],
    ['that is told again is told again', [over('a', 0, 5)], 'a', 6, 'ends'],
    ['without a connection ends the stream', [open('a', 0)], null, 10, 'ends'],
  ])('%s', (_, known, session, now, verdict) => {
    expect(decideSessionEnd(known, session, at(now), replacing)).toBe(verdict);
  });
});

describe('an end, where a second publisher is refused', () => {
  it.each([
    ['of the only connection ends the stream', [open('a', 0)], 'a', 10, 'ends'],
    ['of one that was refused does not', [open('a', 0), open('b', 7200)], 'b', 7201, 'goes-on'],
    ['of the first does, though the end of a refused one was not told', [open('a', 0), open('b', 20)], 'a', 60, 'ends'],
    ['of the first does not, where another one came in that moment', [open('a', 0), open('b', 59)], 'a', 60, 'goes-on'],
    ['of one that has published does: the first was lost', [open('a', 0), open('b', 20)], 'b', 60, 'ends'],
    ['of an unknown one does not, however long the other one has published', [open('a', 0)], 'x', 7200, 'goes-on'],
    ['told again does not, while another one publishes', [over('a', 0, 5), open('b', 10)], 'a', 11, 'goes-on'],
    ['that nobody knows the start of may be of a publisher that was refused', [], 'a', 10, 'unheard'],
    ['that is told again is told again', [over('a', 0, 5)], 'a', 6, 'ends'],
    ['without a connection ends the stream', [open('a', 0)], null, 10, 'ends'],
  ])('%s', (_, known, session, now, verdict) => {
    expect(decideSessionEnd(known, session, at(now), refusing)).toBe(verdict);
  });
});
