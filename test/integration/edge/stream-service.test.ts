/** The client of the Stream Service, against one that keeps its contract and against some that do not. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { inspect } from 'node:util';
import { streamKeySchema } from '../../../lib/capture/segment-name.ts';
import { createStreamService } from '../../../lib/services/stream-service.ts';
import { listen, type RunningServer, sendJson } from '../../support/http.ts';

const id = randomUUID();
const stream = {
  stream_id: id.toUpperCase(),
  stream_key: 'secret-key',
  user_id: null,
  status: 'live',
  started_at: '2025-10-05T18:00:00Z',
};
let answer: (request: IncomingMessage, response: ServerResponse) => void;
let server: RunningServer;
beforeAll(async () => {
  server = await listen(async (request, response) => answer(request, response));
});
afterAll(() => server.close());

const client = () => createStreamService(server.url, 300, streamKeySchema);

describe('the Stream Service', () => {
  it('tells the live streams; what breaks its contract is counted and left out', async () => {
    answer = (request, response) => {
      expect(request.url).toBe('/streams?status=live');
      sendJson(response, 200, { streams: [stream, { ...stream, stream_id: 'x' }, { ...stream, status: 'ended' }] });
    };
    expect(await client().listLive()).toEqual({
      streams: [
        {
          streamId: id,
          streamKey: 'secret-key',
          userId: null,
          live: true,
          startedAt: new Date('2025-10-05T18:00:00Z'),
          endedAt: null,
        },
      ],
      invalid: 1,
    });
  });

  it.each([
    ['a key that leads elsewhere', { stream_key: '..' }],
    ['a key of several folders', { stream_key: 'a/b' }],
    ['no key', { stream_key: '' }],
    ['a start in no year of ours', { started_at: '9999-12-31T23:59:59-01:00' }],
    ['an end in no year of ours', { ended_at: '0000-06-01T00:00:00Z' }],
  ])('may tell of a stream with %s, which is no stream to record', async (_what, wrong) => {
    answer = (_request, response) => sendJson(response, 200, { streams: [stream, { ...stream, ...wrong }] });
    expect(await client().listLive()).toMatchObject({ streams: [{ streamKey: 'secret-key' }], invalid: 1 });
    answer = (_request, response) => sendJson(response, 200, { stream: { ...stream, ...wrong } });
    await expect(client().find(id)).rejects.toMatchObject({ code: 'NEIGHBOUR_UNAVAILABLE' });
  });

  it('may not know a stream', async () => {
    answer = (_request, response) => sendJson(response, 404, { error: 'Stream not found' });
    expect(await client().find(id)).toBeNull();
  });

  it.each([
    ['an error', (response: ServerResponse) => sendJson(response, 500, {}), 'status 500'],
    ['a redirect', (response: ServerResponse) => response.writeHead(302, { location: '/streams' }).end(), 'status 302'],
    ['no JSON', (response: ServerResponse) => response.end('<html>secret-key'), 'not JSON'],
    ['another shape', (response: ServerResponse) => sendJson(response, 200, []), 'contract'],
    ['nothing', () => undefined, 'no whole answer within 300 ms'],
  ])('that answers with %s is not available, which says why and quotes nothing', async (_what, respond, why) => {
    answer = (_request, response) => respond(response);
    const failure = await client()
      .listLive()
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: 'NEIGHBOUR_UNAVAILABLE',
      retryable: true,
      message: expect.stringContaining(why),
    });
    expect(inspect(failure)).not.toContain('secret-key');
  });

  it('that answers about another stream than was asked for is not believed', async () => {
    answer = (_request, response) => sendJson(response, 200, { stream: { ...stream, stream_id: randomUUID() } });
    await expect(client().find(id)).rejects.toMatchObject({ code: 'NEIGHBOUR_UNAVAILABLE' });
  });
});
