/** The edge through a real HTTP server: signatures over the bytes that were sent, HEAD, OPTIONS, 304, wrong methods. */
import { randomUUID } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { type RunningService, startService } from '../../support/service.ts';

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const TOKEN = 'token-of-the-store';
const ORIGIN = 'https://tv.example';
let service: RunningService;

beforeAll(async () => {
  service = await startService({ env: { WEBHOOK_SECRET: SECRET, MINIO_WEBHOOK_TOKEN: TOKEN, CORS_ORIGINS: ORIGIN } });
});
afterAll(() => service.stop());

const ask = (path: string, init: RequestInit = {}) =>
  fetch(`${service.url}${path}`, { redirect: 'manual', signal: AbortSignal.timeout(20_000), ...init });

function signed(body: string, id = `msg_${randomUUID()}`): Record<string, string> {
  const at = new Date();
  return {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
    'webhook-signature': new Webhook(SECRET).sign(id, at, body),
  };
}

const webhook = () => ({
  event: 'stream.started',
  stream_id: randomUUID(),
  stream_key: `key-${randomUUID()}`,
  user_id: randomUUID(),
  timestamp: '2025-10-05T18:00:00Z',
});

describe('over HTTP', () => {
  it('a signature covers the very bytes that were sent, spaces and letters of any script', async () => {
    const body = JSON.stringify({ ...webhook(), note: 'Запись — 録画 🎬' }, null, 3);
    const answer = await ask('/webhook/stream', {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json', ...signed(body) },
    });
    expect([answer.status, await answer.json()]).toEqual([200, { message: 'Webhook processed successfully' }]);
  });

  it('an unsigned or altered request is a 401, from loopback as well', async () => {
    const body = JSON.stringify(webhook());
    const headers = { 'content-type': 'application/json' };
    expect((await ask('/webhook/stream', { method: 'POST', body, headers })).status).toBe(401);
    const altered = await ask('/webhook/stream', {
      method: 'POST',
      body: `${body} `,
      headers: { ...headers, ...signed(body) },
    });
    expect([altered.status, await altered.json()]).toEqual([401, { error: 'The signature is wrong' }]);
  });

  it('a script of another origin gets nothing in by leaving the type of its body out', async () => {
    const answer = await ask(`/recording/${randomUUID()}/clips`, {
      method: 'POST',
      body: new Blob(['{"start":0,"end":5}']),
      headers: { origin: 'https://evil.example' },
    });
    expect([answer.status, await answer.json()]).toEqual([415, { error: 'The body has to be application/json' }]);
  });

  it("MinIO's token is enough for notifications", async () => {
    const body = JSON.stringify({ EventName: 's3:ObjectCreated:Put', Key: 'live-segments/a/b.ts', Records: [] });
    const send = (token: string) =>
      ask('/webhook/segments', {
        method: 'POST',
        body,
        headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      });
    expect((await send(TOKEN)).status).toBe(200);
    expect((await send('another-token')).status).toBe(401);
  });

  it('internal routes without a body are signed as well', async () => {
    const path = `/recording/${randomUUID()}/retry`;
    expect((await ask(path, { method: 'POST' })).status).toBe(401);
    expect((await ask(path, { method: 'POST', headers: signed('') })).status).toBe(404);
  });

  it('a read is 304 for who has it, and HEAD has its headers', async () => {
    const get = await ask('/recordings');
    const etag = get.headers.get('etag') ?? '';
    expect(etag).toMatch(/^W\//);
    expect((await ask('/recordings', { headers: { 'if-none-match': etag } })).status).toBe(304);
    const head = await ask('/recordings', { method: 'HEAD' });
    expect([head.status, head.headers.get('etag'), await head.text()]).toEqual([200, etag, '']);
  });

  it('HEAD tells how long the answer to GET is, and no length of its own', async () => {
    for (const path of ['/health', '/openapi.json', `/recording/${randomUUID()}`]) {
      const identity = { 'accept-encoding': 'identity' };
      const [got, head] = [
        await ask(path, { headers: identity }),
        await ask(path, { method: 'HEAD', headers: identity }),
      ];
      const { length } = Buffer.from(await got.arrayBuffer());
      expect([path, head.status, Number(head.headers.get('content-length'))]).toEqual([path, got.status, length]);
      expect(await head.text()).toBe('');
    }
  });

  it('a page of a configured origin may read, and learns so beforehand; others learn nothing', async () => {
    const preflight = (path: string, origin: string) =>
      ask(path, { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'GET' } });
    const mine = await preflight('/recordings', ORIGIN);
    expect([
      mine.status,
      mine.headers.get('access-control-allow-origin'),
      mine.headers.get('access-control-allow-methods'),
    ]).toEqual([204, ORIGIN, 'GET, HEAD, OPTIONS']);
    const get = await ask('/recordings', { headers: { origin: ORIGIN } });
    expect([get.headers.get('access-control-allow-origin'), get.headers.get('vary')]).toEqual([
      ORIGIN,
      expect.stringContaining('origin'),
    ]);
    for (const [path, origin] of [
      ['/recordings', 'https://evil.example'],
      ['/webhook/stream', ORIGIN],
    ] as const) {
      expect((await preflight(path, origin)).headers.get('access-control-allow-origin')).toBeNull();
      expect((await ask(path, { headers: { origin } })).headers.get('access-control-allow-origin')).toBeNull();
    }
  });

  it.each([
    ['GET', '/webhook/stream', 'POST, OPTIONS'],
    ['DELETE', '/webhook/segments', 'POST, OPTIONS'],
    ['GET', '/recording/x/retry', 'POST, OPTIONS'],
    ['PUT', '/recording/x/import', 'POST, OPTIONS'],
    ['POST', '/recordings', 'GET, HEAD, OPTIONS'],
    ['POST', '/openapi.json', 'GET, HEAD, OPTIONS'],
  ])('%s %s is 405 and says what there is', async (method, path, allow) => {
    const answer = await ask(path, { method });
    expect([answer.status, answer.headers.get('allow'), await answer.json()]).toEqual([
      405,
      allow,
      { error: 'Method not allowed' },
    ]);
  });

  it('what is not there is 404 as JSON, with the headers of security', async () => {
    const answer = await ask('/nothing');
    expect([answer.status, await answer.json()]).toEqual([404, { error: 'Not found' }]);
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'");
  });

  it('the document and its page are served', async () => {
    expect(await (await ask('/openapi.json')).json()).toMatchObject({ openapi: '3.1.0' });
    const page = await ask('/docs');
    expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
  });
});
