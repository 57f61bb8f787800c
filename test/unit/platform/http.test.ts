import { z } from 'zod';
import { readConfig } from '../../../lib/platform/config.ts';
import { DatabaseUnavailable } from '../../../lib/platform/database.ts';
import {
  HttpProblem,
  type HttpRoute,
  type HttpService,
  json,
  readJsonBody,
  readQuery,
} from '../../../lib/platform/http.ts';
import { createLogger } from '../../../lib/platform/logging.ts';
import { NeighbourUnavailable } from '../../../lib/services/errors.ts';
import { BucketMissing, StorageAccessDenied, StorageUnavailable } from '../../../lib/storage/errors.ts';
import { callerOf } from '../../support/lambda.ts';

const body = z.object({ name: z.string() });
const query = z.object({ limit: z.coerce.number().int().min(1).optional() });
const doc = { tag: 'Test', summary: 'A test', answers: {} };

const route = (
  method: HttpRoute<HttpService>['method'],
  path: string,
  access: HttpRoute<HttpService>['access'],
  handler: HttpRoute<HttpService>['handler'],
): HttpRoute<HttpService> => ({ method, path, access, handler, doc });

const routes = [
  route('GET', '/things', 'public', async (event) => json(200, { things: [], ...readQuery(event, query) })),
  route('GET', '/things/{id}', 'public', async (event) => json(200, { id: event.pathParameters?.id })),
  route('GET', '/page', 'public', async () => ({
    statusCode: 200,
    headers: { 'content-type': 'text/html', 'content-security-policy': "default-src 'self'" },
    body: '<p>',
  })),
  route('POST', '/things', 'internal', async (event) => json(200, readJsonBody(event, body))),
  route('GET', '/broken', 'public', async () => {
    throw new Error('secret details of /srv/app.ts');
  }),
  route('GET', '/teapot', 'public', async () => {
    throw new HttpProblem(418, 'A teapot', { 'x-tea': 'green' });
  }),
];

function serve(env: Record<string, string> = {}) {
  const lines: Array<Record<string, unknown>> = [];
  const logger = createLogger('debug', [], { write: (line) => lines.push(JSON.parse(line)) });
  const service = { logger, clock: { now: () => 0 }, config: readConfig(env) };
  return { lines, call: callerOf(routes, service) };
}

describe('every answer', () => {
  it.each([
    ['GET', '/things', 200],
    ['GET', '/nowhere', 404],
    ['DELETE', '/things', 405],
    ['GET', '/broken', 500],
    ['OPTIONS', '/things', 204],
  ])('to %s %s has the security headers', async (method, path, status) => {
    const answer = await serve().call(method, path);
    expect(answer.status).toBe(status);
    expect(answer.headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'cache-control': expect.stringMatching(/no-store|no-cache/),
    });
    if (status !== 204) {
      expect(answer.headers['content-security-policy']).toBe("default-src 'none'; frame-ancestors 'none'");
    }
  });

  it('keeps the policy that a page brings', async () => {
    expect((await serve().call('GET', '/page')).headers['content-security-policy']).toBe("default-src 'self'");
  });
});

describe('what goes wrong', () => {
  it('is an opaque 500 whose id stands in the log beside the error', async () => {
    const { lines, call } = serve();
    const answer = await call('GET', '/broken');
    expect(answer.status).toBe(500);
    expect(answer.json).toEqual({ error: 'Internal server error', error_id: expect.stringMatching(/^[0-9a-f-]{36}$/) });
    expect(answer.text).not.toMatch(/secret|srv|stack/);
    const logged = lines.filter((line) => line.level === 'error');
    expect(logged).toEqual([expect.objectContaining({ error_id: answer.json.error_id, message: 'Request failed' })]);
    expect(logged[0]?.err).toMatchObject({ message: 'secret details of /srv/app.ts' });
  });

  it.each([
    ['the database', DatabaseUnavailable, 503, 'The database is not available, try again'],
    ['the store', StorageUnavailable, 503, 'The object store is not available, try again'],
    ['a bucket', BucketMissing, 503, 'The object store is not available, try again'],
    ['access to the store', StorageAccessDenied, 503, 'The object store is not available, try again'],
    ['a neighbour', NeighbourUnavailable, 502, 'Another service is not available, try again'],
  ])('says to try again where %s is missing, without its address', async (_what, Failure, status, error) => {
    const down = route('GET', '/down', 'public', async () => {
      throw new Failure('connect ECONNREFUSED 10.1.2.3:9000');
    });
    const service = { logger: createLogger('silent'), clock: { now: () => 0 }, config: readConfig({}) };
    const answer = await callerOf([down], service)('GET', '/down');
    expect([answer.status, answer.json, answer.headers['retry-after']]).toEqual([status, { error }, '5']);
  });

  it('tells what a handler says on purpose, headers included', async () => {
    const answer = await serve().call('GET', '/teapot');
    expect([answer.status, answer.json, answer.headers['x-tea']]).toEqual([418, { error: 'A teapot' }, 'green']);
  });

  it('is a 500 as well where there is no service at all', async () => {
    const call = callerOf(routes, async () => {
      throw new Error('Configuration is wrong. DB_PORT');
    });
    const answer = await call('GET', '/things');
    expect(answer.status).toBe(500);
    expect(answer.text).not.toContain('DB_PORT');
  });

  it('is 404 for paths that nobody has and 405 with the methods there are', async () => {
    const { call } = serve();
    expect(await call('GET', '/nothing')).toMatchObject({ status: 404, json: { error: 'Not found' } });
    expect(await call('DELETE', '/things/')).toMatchObject({
      status: 405,
      json: { error: 'Method not allowed' },
      headers: { allow: 'GET, POST, HEAD, OPTIONS' },
    });
  });
});

describe('a body', () => {
  const post = (request: Parameters<ReturnType<typeof serve>['call']>[2]) => serve().call('POST', '/things', request);

  it('is read as JSON, as base64 too', async () => {
    expect(await post({ body: { name: 'x' } })).toMatchObject({ status: 200, json: { name: 'x' } });
    expect(await post({ body: Buffer.from('{"name":"ü"}') })).toMatchObject({ status: 200, json: { name: 'ü' } });
  });

  it('from a page of a browser has to say that it is JSON: no form of another origin can', async () => {
    const headers = { host: 'localhost:8083', origin: 'http://localhost:8083' };
    // A script may send bytes without any type, and does not have to ask first either.
    const types = ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data', 'application/jsonp', ''];
    for (const type of types) {
      expect((await post({ body: '{"name":"x"}', headers: { ...headers, 'content-type': type } })).status).toBe(415);
      // A plain client, such as curl with -d, may call it what it likes.
      expect((await post({ body: '{"name":"x"}', headers: { 'content-type': type } })).status).toBe(200);
    }
    for (const type of ['application/json; charset=utf-8', 'application/cloudevents+json']) {
      expect((await post({ body: '{"name":"x"}', headers: { ...headers, 'content-type': type } })).status).toBe(200);
    }
  });

  it.each([
    ['not JSON', '{', 400, 'The body is not JSON'],
    ['absent', undefined, 400, 'The body is not JSON'],
    ['not UTF-8', Buffer.from([0x22, 0xff, 0x22]), 400, 'The body is not JSON'],
    ['of a wrong type', '[]', 400, expect.stringContaining('The body is not valid')],
    ['of wrong fields', '{"name":7}', 400, expect.stringContaining('name')],
    ['of 64 KiB and a byte', 'x'.repeat(65_537), 413, expect.stringContaining('65536 bytes')],
    ['of 3 MB', 'x'.repeat(3_000_000), 413, expect.stringContaining('65536 bytes')],
  ])('that is %s is refused as JSON', async (_what, sent, status, error) => {
    expect(await post({ body: sent })).toMatchObject({ status, json: { error } });
  });

  it('with a thousand wrong fields is told of five', async () => {
    const many = route('POST', '/many', 'internal', async (event) =>
      json(200, readJsonBody(event, z.array(z.string()))),
    );
    const service = { logger: createLogger('silent'), clock: { now: () => 0 }, config: readConfig({}) };
    const { status, json: answer } = await callerOf([many], service)('POST', '/many', { body: Array(1000).fill(1) });
    expect([status, answer.error.split('; ').length]).toEqual([400, 5]);
  });
});

describe('a query', () => {
  it('is checked, and the parameter at fault is named', async () => {
    const { call } = serve();
    expect((await call('GET', '/things', { query: { limit: '3', other: 'x' } })).json).toEqual({
      things: [],
      limit: 3,
    });
    const answer = await call('GET', '/things', { query: { limit: 'many' } });
    expect(answer).toMatchObject({ status: 400, json: { error: expect.stringContaining('limit: ') } });
  });
});

describe('a read', () => {
  it('has a weak ETag of its content, and is 304 without a body for who has it', async () => {
    const { call } = serve();
    const first = await call('GET', '/things');
    const etag = first.headers.etag ?? '';
    expect(etag).toMatch(/^W\/"[\w-]{27}"$/);
    expect(first.headers['cache-control']).toBe('private, no-cache');
    for (const sent of [etag, `"other", ${etag}`, etag.replace('W/', ''), '*']) {
      const again = await call('GET', '/things', { headers: { 'if-none-match': sent } });
      expect([again.status, again.text, again.headers.etag]).toEqual([304, '', etag]);
    }
    expect((await call('GET', '/things', { headers: { 'if-none-match': 'W/"other"' } })).status).toBe(200);
    expect((await call('GET', '/things', { query: { limit: '3' } })).headers.etag).not.toBe(etag);
  });

  it('by HEAD has the headers of GET and no body', async () => {
    const { call } = serve();
    const [get, head] = [await call('GET', '/things'), await call('HEAD', '/things')];
    expect([head.status, head.text, head.headers.etag]).toEqual([200, '', get.headers.etag]);
    expect(await call('HEAD', '/nowhere')).toMatchObject({ status: 404, text: '' });
  });
});

describe('CORS', () => {
  const origin = 'https://tv.example';

  it('is off unless it is configured', async () => {
    const answer = await serve().call('GET', '/things', { headers: { origin } });
    expect(answer.headers).not.toHaveProperty('access-control-allow-origin');
  });

  it('lets configured origins read, and no others', async () => {
    const { call } = serve({ CORS_ORIGINS: origin });
    const answer = await call('GET', '/things', { headers: { origin } });
    expect(answer.headers).toMatchObject({ 'access-control-allow-origin': origin, vary: 'origin' });
    const other = await call('GET', '/things', { headers: { origin: 'https://other.example' } });
    expect(other.headers).not.toHaveProperty('access-control-allow-origin');
    expect(other.headers.vary).toBe('origin');
  });

  it('lets a page read errors too, and any origin where it is *', async () => {
    const answer = await serve({ CORS_ORIGINS: '*' }).call('GET', '/things', {
      query: { limit: 'x' },
      headers: { origin },
    });
    expect([answer.status, answer.headers['access-control-allow-origin']]).toEqual([400, '*']);
  });

  it('answers a preflight with the methods that are open', async () => {
    const answer = await serve({ CORS_ORIGINS: origin }).call('OPTIONS', '/things', {
      headers: { origin, 'access-control-request-method': 'GET' },
    });
    expect(answer).toMatchObject({
      status: 204,
      headers: { 'access-control-allow-origin': origin, 'access-control-allow-methods': 'GET, HEAD, OPTIONS' },
    });
  });

  it('never opens an internal route', async () => {
    const internal = [route('POST', '/inside', 'internal', async () => json(200, {}))];
    const { call } = {
      call: callerOf(internal, {
        logger: createLogger('error'),
        clock: { now: () => 0 },
        config: readConfig({ CORS_ORIGINS: '*' }),
      }),
    };
    const answer = await call('OPTIONS', '/inside', { headers: { origin, 'access-control-request-method': 'POST' } });
    expect(answer.headers).not.toHaveProperty('access-control-allow-origin');
    expect(answer.headers).not.toHaveProperty('access-control-allow-methods');
  });
});
