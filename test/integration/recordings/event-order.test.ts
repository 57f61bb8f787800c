/** Broadcasts of one stream whose events come in another order than they happened. */
import { recordStreamEvent } from '../../../lib/recordings/record-stream-event.ts';
import { newStream } from '../../support/recorded.ts';
import { type Harness, silentStreamService, startHarness } from '../../support/service-harness.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => harness.stop());

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
