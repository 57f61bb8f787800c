import { jest } from '@jest/globals';
import { parseAddressList } from '../../../lib/platform/address-list.ts';
import { type Access, admit, announceAdmission } from '../../../lib/platform/admission.ts';
import { readConfig } from '../../../lib/platform/config.ts';
import { HttpProblem } from '../../../lib/platform/http-message.ts';
import { sign } from '../../../lib/platform/signature.ts';
import { httpEvent, type Request } from '../../support/lambda.ts';

const NOW = Date.parse('2025-10-05T18:00:00Z');
const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const TOKEN = 'token-of-the-store';
const BODY = '{"a":1}';

/** Null where the request is let in. */
function refusalOf(access: Access, env: Record<string, string>, request: Request = {}): HttpProblem | null {
  try {
    admit(access, httpEvent('POST', '/webhook/stream', { body: BODY, ...request }), readConfig(env), NOW);
    return null;
  } catch (error) {
    expect(error).toBeInstanceOf(HttpProblem);
    return error as HttpProblem;
  }
}

/** 200 where the request is let in, else the status of the refusal. */
const ask = (...asked: Parameters<typeof refusalOf>): number => refusalOf(...asked)?.statusCode ?? 200;

const signed = (at = NOW, body = BODY): Record<string, string> => ({
  ...sign(readConfig({ WEBHOOK_SECRET: SECRET }).WEBHOOK_SECRET ?? [], 'msg_1', at, body),
});

describe('without WEBHOOK_SECRET', () => {
  it.each(['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1', '::ffff:7f00:1'])('lets %s in', (sourceIp) => {
    expect(ask('internal', {}, { sourceIp })).toBe(200);
  });

  it.each(['10.0.0.1', '192.168.1.2', '::ffff:10.0.0.1', 'fe80::1', '2001:db8::1', '', 'unknown', '127.0.0.1.evil'])(
    'refuses %p',
    (sourceIp) => {
      expect(ask('internal', {}, { sourceIp })).toBe(403);
    },
  );

  it('lets in whom WEBHOOK_ALLOW_FROM names, and only those', () => {
    const env = { WEBHOOK_ALLOW_FROM: '10.1.0.0/16, 2001:db8::/32, 192.0.2.7' };
    for (const sourceIp of ['10.1.255.1', '2001:db8:1::5', '192.0.2.7', '::ffff:10.1.2.3']) {
      expect(ask('internal', env, { sourceIp })).toBe(200);
    }
    for (const sourceIp of ['10.2.0.1', '192.0.2.8', '127.0.0.1']) {
      expect(ask('internal', env, { sourceIp })).toBe(403);
    }
  });

  it('lets nobody in because of X-Forwarded-For', () => {
    expect(ask('internal', {}, { sourceIp: '10.0.0.1', headers: { 'x-forwarded-for': '127.0.0.1' } })).toBe(403);
  });

  it('refuses what came through a proxy on an allowed machine', () => {
    expect(ask('internal', {}, { headers: { 'x-forwarded-for': '203.0.113.9' } })).toBe(403);
    expect(ask('internal', {}, { headers: { 'X-Forwarded-For': '127.0.0.1, 203.0.113.9' } })).toBe(403);
    expect(ask('internal', {}, { headers: { 'x-forwarded-for': '127.0.0.1' } })).toBe(200);
    expect(ask('internal', {}, { sourceIp: '::ffff:127.0.0.1', headers: { 'x-forwarded-for': '127.0.0.1' } })).toBe(
      200,
    );
    for (const hops of ['', ' ', '203.0.113.9,', 'unknown']) {
      expect(ask('internal', {}, { headers: { 'x-forwarded-for': hops } })).toBe(403);
    }
  });

  it('passes over the zone of an address that has one', () => {
    const env = { WEBHOOK_ALLOW_FROM: 'fe80::/10' };
    const sourceIp = 'fe80::1%eth0';
    expect(ask('internal', env, { sourceIp })).toBe(200);
    expect(ask('internal', env, { sourceIp, headers: { 'x-forwarded-for': 'fe80::1' } })).toBe(200);
  });

  it.each([
    ['another address', { sourceIp: '203.0.113.9' }, 'This address may not call'],
    ['a proxy', { headers: { 'x-forwarded-for': '203.0.113.9' } }, 'through a proxy.*WEBHOOK_SECRET'],
    ['a page', { headers: { origin: 'https://evil.example' } }, 'Pages of other origins'],
  ])('says to %s why it is refused', (_who, request, why) => {
    expect(refusalOf('internal', {}, request)).toMatchObject({ statusCode: 403, message: expect.stringMatching(why) });
  });

  it('refuses pages of other origins in a browser on an allowed machine', () => {
    expect(ask('internal', {}, { headers: { origin: 'https://evil.example' } })).toBe(403);
    expect(ask('internal', {}, { headers: { origin: 'null' } })).toBe(403);
    expect(ask('internal', {}, { headers: { 'sec-fetch-site': 'cross-site' } })).toBe(403);
    const own = (host: string) => ({ host, origin: `http://${host}`, 'sec-fetch-site': 'same-origin' });
    for (const host of ['127.0.0.1:8083', 'localhost:8083', '[::1]:8083']) {
      expect(ask('internal', {}, { headers: own(host) })).toBe(200);
    }
    // Its owner may have pointed this name at 127.0.0.1.
    expect(ask('internal', {}, { headers: own('evil.example:8083') })).toBe(403);
    expect(ask('internal', {}, { headers: { ...own('127.0.0.1:8083'), origin: 'http://127.0.0.1:3000' } })).toBe(403);
  });

  it('says so, once, at start', () => {
    const logger = { warn: jest.fn() };
    announceAdmission(readConfig({}), logger as never);
    expect(logger.warn).toHaveBeenCalledTimes(1);
    expect(logger.warn).toHaveBeenCalledWith(
      { allow_from: ['127.0.0.0/8', '::1'] },
      expect.stringContaining('WEBHOOK_SECRET'),
    );
    announceAdmission(readConfig({ WEBHOOK_SECRET: SECRET }), logger as never);
    expect(logger.warn).toHaveBeenCalledTimes(1);
  });
});

describe('with WEBHOOK_SECRET', () => {
  const env = { WEBHOOK_SECRET: SECRET };

  it('lets a signed request in from anywhere, any number of times', () => {
    for (let time = 0; time < 2; time += 1) {
      expect(ask('internal', env, { sourceIp: '203.0.113.9', headers: signed() })).toBe(200);
    }
  });

  it('reads header names in any case and a body that arrives as base64', () => {
    const headers = Object.fromEntries(Object.entries(signed()).map(([name, value]) => [name.toUpperCase(), value]));
    expect(ask('internal', env, { headers, body: Buffer.from(BODY) })).toBe(200);
  });

  it('refuses even loopback without a signature', () => {
    expect(ask('internal', env)).toBe(401);
  });

  it('refuses a signature of another body, or of five minutes ago', () => {
    expect(ask('internal', env, { headers: signed(NOW, '{"a":2}') })).toBe(401);
    expect(ask('internal', env, { headers: signed(NOW - 301_000) })).toBe(401);
  });

  it.each([
    ['is not signed', {}, 'not signed'],
    ['has half of the headers', { 'webhook-id': 'msg_1' }, 'not signed'],
    ['has a time that is none', { ...signed(), 'webhook-timestamp': '-1' }, 'malformed'],
    ['is too old', signed(NOW - 301_000), 'too old'],
    ['has a wrong signature', signed(NOW, 'other'), 'signature is wrong'],
  ])('says why it refuses what %s, and what it wants', (_what, headers, why) => {
    expect(refusalOf('internal', env, { headers: headers as Record<string, string> })).toMatchObject({
      statusCode: 401,
      message: expect.stringContaining(why),
      headers: { 'www-authenticate': expect.stringMatching(/^Signature /) },
    });
  });

  it('signs the absence of a body too', () => {
    expect(ask('internal', env, { headers: signed(NOW, ''), body: undefined })).toBe(200);
  });

  it('takes two secrets while senders change over', () => {
    const both = { WEBHOOK_SECRET: `whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD,${SECRET}` };
    expect(ask('internal', both, { headers: signed() })).toBe(200);
  });

  it('leaves reads open', () => {
    expect(ask('public', env, { sourceIp: '203.0.113.9' })).toBe(200);
  });
});

describe('notifications of the object store', () => {
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

  it.each([
    ['no secret, no token', {}, {}, 200],
    ['no secret, a token', { MINIO_WEBHOOK_TOKEN: TOKEN }, bearer(TOKEN), 200],
    ['no secret, a wrong token', { MINIO_WEBHOOK_TOKEN: TOKEN }, bearer(`${TOKEN}x`), 401],
    ['no secret, the token not sent', { MINIO_WEBHOOK_TOKEN: TOKEN }, {}, 401],
    ['a secret, no token', { WEBHOOK_SECRET: SECRET }, bearer(TOKEN), 401],
    ['a secret, no token, signed', { WEBHOOK_SECRET: SECRET }, signed(), 200],
    ['a secret and a token', { WEBHOOK_SECRET: SECRET, MINIO_WEBHOOK_TOKEN: TOKEN }, bearer(TOKEN), 200],
    ['a secret and a token, signed', { WEBHOOK_SECRET: SECRET, MINIO_WEBHOOK_TOKEN: TOKEN }, signed(), 200],
    ['a secret and a token, neither sent', { WEBHOOK_SECRET: SECRET, MINIO_WEBHOOK_TOKEN: TOKEN }, {}, 401],
  ])('%s: %#', (_name, env, headers, status) => {
    expect(ask('store', env as Record<string, string>, { headers: headers as Record<string, string> })).toBe(status);
  });

  it('may not use their token elsewhere', () => {
    expect(ask('internal', { WEBHOOK_SECRET: SECRET, MINIO_WEBHOOK_TOKEN: TOKEN }, { headers: bearer(TOKEN) })).toBe(
      401,
    );
  });
});

describe('a list of addresses', () => {
  it.each(['300.1.1.1', '10.0.0.0/33', '::1/129', '10.0.0.0/8/8', '10.0.0.0/', 'localhost', 'fe80::1%eth0'])(
    'refuses %p',
    (text) => {
      expect(parseAddressList(text)).toBeNull();
    },
  );

  it('may be empty, and then nobody is on it', () => {
    expect(parseAddressList('')?.has('127.0.0.1')).toBe(false);
  });
});

describe('hooks of streaming servers', () => {
  const HOOK_TOKEN = 'token-of-the-servers';
  const query = { token: HOOK_TOKEN };

  it('bring HOOK_TOKEN in the URL or as a bearer, from anywhere, and nothing else lets them in', () => {
    for (const env of [{ HOOK_TOKEN }, { HOOK_TOKEN, WEBHOOK_SECRET: SECRET, MINIO_WEBHOOK_TOKEN: TOKEN }]) {
      expect(ask('server', env, { query, sourceIp: '203.0.113.9' })).toBe(200);
      expect(ask('server', env, { headers: { authorization: `Bearer ${HOOK_TOKEN}` } })).toBe(200);
      for (const request of [{}, { query: { token: '' } }, { query: { token: TOKEN } }, { headers: signed() }]) {
        expect(ask('server', env, request)).toBe(401);
      }
    }
  });

  it('are internal routes without it', () => {
    expect(ask('server', {}, {})).toBe(200);
    expect(ask('server', {}, { query, sourceIp: '203.0.113.9' })).toBe(403);
    expect(ask('server', { WEBHOOK_SECRET: SECRET }, { query })).toBe(401);
    expect(ask('server', { WEBHOOK_SECRET: SECRET }, { headers: signed() })).toBe(200);
  });

  it('have a token that opens nothing else', () => {
    const env = { HOOK_TOKEN, WEBHOOK_SECRET: SECRET };
    for (const access of ['internal', 'store'] as const) expect(ask(access, env, { query })).toBe(401);
  });
});
