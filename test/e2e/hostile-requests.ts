/** Requests that somebody hostile or careless sends, with the status each has to get. Data only. */

export interface HostileRequest {
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly body?: string;
  readonly headers?: Record<string, string>;
  readonly status: number;
  readonly error?: string;
}

const STREAM_ID = '8d3b7c52-4f1e-4a53-9d0c-2f6f3f0a1b11';

const good = {
  event: 'stream.started',
  stream_id: STREAM_ID,
  stream_key: 'hostile',
  user_id: '1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed',
  timestamp: '2025-10-05T18:00:00Z',
};

const webhook = (name: string, body: unknown, status = 400, error?: string): HostileRequest => ({
  name,
  method: 'POST',
  path: '/webhook/stream',
  body: typeof body === 'string' ? body : JSON.stringify(body),
  status,
  ...(error === undefined ? {} : { error }),
});

const notJson = [
  ['an empty body', ''],
  ['a text', 'hello'],
  ['half an object', '{"event":'],
  ['a form', 'event=stream.started&stream_key=a'],
  ['XML', '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'],
  ['a zero byte', '\u0000'],
  ['NaN', 'NaN'],
] as const;

const wrongShapes = [
  ['null', null],
  ['a number', 5],
  ['a string', 'stream.started'],
  ['an array', [good]],
  ['an empty object', {}],
  ['an event that is a number', { ...good, event: 1 }],
  ['an event that is an object', { ...good, event: { $ne: null } }],
  ['no stream_id', { ...good, stream_id: undefined }],
  ['a stream_id that is no UUID', { ...good, stream_id: '1 OR 1=1' }],
  ['a stream_id that is an array', { ...good, stream_id: [STREAM_ID] }],
  ['a user_id that is no UUID', { ...good, user_id: "'; DROP TABLE recordings; --" }],
  ['a timestamp that is none', { ...good, timestamp: 'yesterday' }],
  ['a timestamp that is a number', { ...good, timestamp: 1759687200 }],
  ['a timestamp on the 32nd', { ...good, timestamp: '2025-10-32T18:00:00Z' }],
  ['a timestamp before the year 1', { ...good, timestamp: '0000-12-31T23:59:59Z' }],
  ['a timestamp in the year 10000', { ...good, timestamp: '9999-12-31T23:59:59-00:01' }],
  ['a prototype', `{"__proto__":{"event":"stream.started"},"constructor":{"prototype":{}}}`],
] as const;

const wrongKeys = [
  '',
  '.',
  '..',
  '../recordings',
  '..\\windows',
  'a/../b',
  'a/b',
  '/etc/passwd',
  '.staging',
  "a'; DROP TABLE recordings; --",
  'a"b',
  'a`id`',
  '$(reboot)',
  'a b',
  'a\nb',
  'a\r\nSet-Cookie: x',
  'a\u0000b',
  'a%2F..%2Fb',
  'ключ',
  '\u202Egnp.exe',
  '<script>alert(1)</script>',
  'x'.repeat(129),
  'x'.repeat(10_000),
] as const;

const wrongIds = [
  '1',
  'abc',
  `${STREAM_ID}0`,
  STREAM_ID.slice(1),
  "1'%20OR%20'1'='1",
  '..%2F..%2Fetc%2Fpasswd',
  '%00',
  '%F0%9F%92%A9',
];

const bigText = 'x'.repeat(3_000_000);

export const hostileRequests: readonly HostileRequest[] = [
  ...notJson.map(([name, body]) => webhook(`${name} in place of JSON`, body)),
  ...wrongShapes.map(([name, body]) => webhook(`a webhook with ${name}`, body)),
  webhook('an unknown event', { ...good, event: 'stream.exploded' }, 400, 'Invalid event type'),
  webhook('an event that is text of no kind', { event: '' }, 400, 'Invalid event type'),
  ...wrongKeys.map((stream_key) =>
    webhook(`the stream key ${JSON.stringify(stream_key).slice(0, 40)}`, { ...good, stream_key }),
  ),
  ...[5, null, true, {}, ['a']].map((stream_key) =>
    webhook(`the stream key ${JSON.stringify(stream_key)}, no text`, { ...good, stream_key }),
  ),
  webhook('a body of 3 MB that is JSON', { ...good, stream_key: bigText }, 413),
  webhook('a body of 3 MB that is none', bigText, 413),
  webhook('JSON nested 100,000 deep', `${'['.repeat(100_000)}${']'.repeat(100_000)}`, 413),
  webhook('JSON nested as deep as fits', `${'['.repeat(30_000)}${']'.repeat(30_000)}`),
  ...wrongIds.map((id) => ({
    name: `the id ${id.slice(0, 40)}`,
    method: 'GET',
    path: `/recording/${id}`,
    status: 404,
    error: 'Recording not found',
  })),
  { name: 'an id that is broken percent-encoding', method: 'GET', path: '/recording/%E0%A4%A', status: 400 },
  {
    name: 'an id that nobody has',
    method: 'GET',
    path: `/recording/${STREAM_ID}`,
    status: 404,
    error: 'Recording not found',
  },
  {
    name: 'an id that nobody has, at the gateway path',
    method: 'GET',
    path: `/api/recordings/${STREAM_ID}`,
    status: 404,
    error: 'Recording not found',
  },
  ...['PUT', 'DELETE', 'PATCH', 'POST'].map((method) => ({
    name: `${method} of the list`,
    method,
    path: '/recordings',
    status: 405,
  })),
  ...['PUT', 'DELETE', 'GET'].map((method) => ({
    name: `${method} of the webhook`,
    method,
    path: '/webhook/stream',
    status: 405,
  })),
  { name: 'DELETE of the health', method: 'DELETE', path: '/health', status: 405 },
  ...['/nothing', '/recording', '/recordings/..%2f..%2fetc', '/webhook', '/.env', '/api/recordings/a/b'].map(
    (path) => ({
      name: `the path ${path}`,
      method: 'GET',
      path,
      status: 404,
    }),
  ),
];
