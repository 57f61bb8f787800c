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
  completedAt: null,
  ...fields,
});
const finished = known({ status: 'completed', endedAt: at(30), completedAt: at(31) });

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
  it('changes nothing when it comes again after the end', () => {
    expect(decideStreamEvent(started(0), [finished], rules).act).toBe('none');
    expect(decideStreamEvent(started(10), [finished], rules).act).toBe('none');
  });
  it('begins another recording after the end', () => {
    expect(decideStreamEvent(started(40), [finished], rules)).toEqual({ act: 'create', startedAt: at(40) });
  });
  it('begins another recording even one second after the end', () => {
    const short = known({ status: 'processing', endedAt: at(1) });
    expect(decideStreamEvent(started(2, 'poll'), [short], rules)).toEqual({ act: 'create', startedAt: at(2) });
  });
  it('ends a recording whose end was lost, and begins the next', () => {
    expect(decideStreamEvent(started(50), [known({})], rules)).toEqual({ act: 'supersede', recordingId: 'A', startedAt: at(50) });
  });
  it('moves the start of a recording that polling met late', () => {
    const polled = known({ startedAt: at(20), startSource: 'poll' });
    expect(decideStreamEvent(started(3), [polled], rules)).toEqual({ act: 'move-start', recordingId: 'A', startedAt: at(3) });
  });
  it('moves the start of a recording that was opened by its end', () => {
    const late = known({ status: 'processing', startedAt: at(20), endedAt: at(30), startSource: 'ended-event' });
    expect(decideStreamEvent(started(3), [late], rules)).toEqual({ act: 'move-start', recordingId: 'A', startedAt: at(3) });
  });
  it('continues a recording within the reconnect window, and only there', () => {
    const window = { ...rules, reconnectWindowMs: 30_000 };
    const waiting = known({ status: 'processing', endedAt: at(10) });
    expect(decideStreamEvent(started(35), [waiting], window)).toEqual({ act: 'resume', recordingId: 'A', resumedAt: at(35) });
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
  it('creates the recording of a stream whose start was lost', () => {
    expect(decideStreamEvent(ended(30), [], rules)).toEqual({ act: 'create-ended', endedAt: at(30), onlyIfObjects: false });
  });
  it('looks for a broadcast between the known end and a later one', () => {
    expect(decideStreamEvent(ended(59), [finished], rules)).toEqual({ act: 'create-ended', endedAt: at(59), onlyIfObjects: true });
  });
  it('is of no use when it is older than everything known', () => {
    expect(decideStreamEvent(ended(1), [known({ status: 'completed', startedAt: at(20), endedAt: at(30) })], rules).act).toBe('none');
  });
});
