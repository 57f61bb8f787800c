/** GET and PUT of an object when the store does not answer as it should: what is repeated, and what is told. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readConfig } from '../../../lib/platform/config.ts';
import { createS3Client, S3ObjectStore } from '../../../lib/storage/s3-object-store.ts';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

let server: Server;
let answers: Answer[] = [];
let received: Array<{ readonly request: IncomingMessage; readonly body: string }> = [];

beforeAll(async () => {
  server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => {
      body += text;
    });
    request.once('end', () => {
      received.push({ request, body });
      // The last answer is the answer to all that follows.
      const answer = answers.length > 1 ? answers.shift() : answers[0];
      answer?.(request, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(() => new Promise((resolve) => server.close(resolve)));
beforeEach(() => {
  received = [];
});

function storeOf(endpoint = `127.0.0.1:${(server.address() as AddressInfo).port}`) {
  return new S3ObjectStore(createS3Client(readConfig({ MINIO_ENDPOINT: endpoint })));
}
const ok =
  (body = ''): Answer =>
  (_request, response) =>
    response.writeHead(200, { etag: '"x"' }).end(body);
const refuse =
  (status: number, code: string, headers = {}): Answer =>
  (_request, response) =>
    response.writeHead(status, headers).end(`<Error><Code>${code}</Code><Message>no</Message></Error>`);
const hangUp: Answer = (request) => request.socket.destroy();
const bytes = new TextEncoder().encode('media');

describe('a request that fails in passing', () => {
  it.each([
    ['500', refuse(500, 'InternalError')],
    ['503', refuse(503, 'SlowDown')],
    ['429', refuse(429, 'TooManyRequests')],
    ['a time-out of the store', refuse(400, 'RequestTimeout')],
    ['a connection that ends', hangUp],
  ])('is made again with all its bytes: %s', async (_, failure) => {
    answers = [failure, failure, ok()];
    await expect(storeOf().put('recordings', 'a', bytes, 'video/mp2t')).resolves.toEqual({ etag: 'x' });
    expect(received.map(({ body }) => body)).toEqual(['media', 'media', 'media']);
  });

  it('is given up after three attempts, as a store that is not available', async () => {
    answers = [refuse(503, 'SlowDown')];
    await expect(storeOf().get('recordings', 'a', 10_000)).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
      message: expect.stringContaining('SlowDown'),
    });
    expect(received).toHaveLength(3);
  });

  it('is not made again where the store will never accept it', async () => {
    answers = [refuse(400, 'EntityTooLarge')];
    await expect(storeOf().put('recordings', 'a', bytes, 'video/mp2t')).rejects.toMatchObject({
      code: 'STORAGE_REFUSED',
    });
    expect(received).toHaveLength(1);
  });

  it('of a store that is not there is told as one that is not available', async () => {
    await expect(storeOf('127.0.0.1:1').get('recordings', 'a', 10_000)).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
    });
  });
});

describe('a clock that is wrong by hours', () => {
  it('is put right by what the store answers, now and for what follows', async () => {
    const there = Date.now() + 3 * 3600_000;
    answers = [refuse(403, 'RequestTimeTooSkewed', { date: new Date(there).toUTCString() }), ok()];
    const store = storeOf();
    await store.put('recordings', 'a', bytes, 'video/mp2t');
    await store.put('recordings', 'b', bytes, 'video/mp2t');
    const hours = received.map(({ request }) => {
      const [, day, time] = /^(\d{8}T)(\d\d)/.exec(String(request.headers['x-amz-date'])) ?? [];
      return `${day}${time}`;
    });
    const hourOf = (ms: number) => new Date(ms).toISOString().replaceAll('-', '').slice(0, 11);
    expect(hours).toEqual([hourOf(there - 3 * 3600_000), hourOf(there), hourOf(there)]);
  });
});

describe('an object that comes in pieces', () => {
  it('is whole, with or without a length, and in the memory that was given where it fits', async () => {
    const text = 'x'.repeat(300_000);
    const store = storeOf();
    for (const length of [{ 'content-length': text.length }, {}]) {
      answers = [
        (_request, response) => {
          response.writeHead(200, { etag: '"x"', ...length }).write(text);
          response.end();
        },
      ];
      const memory = new Uint8Array(400_000);
      const fetched = await store.get('recordings', 'a', 10_000, memory);
      expect(Buffer.from(fetched.bytes).equals(Buffer.from(text))).toBe(true);
      expect(fetched.bytes.buffer === memory.buffer).toBe(true);
    }
  });

  it('is not taken for whole when the connection ends before it', async () => {
    answers = [
      (_request, response) => {
        response.writeHead(200, { 'content-length': 100 });
        response.write('half', () => response.destroy());
      },
    ];
    await expect(storeOf().get('recordings', 'a', 10_000)).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' });
  });

  it('has its time limit, headers and body together', async () => {
    answers = [(_request, response) => void response.writeHead(200, { 'content-length': 100 }).write('half')];
    await expect(storeOf().get('recordings', 'a', 200)).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
      message: expect.stringContaining('no whole answer within 200 ms'),
    });
    server.closeAllConnections();
  });
});
