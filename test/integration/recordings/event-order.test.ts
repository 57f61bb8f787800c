/** Broadcasts of one stream whose events come in another order than they happened. */
import { recordStreamEvent } from '../../../lib/recordings/record-stream-event.ts';
import { newStream } from '../../support/recorded.ts';
import { type Harness, silentStreamService, startHarness } from '../../support/service-harness.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => harness.stop());

/** A segment is written when it is complete. */
const FIRST_SEGMENT_MS = 10_000;

const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 12, 0, second));
const recordingsOf = async (streamId: string) =>
  (await harness.context.recordings.list({ limit: 9, streamId }))
    .toReversed()
    .map(({ status, startedAt, endedAt }) => ({ status, startedAt, endedAt }));

describe('a broadcast that is heard of while the next one of its stream is running', () => {
  it('is a recording of its own when its start is told', async () => {
    const stream = newStream();
    await harness.tell('stream.started', stream, at(30));
    await harness.tell('stream.started', stream, at(10));
    await harness.tell('stream.started', stream, at(10));
    expect(await recordingsOf(stream.streamId)).toEqual([
      { status: 'processing', startedAt: at(10), endedAt: at(30) },
      { status: 'recording', startedAt: at(30), endedAt: null },
    ]);
  });

  it('is a recording of its own when only its end is told, and there are segments of it', async () => {
    const stream = newStream();
    const later = new Date(Date.now() + 60_000);
    await harness.store.put('live-segments', `${stream.streamKey}/segment_000.ts`, Buffer.from('media'), 'video/mp2t');
    await harness.tell('stream.started', stream, later);
    const ended = new Date(Date.now() + 1000);
    await harness.tell('stream.ended', stream, ended);
    expect(await recordingsOf(stream.streamId)).toEqual([
      { status: 'processing', startedAt: expect.any(Date), endedAt: ended },
      { status: 'recording', startedAt: later, endedAt: null },
    ]);
  });
});

describe('a start that shows that two broadcasts were taken for one', () => {
  it('ends the one whose end was lost', async () => {
    const stream = newStream();
    await harness.tell('stream.started', stream, at(10));
    await harness.tell('stream.started', stream, at(30));
    expect(await recordingsOf(stream.streamId)).toEqual([
      { status: 'processing', startedAt: at(10), endedAt: at(30) },
      { status: 'recording', startedAt: at(30), endedAt: null },
    ]);
  });

  it('gives the end that was heard to the later one', async () => {
    const stream = newStream();
    await harness.tell('stream.started', stream, at(10));
    await harness.tell('stream.ended', stream, at(40));
    await harness.tell('stream.started', stream, at(20));
    expect(await recordingsOf(stream.streamId)).toEqual([
      { status: 'processing', startedAt: at(10), endedAt: at(20) },
      { status: 'processing', startedAt: at(20), endedAt: at(40) },
    ]);
  });
});

describe('an end that comes before its start', () => {
  it('is that of the recording, which began when its start says', async () => {
    const stream = newStream();
    await harness.tell('stream.ended', stream, at(50));
    await harness.tell('stream.started', stream, at(10));
    await harness.tell('stream.ended', stream, at(50));
    expect(await recordingsOf(stream.streamId)).toEqual([{ status: 'processing', startedAt: at(10), endedAt: at(50) }]);
  });

  it('is of a broadcast that began as its first segments show, where no start is told', async () => {
    const stream = newStream();
    const key = `${stream.streamKey}/segment_000.ts`;
    await harness.store.put('live-segments', key, Buffer.from('media'), 'video/mp2t');
    const [object] = (await harness.store.list('live-segments', `${stream.streamKey}/`)).objects;
    const writtenMs = object?.modifiedAtMs ?? 0;
    const ended = new Date(writtenMs + 60_000);
    await harness.tell('stream.ended', stream, ended);
    const began = new Date(writtenMs - FIRST_SEGMENT_MS);
    expect(await recordingsOf(stream.streamId)).toEqual([{ status: 'processing', startedAt: began, endedAt: ended }]);
  });

  it('is none where one was heard before, and there are no segments of another broadcast', async () => {
    const stream = newStream();
    await harness.tell('stream.started', stream, at(10));
    await harness.tell('stream.ended', stream, at(20));
    await harness.tell('stream.ended', stream, at(50));
    expect(await recordingsOf(stream.streamId)).toEqual([{ status: 'processing', startedAt: at(10), endedAt: at(20) }]);
  });
});

it('events of one stream that are told at the same time are judged one after the other', async () => {
  const stream = newStream();
  const told = (event: 'stream.started' | 'stream.ended', second: number) =>
    Promise.all(Array.from({ length: 6 }, () => harness.tell(event, stream, at(second))));
  await told('stream.started', 10);
  await told('stream.ended', 20);
  await told('stream.started', 30);
  expect(await recordingsOf(stream.streamId)).toEqual([
    { status: 'processing', startedAt: at(10), endedAt: at(20) },
    { status: 'recording', startedAt: at(30), endedAt: null },
  ]);
});

describe('a broadcast within one second of which only the end is told', () => {
  it('began when the Stream Service says, once, though its start is told after all', async () => {
    const stream = newStream();
    const told = { ...stream, userId: null, live: false, startedAt: at(50), endedAt: at(50) } as const;
    const streams = { ...silentStreamService, find: async () => told };
    const context = harness.variant({}, { streams });
    await harness.store.put('live-segments', `${stream.streamKey}/segment_000.ts`, Buffer.from('media'), 'video/mp2t');
    const event = { ...stream, userId: null, occurredAt: at(50), source: 'webhook' } as const;
    await recordStreamEvent(context, { ...event, event: 'stream.ended' });
    await recordStreamEvent(context, { ...event, event: 'stream.started' });
    expect(await recordingsOf(stream.streamId)).toEqual([{ status: 'processing', startedAt: at(50), endedAt: at(50) }]);
  });
});
