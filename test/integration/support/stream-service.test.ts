/** The stand-in against the recorder's own client: both sides of docs/STREAM-SERVICE.md agree, in health and in failure. */
import { streamKeySchema } from '../../../lib/capture/segment-name.ts';
import { createStreamService } from '../../../lib/services/stream-service.ts';
import { call, listen, type RunningServer, readBody, sendJson } from '../../support/http.ts';
import { StreamServiceStandIn } from '../../support/stream-service.ts';
import { waitFor } from '../../support/wait.ts';

const CLIENT_TIMEOUT_MS = 300;

let standIn: StreamServiceStandIn;
let recorder: RunningServer;
let received: { event: string; stream_id: string }[] = [];

beforeAll(async () => {
  recorder = await listen(async (request, response) => {
    received.push(JSON.parse(await readBody(request)));
    sendJson(response, 200, { message: 'Webhook processed successfully' });
  });
});
afterAll(() => recorder.close());

beforeEach(async () => {
  received = [];
  standIn = await StreamServiceStandIn.start({ serviceUrl: recorder.url });
});
afterEach(() => standIn.close());

const client = () => createStreamService(standIn.url, CLIENT_TIMEOUT_MS, streamKeySchema);
const events = () => received.map(({ event }) => event);

describe('the Stream Service stand-in, read by the recorder’s client', () => {
  it('lists a live stream with the values it was started with, and leaves it out once it has ended', async () => {
    const startedAt = new Date('2025-10-05T18:00:00Z');
    const stream = await standIn.startStream({ streamKey: 'abc', startedAt, webhook: 'never' });
    const expected = { streamId: stream.stream_id, streamKey: 'abc', userId: stream.user_id, live: true, startedAt };
    expect(await client().listLive()).toEqual({ streams: [{ ...expected, endedAt: null }], invalid: 0 });
    await standIn.endStream(stream.stream_id, 'never');
    expect(await client().listLive()).toEqual({ streams: [], invalid: 0 });
    expect(await client().find(stream.stream_id)).toMatchObject({ live: false, endedAt: expect.any(Date) });
  });

  it('says 404 about a stream that it does not know, or knows no more', async () => {
    const stream = await standIn.startStream({ webhook: 'never' });
    standIn.forget(stream.stream_id);
    expect(await client().find(stream.stream_id)).toBeNull();
    const answer = await call(`${standIn.url}/streams/${stream.stream_id}`);
    expect([answer.status, answer.json]).toEqual([404, { error: 'Stream not found' }]);
  });

  it.each([
    ['down', 'down'],
    ['error-500', 'error-500'],
    ['garbage', 'garbage'],
    ['slower than the client waits', { slowMs: 5000 }],
  ] as const)('is unavailable, never "no streams", while it is %s, and is well again after it', async (_, mode) => {
    const stream = await standIn.startStream({ webhook: 'never' });
    standIn.failWith(mode);
    for (let times = 0; times < (mode === 'garbage' ? 5 : 1); times++) {
      await expect(client().listLive()).rejects.toMatchObject({ code: 'NEIGHBOUR_UNAVAILABLE' });
      await expect(client().find(stream.stream_id)).rejects.toMatchObject({ code: 'NEIGHBOUR_UNAVAILABLE' });
    }
    standIn.failWith(undefined);
    expect((await client().listLive()).streams).toHaveLength(1);
  });
});

describe('the webhooks of the stand-in', () => {
  it('carry exactly the specified fields, once, with the recorder’s answer kept', async () => {
    const stream = await standIn.startStream({ streamKey: 'abc', startedAt: new Date('2025-10-05T18:00:00Z') });
    const { stream_id, user_id } = stream;
    expect(received).toEqual([
      { event: 'stream.started', stream_id, stream_key: 'abc', user_id, timestamp: '2025-10-05T18:00:00Z' },
    ]);
    expect(standIn.sent).toEqual([expect.objectContaining({ status: 200 })]);
  });

  it('can be doubled, dropped, delayed and reordered', async () => {
    const doubled = await standIn.startStream({ webhook: 'twice' });
    await standIn.endStream(doubled.stream_id, 'never');
    expect(events()).toEqual(['stream.started', 'stream.started']);

    await standIn.startStream({ webhook: { delayMs: 40 } });
    expect(events()).toHaveLength(2);
    await waitFor('the delayed webhook', () => events().length === 3, { withinMs: 5000, everyMs: 10 });

    const held = await standIn.startStream({ webhook: 'held' });
    await standIn.endStream(held.stream_id, 'held');
    await standIn.deliverHeld((webhooks) => webhooks.toReversed());
    expect(events().slice(3)).toEqual(['stream.ended', 'stream.started']);
  });

  it('that nobody answers are noted with status 0 and do not fail the stream', async () => {
    const gone = await listen(async () => undefined);
    await gone.close();
    standIn.sendWebhooksTo({ serviceUrl: gone.url });
    await standIn.startStream();
    expect(standIn.sent).toEqual([expect.objectContaining({ status: 0 })]);
  });
});
