/** Webhooks and internal routes on the embedded back ends: who is let in, what is answered, and what is logged. */
import { randomUUID } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { routes as internalRoutes } from '../../../functions/internal.ts';
import { routes as readRoutes } from '../../../functions/recordings.ts';
import { routes as segmentRoutes } from '../../../functions/segments.ts';
import { routes as webhookRoutes } from '../../../functions/webhook.ts';
import { createLogger } from '../../../lib/platform/logging.ts';
import type { ObjectStore } from '../../../lib/storage/object-store.ts';
import { createS3Client, S3ObjectStore } from '../../../lib/storage/s3-object-store.ts';
import { type Caller, callerOf, type Request } from '../../support/lambda.ts';
import { type Harness, startHarness } from '../../support/service-harness.ts';

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const OLD_SECRET = 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD';
const routes = [...webhookRoutes, ...segmentRoutes, ...internalRoutes, ...readRoutes];

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => harness.stop());

interface Service {
  readonly call: Caller;
  readonly lines: string[];
}

function serviceWith(env: Record<string, string> = {}, store: ObjectStore = harness.store): Service {
  const lines: string[] = [];
  const folders = ['live-segments', 'recordings', harness.scratch];
  const logger = createLogger('trace', folders, { write: (line) => lines.push(line) });
  return { lines, call: callerOf(routes, harness.variant(env, { logger, store })) };
}

function webhook(overrides: Record<string, unknown> = {}) {
  return {
    event: 'stream.started',
    stream_id: randomUUID(),
    stream_key: `key-${randomUUID()}`,
    user_id: randomUUID(),
    timestamp: '2025-10-05T18:00:00Z',
    ...overrides,
  };
}

/** Signed by the reference library, as a Stream Service would. */
function signed(body: unknown, secret = SECRET, at = new Date()): Request {
  const text = JSON.stringify(body);
  const id = `msg_${randomUUID()}`;
  const headers = {
    'content-type': 'application/json',
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
    'webhook-signature': new Webhook(secret).sign(id, at, text),
  };
  return { body: text, headers, sourceIp: '203.0.113.9' };
}

const count = async (streamId: string) => (await harness.context.recordings.list({ limit: 9, streamId })).length;

describe('POST /webhook/stream', () => {
  it('from loopback needs no signature where no secret is set, and makes one recording however often it comes', async () => {
    const { call } = serviceWith();
    const body = webhook();
    for (let time = 0; time < 3; time += 1) {
      const answer = await call('POST', '/webhook/stream', { body });
      expect([answer.status, answer.json]).toEqual([200, { message: 'Webhook processed successfully' }]);
    }
    expect(await count(body.stream_id)).toBe(1);
  });

  it('from elsewhere is refused and changes nothing', async () => {
    const { call } = serviceWith();
    const body = webhook();
    const answer = await call('POST', '/webhook/stream', { body, sourceIp: '203.0.113.9' });
    expect([answer.status, answer.json]).toEqual([403, { error: 'This address may not call this route' }]);
    expect(await count(body.stream_id)).toBe(0);
  });

  it('signed with either secret is let in from anywhere, twice as well', async () => {
    const { call } = serviceWith({ WEBHOOK_SECRET: `${SECRET},${OLD_SECRET}` });
    const body = webhook();
    const request = signed(body, OLD_SECRET);
    expect((await call('POST', '/webhook/stream', request)).status).toBe(200);
    expect((await call('POST', '/webhook/stream', request)).status).toBe(200);
    expect((await call('POST', '/webhook/stream', signed(body, SECRET))).status).toBe(200);
    expect(await count(body.stream_id)).toBe(1);
  });

  it('unsigned, wrongly signed or played again later is a 401 and changes nothing', async () => {
    const { call } = serviceWith({ WEBHOOK_SECRET: SECRET });
    const body = webhook();
    const late = signed(body, SECRET, new Date(Date.now() - 301_000));
    const tampered = { ...signed(body), body: JSON.stringify({ ...body, event: 'stream.ended' }) };
    for (const request of [{ body }, signed(body, OLD_SECRET), late, tampered]) {
      const answer = await call('POST', '/webhook/stream', request);
      expect([answer.status, Object.keys(answer.json)]).toEqual([401, ['error']]);
    }
    expect(await count(body.stream_id)).toBe(0);
  });

  it.each([
    ['another event', { event: 'stream.paused' }, 400, 'Invalid event type'],
    [
      'another event without our fields',
      { event: 'x', stream_id: undefined, stream_key: undefined },
      400,
      'Invalid event type',
    ],
    ['no event', { event: undefined }, 400, expect.stringContaining('event')],
    ['a stream_id that is no UUID', { stream_id: '1' }, 400, expect.stringContaining('stream_id')],
    ['a path for a key', { stream_key: '../../etc/passwd' }, 400, expect.stringContaining('stream_key')],
    ['quotes in the key', { stream_key: "a';DROP TABLE recordings;--" }, 400, expect.stringContaining('stream_key')],
    ['a hidden key', { stream_key: '.staging' }, 400, expect.stringContaining('stream_key')],
    ['a number for a key', { stream_key: 7 }, 400, expect.stringContaining('stream_key')],
    ['no time', { timestamp: 'yesterday' }, 400, expect.stringContaining('timestamp')],
    ['a time before all years', { timestamp: '0000-06-01T00:00:00Z' }, 400, expect.stringContaining('timestamp')],
    ['a time after them', { timestamp: '9999-12-31T23:59:59-01:00' }, 400, expect.stringContaining('timestamp')],
  ])('with %s is refused as JSON', async (_what, overrides, status, error) => {
    const answer = await serviceWith().call('POST', '/webhook/stream', { body: webhook(overrides) });
    expect([answer.status, answer.json]).toEqual([status, { error }]);
  });

  it.each([
    ['GET', 405],
    ['DELETE', 405],
  ])('by %s is %d', async (method, status) => {
    expect(await serviceWith().call(method, '/webhook/stream')).toMatchObject({
      status,
      headers: { allow: 'POST, OPTIONS' },
    });
  });
});

describe('POST /webhook/segments', () => {
  const notification = (key: string) => ({
    EventName: 's3:ObjectCreated:Put',
    Key: `live-segments/${key}`,
    Records: [{ eventName: 's3:ObjectCreated:Put', s3: { bucket: { name: 'live-segments' }, object: { key } } }],
  });

  it("takes MinIO's own message with its token, and nobody without it", async () => {
    const { call } = serviceWith({ MINIO_WEBHOOK_TOKEN: 'token-of-the-store', WEBHOOK_SECRET: SECRET });
    const body = notification('nobody/segment_000.ts');
    const headers = { authorization: 'Bearer token-of-the-store' };
    expect((await call('POST', '/webhook/segments', { body, headers, sourceIp: '10.0.0.9' })).status).toBe(200);
    expect((await call('POST', '/webhook/segments', { body, headers: { authorization: 'Bearer x' } })).status).toBe(
      401,
    );
    expect((await call('POST', '/webhook/segments', { body })).status).toBe(401);
  });
});

describe('internal routes', () => {
  it('are closed to strangers, whatever they ask for', async () => {
    const { call } = serviceWith();
    const id = randomUUID();
    for (const [method, path] of [
      ['POST', `/recording/${id}/retry`],
      ['PATCH', `/recording/${id}`],
    ] as const) {
      expect((await call(method, path, { sourceIp: '203.0.113.9', body: { video_id: null } })).status).toBe(403);
      expect((await call(method, path, { body: { video_id: null } })).status).toBe(404);
    }
  });

  it('say 409 where the state does not allow what is asked', async () => {
    const { call } = serviceWith();
    const body = webhook();
    await call('POST', '/webhook/stream', { body });
    const [row] = await harness.context.recordings.list({ limit: 1, streamId: body.stream_id });
    expect(await call('POST', `/recording/${row?.id}/retry`)).toMatchObject({
      status: 409,
      json: { error: expect.stringContaining('recording') },
    });
    expect((await call('PATCH', `/recording/${row?.id}`, { body: { video_id: randomUUID() } })).status).toBe(409);
    expect((await call('PATCH', `/recording/${row?.id}`, { body: { video_id: 'x' } })).status).toBe(400);
    for (const body of [{ status: 'completed' }, { video_id: null, status: 'completed' }, {}])
      expect((await call('PATCH', `/recording/${row?.id}`, { body })).status).toBe(400);
  });
});

describe('the log', () => {
  it('never has a stream key: not of webhooks, of notifications, of refusals or of failures', async () => {
    const key = `sk-${randomUUID()}`;
    const unreachable = { ...harness.context.config, MINIO_ENDPOINT: '127.0.0.1:1' };
    const { call, lines } = serviceWith({}, new S3ObjectStore(createS3Client(unreachable)));
    const body = webhook({ stream_key: key });
    const Records = [
      {
        eventName: 'ObjectCreated:Put',
        s3: { bucket: { name: 'live-segments' }, object: { key: `${key}/segment_000.ts` } },
      },
    ];
    await call('POST', '/webhook/stream', { body });
    await call('POST', '/webhook/segments', { body: { Records } });
    await call('POST', '/webhook/stream', { body: { ...body, timestamp: 'x' } });
    await call('POST', '/webhook/stream', { body: `{"stream_key":"${key}"` });
    await call('POST', '/webhook/stream', {
      body: { ...body, event: 'stream.ended', timestamp: '2025-10-05T18:01:00Z' },
    });
    await call('GET', '/recordings');
    expect(lines.length).toBeGreaterThan(6);
    expect(lines.join('')).toContain('STORAGE_UNAVAILABLE');
    expect(lines.join('')).toContain('📹 Webhook received: stream.started for stream');
    expect(lines.join('')).not.toContain(key);
  });
});
