/** What goes over the wire to a store, and what becomes of answers that no S3 server of ours gives. */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { S3Client } from '@aws-sdk/client-s3';
import { readConfig } from '../../../lib/platform/config.ts';
import type { ObjectStore } from '../../../lib/storage/object-store.ts';
import { createS3Client, S3ObjectStore } from '../../../lib/storage/s3-object-store.ts';

interface CannedAnswer {
  readonly status?: number;
  readonly headers?: Record<string, string>;
  readonly body?: string;
  readonly afterMs?: number;
}

let server: Server;
let port = 0;
let answer: (request: IncomingMessage) => CannedAnswer = () => ({});
let requests: IncomingMessage[] = [];

beforeAll(async () => {
  server = createServer((request, response) => {
    requests.push(request);
    request.resume().once('end', async () => {
      const { status = 200, headers = {}, body = '', afterMs = 0 } = answer(request);
      await sleep(afterMs);
      response.writeHead(status, headers).end(request.method === 'HEAD' ? '' : body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
});
afterAll(() => new Promise((resolve) => server.close(resolve)));
beforeEach(() => {
  requests = [];
});

const env = () => ({ MINIO_ENDPOINT: `127.0.0.1:${port}` });
const storeOf = (client: S3Client): ObjectStore => new S3ObjectStore(client);
const ours = () => storeOf(createS3Client(readConfig(env())));
const parts = [{ partNumber: 1, etag: 'ab' }];
const completed = '<CompleteMultipartUploadResult><ETag>"made"</ETag></CompleteMultipartUploadResult>';

describe('requests to a store', () => {
  it('carry neither checksums nor chunked encodings, which several servers refuse', async () => {
    answer = (request) => ({
      headers: { etag: '"x"' },
      body: request.url?.includes('uploads') ? '<R><UploadId>1</UploadId></R>' : '',
    });
    const store = ours();
    await store.put('recordings', 'a', Buffer.from('abc'), 'video/mp2t');
    await store.createUpload('recordings', 'b', 'video/mp4');
    await store.uploadPart('recordings', 'b', '1', 1, Buffer.from('abc'));
    await store.get('recordings', 'a', 5000);
    await store.putFile('recordings', 'a', import.meta.filename, 'video/mp4');
    expect(requests).toHaveLength(5);
    for (const request of requests) {
      const names = Object.keys(request.headers).filter((name) => /checksum|trailer|decoded-content/.test(name));
      expect([request.method, names]).toEqual([request.method, []]);
      expect(request.headers['content-encoding']).toBeUndefined();
      expect(request.url).toMatch(/^\/recordings\/[ab]/);
    }
  });
});

describe('a Complete', () => {
  it('may take longer than other requests', async () => {
    const client = new S3Client({
      endpoint: `http://127.0.0.1:${port}`,
      region: 'us-east-1',
      forcePathStyle: true,
      credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
      maxAttempts: 1,
      requestHandler: { requestTimeout: 100, throwOnRequestTimeout: true },
    });
    answer = (request) =>
      request.method === 'HEAD' ? { headers: { etag: '"made"' } } : { body: completed, afterMs: 400 };
    await expect(storeOf(client).createUpload('recordings', 'a', 'video/mp4')).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
    });
    await expect(storeOf(client).completeUpload('recordings', 'a', '1', parts)).resolves.toEqual({ etag: 'made' });
  });

  it('that is answered as done is not believed while the object is another one or is not there', async () => {
    for (const head of [{ status: 404 }, { headers: { etag: '"older"' } }]) {
      answer = (request) => (request.method === 'HEAD' ? head : { body: completed });
      await expect(ours().completeUpload('recordings', 'a', '1', parts)).rejects.toMatchObject({
        code: 'UPLOAD_MISSING',
      });
    }
  });

  it('that is answered by 200 with an error in its body has failed', async () => {
    answer = () => ({ body: '<Error><Code>InternalError</Code><Message>We encountered an error</Message></Error>' });
    await expect(ours().completeUpload('recordings', 'a', '1', parts)).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
    });
  });
});

describe('a part that is refused before its bytes are read', () => {
  const gone = '<Error><Code>NoSuchUpload</Code><Message>no</Message></Error>';
  const body = Buffer.alloc(16 * 1024 * 1024);
  const send = (store: ObjectStore) => store.uploadPart('recordings', 'a', '1', 1, body);
  let refusing: RefusingServer;

  beforeAll(async () => {
    refusing = await startRefusing();
  });
  afterAll(() => refusing.stop());

  it('is one of a lost upload where its answer goes down with the connection', async () => {
    refusing.listing = { status: 404, body: gone };
    await expect(send(refusing.store)).rejects.toMatchObject({ code: 'UPLOAD_MISSING' });
  });

  it.each([
    ['there', { body: '<ListPartsResult></ListPartsResult>' }],
    ['not to be asked for', { status: 403, body: gone.replace('NoSuchUpload', 'AccessDenied') }],
    ['at a proxy that knows nothing of it', { status: 404, body: 'no such page' }],
  ])('has only lost its connection where the upload is %s', async (_, listing) => {
    refusing.listing = listing;
    await expect(send(refusing.store)).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
      message: expect.stringMatching(/^UploadPart recordings 1: .*(ECONNRESET|EPIPE|closed)/),
    });
  });
});

interface RefusingServer {
  readonly store: ObjectStore;
  /** Its answer to GET, which is asked for the parts of an upload. */
  listing: CannedAnswer;
  stop(): Promise<unknown>;
}

/**
 * A server that resets the connection of every PUT: what a client sees of one that answers before it has read the body.
 */
async function startRefusing(): Promise<RefusingServer> {
  const refusing = createServer((request, response) => {
    const { status = 200, body = '' } = running.listing;
    if (request.method === 'PUT') request.socket.resetAndDestroy();
    else response.writeHead(status).end(body);
  });
  await new Promise<void>((resolve) => refusing.listen(0, '127.0.0.1', resolve));
  const { port: at } = refusing.address() as AddressInfo;
  const running: RefusingServer = {
    store: storeOf(createS3Client(readConfig({ MINIO_ENDPOINT: `127.0.0.1:${at}` }))),
    listing: {},
    stop: () => new Promise((resolve) => refusing.close(resolve)),
  };
  return running;
}

describe('a 404', () => {
  const xml = (code: string) => `<Error><Code>${code}</Code><Message>no</Message></Error>`;

  it.each([
    ['NoSuchKey', 'OBJECT_MISSING'],
    ['NoSuchBucket', 'BUCKET_MISSING'],
    ['NoSuchUpload', 'UPLOAD_MISSING'],
    ['XAdminUserNotFound', 'STORAGE_ACCESS_DENIED'],
    ['SomethingElse', 'STORAGE_UNAVAILABLE'],
  ])('%s is %s', async (code, expected) => {
    answer = () => ({ status: 404, body: xml(code) });
    await expect(ours().get('recordings', 'a', 5000)).rejects.toMatchObject({ code: expected });
  });

  it.each([
    ['HTML', '<html><body><h1>404 Not Found</h1><hr>nginx</body></html>'],
    ['nothing', ''],
    ['text', '404 page not found\n'],
  ])(
    'of %s, from a proxy or a wrong endpoint, is no missing object: no segment is given up for it',
    async (_, body) => {
      answer = () => ({ status: 404, body });
      await expect(ours().get('live-segments', 'a', 5000)).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' });
    },
  );
});
