/** What starts and ends mean in every order they can come. */
import { decideStreamEvent, type KnownBroadcast, type StreamEvent } from '../../../lib/recordings/stream-events.ts';

const at = (second: number) => new Date(Date.UTC(2025, 9, 5, 18, 0, second));
const rules = { sameStartMs: 2000, reconnectWindowMs: 0 };

const started = (second: number, source: StreamEvent['source'] = 'webhook'): StreamEvent => ({
  event: 'stream.started',
  streamId: '11111111-1111-4111-8111-111111111111',
  streamKey: 'key',
  userId: null,
  occurredAt: at(second),
  source,
});
const ended = (second: number): StreamEvent => ({ ...started(second), event: 'stream.ended' });
const known = (fields: Partial<KnownBroadcast>): KnownBroadcast => ({
  id: 'A',
  status: 'recording',
  startedAt: at(0),
  endedAt: null,
  startSource: 'webhook',
  lastSegmentAt: null,
  reconnects: [],
  ...fields,
});
const finished = known({ status: 'completed', endedAt: at(30) });

describe('a start of a stream', () => {
  it('creates the recording of a stream that was never seen', () => {
    expect(decideStreamEvent(started(0), [], rules)).toEqual({ act: 'create', startedAt: at(0) });
  });
  it('changes nothing when it comes twice', () => {
    expect(decideStreamEvent(started(0), [known({})], rules).act).toBe('none');
  });
  it('changes nothing when polling tells it too, rounded differently', () => {
    expect(decideStreamEvent(started(1, 'poll'), [known({})], rules).act).toBe('none');
  });
  it('that polling tells in the very second of a known end is that of the next one', () => {
    const short = known({ status: 'processing', endedAt: at(2) });
    expect(decideStreamEvent(started(2, 'poll'), [short], rules)).toEqual({ act: 'create', startedAt: at(2) });
  });
  it('changes nothing when it comes again after the end', () => {
    expect(decideStreamEvent(started(0), [finished], rules).act).toBe('none');
  });
  it('is that of a broadcast of which only the end was told, but for one in the second of that end', () => {
    const guessed = known({ status: 'processing', endedAt: at(30), startSource: 'ended-event' });
    expect(decideStreamEvent(started(29), [guessed], rules)).toMatchObject({ act: 'move-start', recordingId: 'A' });
    expect(decideStreamEvent(started(30), [guessed], rules)).toEqual({ act: 'create', startedAt: at(30) });
  });
  it('a moment before a known end is that of the next one, which is over where another one has started since', () => {
    expect(decideStreamEvent(started(29), [finished], rules)).toEqual({ act: 'create', startedAt: at(29) });
    expect(decideStreamEvent(started(29), [finished, known({ id: 'B', startedAt: at(40) })], rules)).toEqual({
      act: 'create-past',
      startedAt: at(29),
      endedAt: at(40),
      followedBy: 'B',
    });
  });
  it('inside a broadcast that has ended parts it in two: the end is that of the later one', () => {
    expect(decideStreamEvent(started(10), [finished], rules)).toEqual({
      act: 'split',
      recordingId: 'A',
      startedAt: at(10),
      endedAt: at(30),
    });
  });
  it('that comes after the next one’s start makes a recording of the broadcast that was missed', () => {
    const next = known({ id: 'B', startedAt: at(50) });
    const past = { act: 'create-past', startedAt: at(40), endedAt: at(50), followedBy: 'B' };
    expect(decideStreamEvent(started(40), [finished, next], rules)).toEqual(past);
    expect(decideStreamEvent(started(40), [next], rules)).toEqual(past);
  });
  it('begins another recording after the end', () => {
    expect(decideStreamEvent(started(40), [finished], rules)).toEqual({ act: 'create', startedAt: at(40) });
  });
  it('begins another recording even one second after the end', () => {
    const short = known({ status: 'processing', endedAt: at(1) });
    expect(decideStreamEvent(started(2, 'poll'), [short], rules)).toEqual({ act: 'create', startedAt: at(2) });
  });
  it('ends a recording whose end was lost, and begins the next', () => {
    expect(decideStreamEvent(started(50), [known({})], rules)).toEqual({
      act: 'supersede',
      recordingId: 'A',
      startedAt: at(50),
    });
  });
  it('moves the start of a recording that was opened by its end', () => {
    const late = known({ status: 'processing', startedAt: at(20), endedAt: at(30), startSource: 'ended-event' });
    expect(decideStreamEvent(started(3), [late], rules)).toEqual({
      act: 'move-start',
      recordingId: 'A',
      startedAt: at(3),
    });
    expect(decideStreamEvent(started(24), [late], rules)).toEqual({
      act: 'move-start',
      recordingId: 'A',
      startedAt: at(24),
    });
  });
  it('continues a recording within the reconnect window, and only there', () => {
    const window = { ...rules, reconnectWindowMs: 30_000 };
    const waiting = known({ status: 'processing', endedAt: at(10) });
    expect(decideStreamEvent(started(35), [waiting], window)).toEqual({
      act: 'resume',
      recordingId: 'A',
      resumedAt: at(35),
    });
    expect(decideStreamEvent(started(41), [waiting], window).act).toBe('create');
    expect(decideStreamEvent(started(35), [finished], window).act).toBe('create');
  });
});

describe('an end of a stream', () => {
  it('ends the recording that runs', () => {
    expect(decideStreamEvent(ended(30), [known({})], rules)).toEqual({ act: 'end', recordingId: 'A', endedAt: at(30) });
  });
  it('changes nothing when it comes twice', () => {
    expect(decideStreamEvent(ended(30), [finished], rules).act).toBe('none');
  });
  it('does not end a broadcast that started after it', () => {
    expect(decideStreamEvent(ended(30), [finished, known({ id: 'B', startedAt: at(40) })], rules).act).toBe('none');
  });
  it('in the second in which the next broadcast started is that of the one before', () => {
    const next = known({ id: 'B', startedAt: at(30) });
    expect(decideStreamEvent(ended(30), [finished, next], rules).act).toBe('none');
    expect(decideStreamEvent(ended(30), [known({ id: 'A', endedAt: at(20) }), next], rules)).toMatchObject({
      act: 'end',
      recordingId: 'B',
    });
  });
  it('older than the broadcast that runs may be that of one whose start was lost', () => {
    const missed = { act: 'create-ended', endedAt: at(38), onlyIfObjects: true };
    expect(decideStreamEvent(ended(38), [finished, known({ id: 'B', startedAt: at(45) })], rules)).toEqual(missed);
    expect(decideStreamEvent(ended(38), [known({ id: 'B', startedAt: at(45) })], rules)).toEqual(missed);
  });
  it('a moment before a start ends what started then only where another source told of that', () => {
    const running = known({ id: 'B', startedAt: at(40) });
    expect(decideStreamEvent(ended(39), [running], rules).act).toBe('create-ended');
    const polled = { ...running, startSource: 'poll' as const };
    expect(decideStreamEvent(ended(39), [polled], rules)).toMatchObject({ act: 'end', recordingId: 'B' });
    expect(decideStreamEvent(ended(38), [polled], rules).act).toBe('create-ended');
  });
  it('creates the recording of a stream whose start was lost', () => {
    expect(decideStreamEvent(ended(30), [], rules)).toEqual({
      act: 'create-ended',
      endedAt: at(30),
      onlyIfObjects: false,
    });
  });
  it('looks for a broadcast between the known end and a later one', () => {
    expect(decideStreamEvent(ended(59), [finished], rules)).toEqual({
      act: 'create-ended',
      endedAt: at(59),
      onlyIfObjects: true,
    });
  });
});

describe('a stream that reconnects', () => {
  const window = { ...rules, reconnectWindowMs: 30_000 };
  const resumed = known({ reconnects: [at(12)], lastSegmentAt: at(20) });

  it('continues while its end has not been heard yet, if its last segment is that near', () => {
    expect(decideStreamEvent(started(12), [known({ lastSegmentAt: at(9) })], window)).toEqual({
      act: 'resume',
      recordingId: 'A',
      resumedAt: at(12),
    });
    expect(decideStreamEvent(started(50), [known({ lastSegmentAt: at(9) })], window).act).toBe('supersede');
  });
  it('is not ended by an end from before, nor by one of the second in which it came back', () => {
    expect(decideStreamEvent(ended(10), [resumed], window).act).toBe('none');
    expect(decideStreamEvent(ended(12), [resumed], window).act).toBe('none');
    expect(decideStreamEvent(ended(22), [resumed], window)).toEqual({ act: 'end', recordingId: 'A', endedAt: at(22) });
  });
  it('continues once for each start, however often that is told', () => {
    expect(decideStreamEvent(started(12), [resumed], window).act).toBe('none');
    expect(decideStreamEvent(started(12), [{ ...resumed, status: 'completed', endedAt: at(22) }], window).act).toBe(
      'none',
    );
  });
  it('continues once though another source tells of that start, rounded differently', () => {
    const over = { ...resumed, status: 'processing', endedAt: at(22) } as const;
    for (const recording of [resumed, { ...resumed, lastSegmentAt: at(-30) }, over]) {
      expect(decideStreamEvent(started(13, 'poll'), [recording], window).act).toBe('none');
    }
  });
  it('continues once more behind a broadcast of two seconds', () => {
    const short = known({ status: 'processing', reconnects: [at(12)], endedAt: at(14) });
    expect(decideStreamEvent(started(14), [short], window).act).toBe('resume');
  });
});
