import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsCommand,
  type ListObjectsCommandOutput,
  ListObjectsV2Command,
  ListPartsCommand,
  PutObjectCommand,
  paginateListObjectsV2,
  S3Client,
  type S3ClientConfig,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { type RunningS3, startS3 } from '../../../localstack/s3.ts';
import type { ObjectCreated } from '../../../localstack/s3-store.ts';
import { until } from './until.ts';

const MIB = 1024 * 1024;
let directory: string;
let server: RunningS3;
let s3: S3Client;
let events: ObjectCreated[] = [];

const start = () =>
  startS3({
    dataDir: directory,
    fast: true,
    buckets: ['live-segments', 'recordings'],
    publicBuckets: ['recordings'],
    onObjectCreated: (event) => events.push(event),
  });

const clientFor = (more: Partial<S3ClientConfig> = {}) =>
  new S3Client({
    endpoint: server.endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: 'minioadmin', secretAccessKey: 'minioadmin123' },
    ...more,
  });

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'stack-s3-'));
  server = await start();
  s3 = clientFor();
});

afterAll(async () => {
  s3.destroy();
  await server.stop();
  await rm(directory, { recursive: true, force: true });
});

beforeEach(() => {
  events = [];
});

const put = (Key: string, Body: Buffer | string, Bucket = 'recordings') =>
  s3.send(new PutObjectCommand({ Bucket, Key, Body: Buffer.from(Body) }));

async function get(Key: string, Range?: string, Bucket = 'recordings'): Promise<Buffer> {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key, ...(Range ? { Range } : {}) }));
  return Buffer.from((await Body?.transformToByteArray()) ?? []);
}

async function filesOnDisk(): Promise<string[]> {
  const entries = await readdir(path.join(directory, 'objects'), { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
}

/** Three parts, uploaded in the order 3, 1, 2, as the engine uploads its head last. */
async function uploadParts(
  Key: string,
): Promise<{ UploadId: string; parts: { PartNumber: number; ETag: string }[]; bytes: Buffer }> {
  const { UploadId = '' } = await s3.send(
    new CreateMultipartUploadCommand({ Bucket: 'recordings', Key, ContentType: 'video/mp4' }),
  );
  const bodies = [randomBytes(5 * MIB + 7), randomBytes(5 * MIB), randomBytes(1234)];
  const parts = new Map<number, string>();
  for (const PartNumber of [3, 1, 2]) {
    const Body = bodies[PartNumber - 1] ?? Buffer.alloc(0);
    const { ETag = '' } = await s3.send(
      new UploadPartCommand({ Bucket: 'recordings', Key, UploadId, PartNumber, Body }),
    );
    parts.set(PartNumber, ETag);
  }
  const list = [1, 2, 3].map((PartNumber) => ({ PartNumber, ETag: parts.get(PartNumber) ?? '' }));
  return { UploadId, parts: list, bytes: Buffer.concat(bodies) };
}

const complete = (Key: string, UploadId: string, Parts: { PartNumber: number; ETag: string }[], IfNoneMatch?: '*') =>
  s3.send(
    new CompleteMultipartUploadCommand({
      Bucket: 'recordings',
      Key,
      UploadId,
      MultipartUpload: { Parts },
      ...(IfNoneMatch ? { IfNoneMatch } : {}),
    }),
  );

describe('embedded S3: objects', () => {
  it('gives back what was put, with its type, length, md5 as ETag and metadata', async () => {
    const body = randomBytes(3 * MIB + 5);
    await s3.send(
      new PutObjectCommand({
        Bucket: 'recordings',
        Key: 'a b/ü+%.ts',
        Body: body,
        ContentType: 'video/mp2t',
        Metadata: { run: '7' },
      }),
    );
    const answer = await s3.send(new GetObjectCommand({ Bucket: 'recordings', Key: 'a b/ü+%.ts' }));
    expect(Buffer.from((await answer.Body?.transformToByteArray()) ?? []).equals(body)).toBe(true);
    expect(answer).toMatchObject({ ContentType: 'video/mp2t', ContentLength: body.length, Metadata: { run: '7' } });
    expect(answer.ETag).toBe(`"${createHash('md5').update(body).digest('hex')}"`);
  });

  it.each([['WHEN_SUPPORTED'], ['WHEN_REQUIRED']] as const)(
    'takes bodies of unknown length from an SDK that checks %s',
    async (requestChecksumCalculation) => {
      const client = clientFor({ requestChecksumCalculation });
      const body = randomBytes(6 * MIB);
      const chunks = Array.from({ length: 6 }, (_, n) => body.subarray(n * MIB, (n + 1) * MIB));
      const upload = new Upload({
        client,
        params: { Bucket: 'recordings', Key: 'streamed', Body: Readable.from(chunks) },
      });
      await upload.done();
      await client.send(
        new PutObjectCommand({
          Bucket: 'recordings',
          Key: 'sized',
          Body: Readable.from(chunks),
          ContentLength: body.length,
        }),
      );
      expect((await get('streamed')).equals(body)).toBe(true);
      expect((await get('sized')).equals(body)).toBe(true);
      client.destroy();
    },
  );

  it.each([
    ['bytes=0-0', 0, 1],
    ['bytes=10-19', 10, 20],
    ['bytes=990-', 990, 1000],
    ['bytes=-10', 990, 1000],
    ['bytes=995-2000', 995, 1000],
  ])('answers the range %s', async (range, from, to) => {
    const body = randomBytes(1000);
    await put('ranged', body);
    const answer = await s3.send(new GetObjectCommand({ Bucket: 'recordings', Key: 'ranged', Range: range }));
    expect(answer.ContentRange).toBe(`bytes ${from}-${to - 1}/1000`);
    expect(Buffer.from((await answer.Body?.transformToByteArray()) ?? []).equals(body.subarray(from, to))).toBe(true);
  });

  it('refuses a range behind the end, and serves an empty object', async () => {
    await put('short', 'abc');
    await expect(get('short', 'bytes=3-')).rejects.toMatchObject({
      name: 'InvalidRange',
      $metadata: { httpStatusCode: 416 },
    });
    await put('empty', '');
    expect((await get('empty')).length).toBe(0);
  });

  it('leaves nothing of an upload that broke off, and keeps what the key held', async () => {
    await put('torn', 'whole');
    const before = await filesOnDisk();
    const packager = new AbortController();
    const body = new Readable({ read() {} });
    body.push(randomBytes(MIB));
    const upload = s3.send(
      new PutObjectCommand({ Bucket: 'recordings', Key: 'torn', ContentLength: 5 * MIB, Body: body }),
      { abortSignal: packager.signal },
    );
    const broken = expect(upload).rejects.toMatchObject({ name: 'AbortError' });
    await until(async () => (await filesOnDisk()).length > before.length, 5000);
    packager.abort();
    await broken;
    expect((await get('torn')).toString()).toBe('whole');
    await until(async () => (await filesOnDisk()).length === before.length, 5000);
  });

  it('refuses a body whose digest does not match', async () => {
    const wrong = new PutObjectCommand({
      Bucket: 'recordings',
      Key: 'bad',
      Body: 'abc',
      ContentMD5: 'AAAAAAAAAAAAAAAAAAAAAA==',
    });
    await expect(s3.send(wrong)).rejects.toMatchObject({ name: 'BadDigest' });
    const crc = new PutObjectCommand({ Bucket: 'recordings', Key: 'bad', Body: 'abc', ChecksumCRC32: 'AAAAAA==' });
    await expect(s3.send(crc)).rejects.toMatchObject({ name: 'BadDigest' });
    await expect(get('bad')).rejects.toMatchObject({ name: 'NoSuchKey' });
  });

  it('copies without touching the source, and deletes one or many', async () => {
    await put('dir/source', 'copied bytes');
    await s3.send(
      new CopyObjectCommand({ Bucket: 'live-segments', Key: 'target', CopySource: 'recordings/dir/source' }),
    );
    await s3.send(new DeleteObjectCommand({ Bucket: 'recordings', Key: 'dir/source' }));
    expect((await get('target', undefined, 'live-segments')).toString()).toBe('copied bytes');
    const Objects = [{ Key: 'target' }, { Key: 'never-was' }];
    const deleted = await s3.send(new DeleteObjectsCommand({ Bucket: 'live-segments', Delete: { Objects } }));
    expect(deleted.Deleted).toHaveLength(2);
    await expect(get('target', undefined, 'live-segments')).rejects.toMatchObject({ name: 'NoSuchKey' });
  });

  it('finishes a read with the version it began, while the key is overwritten and deleted', async () => {
    const first = randomBytes(8 * MIB);
    await put('moving', first);
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: 'recordings', Key: 'moving' }));
    await put('moving', 'second');
    await s3.send(new DeleteObjectCommand({ Bucket: 'recordings', Key: 'moving' }));
    expect(Buffer.from((await Body?.transformToByteArray()) ?? []).equals(first)).toBe(true);
    await until(async () => !(await filesOnDisk()).some((name) => name.startsWith('moving')), 5000);
  });

  it('honours If-None-Match: * and If-Match of a write', async () => {
    const { ETag } = await put('once', 'first');
    const again = new PutObjectCommand({ Bucket: 'recordings', Key: 'once', Body: 'second', IfNoneMatch: '*' });
    await expect(s3.send(again)).rejects.toMatchObject({
      name: 'PreconditionFailed',
      $metadata: { httpStatusCode: 412 },
    });
    expect((await get('once')).toString()).toBe('first');
    await s3.send(new PutObjectCommand({ Bucket: 'recordings', Key: 'once', Body: 'third', IfMatch: ETag }));
    await expect(
      s3.send(new PutObjectCommand({ Bucket: 'recordings', Key: 'once', Body: 'fourth', IfMatch: ETag })),
    ).rejects.toMatchObject({ name: 'PreconditionFailed' });
  });

  it('keeps keys that are no file names apart, and inside its directory', async () => {
    const keys = ['x', 'x/y', '/lead', 'trail/', 'a//b', '../../escape', '.', 'a\nb', `${'long'.repeat(60)}/z`];
    for (const key of keys) await put(key, `I am ${key}`, 'live-segments');
    for (const key of keys) expect((await get(key, undefined, 'live-segments')).toString()).toBe(`I am ${key}`);
    expect(await readdir(directory)).toEqual(expect.arrayContaining(['index.sqlite', 'objects']));
    expect((await readdir(path.join(directory, '..'))).filter((name) => name.includes('escape'))).toEqual([]);
    const Objects = keys.map((Key) => ({ Key }));
    await s3.send(new DeleteObjectsCommand({ Bucket: 'live-segments', Delete: { Objects } }));
    await expect(put('k'.repeat(1025), '')).rejects.toMatchObject({ name: 'KeyTooLongError' });
  });
});

describe('embedded S3: multipart uploads', () => {
  it('assembles parts that came out of order, and reads across their borders', async () => {
    const { UploadId, parts, bytes } = await uploadParts('movie.mp4');
    const partFiles = (await filesOnDisk()).filter((name) => name.startsWith('movie.mp4'));
    const { ETag } = await complete('movie.mp4', UploadId, parts);
    expect(ETag).toMatch(/^"[0-9a-f]{32}-3"$/);
    expect((await get('movie.mp4')).equals(bytes)).toBe(true);
    const border = 5 * MIB + 7;
    const across = await get('movie.mp4', `bytes=${border - 100}-${border + 5 * MIB + 99}`);
    expect(across.equals(bytes.subarray(border - 100, border + 5 * MIB + 100))).toBe(true);
    const head = await s3.send(new HeadObjectCommand({ Bucket: 'recordings', Key: 'movie.mp4' }));
    expect(head).toMatchObject({ ContentLength: bytes.length, ContentType: 'video/mp4', ETag });
    // Completing wrote no byte: the object is the very files of its parts.
    expect((await filesOnDisk()).filter((name) => name.startsWith('movie.mp4')).sort()).toEqual(partFiles.sort());
  });

  it('says NoSuchUpload to a second Complete, and to everything else about that upload', async () => {
    const { UploadId, parts } = await uploadParts('twice.mp4');
    await complete('twice.mp4', UploadId, parts);
    const gone = { name: 'NoSuchUpload', $metadata: { httpStatusCode: 404 } };
    await expect(complete('twice.mp4', UploadId, parts)).rejects.toMatchObject(gone);
    const about = { Bucket: 'recordings', Key: 'twice.mp4', UploadId };
    await expect(s3.send(new ListPartsCommand(about))).rejects.toMatchObject(gone);
    await expect(s3.send(new AbortMultipartUploadCommand(about))).rejects.toMatchObject(gone);
    await expect(s3.send(new UploadPartCommand({ ...about, PartNumber: 1, Body: 'x' }))).rejects.toMatchObject(gone);
  });

  it('refuses wrong, missing, disordered and too small parts, and the upload stays open', async () => {
    const { UploadId, parts, bytes } = await uploadParts('strict.mp4');
    const [one, two, three] = parts;
    if (!one || !two || !three) throw new Error('three parts were uploaded');
    await expect(complete('strict.mp4', UploadId, [one, { ...two, ETag: three.ETag }])).rejects.toMatchObject({
      name: 'InvalidPart',
    });
    await expect(complete('strict.mp4', UploadId, [one, { ...two, PartNumber: 9 }])).rejects.toMatchObject({
      name: 'InvalidPart',
    });
    await expect(complete('strict.mp4', UploadId, [two, one])).rejects.toMatchObject({ name: 'InvalidPartOrder' });
    const about = { Bucket: 'recordings', Key: 'strict.mp4', UploadId };
    const fourth = await s3.send(new UploadPartCommand({ ...about, PartNumber: 4, Body: 'end' }));
    const all = [...parts, { PartNumber: 4, ETag: fourth.ETag ?? '' }];
    await expect(complete('strict.mp4', UploadId, all)).rejects.toMatchObject({ name: 'EntityTooSmall' });
    await complete('strict.mp4', UploadId, parts);
    expect((await get('strict.mp4')).equals(bytes)).toBe(true);
    // Part 4 was not named in Complete: it is gone.
    expect((await filesOnDisk()).filter((name) => name.startsWith('strict.mp4'))).toHaveLength(3);
  });

  it('replaces a part that is uploaded again, and copies parts from other objects', async () => {
    await put('material', randomBytes(100));
    const Key = 'patched.mp4';
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket: 'recordings', Key }));
    const about = { Bucket: 'recordings', Key, UploadId, PartNumber: 1 };
    await s3.send(new UploadPartCommand({ ...about, Body: 'old' }));
    const copied = await s3.send(
      new UploadPartCopyCommand({ ...about, CopySource: 'recordings/material', CopySourceRange: 'bytes=10-19' }),
    );
    await complete(Key, UploadId ?? '', [{ PartNumber: 1, ETag: copied.CopyPartResult?.ETag ?? '' }]);
    expect((await get(Key)).equals((await get('material')).subarray(10, 20))).toBe(true);
  });

  it('lists parts and uploads, and forgets both when an upload is aborted', async () => {
    const { UploadId, parts } = await uploadParts('listed/abort.mp4');
    const about = { Bucket: 'recordings', Key: 'listed/abort.mp4', UploadId };
    const page = await s3.send(new ListPartsCommand({ ...about, MaxParts: 2 }));
    expect(page).toMatchObject({ IsTruncated: true, NextPartNumberMarker: '2' });
    expect(page.Parts?.map(({ PartNumber, ETag }) => ({ PartNumber, ETag }))).toEqual(parts.slice(0, 2));
    const open = await s3.send(new ListMultipartUploadsCommand({ Bucket: 'recordings', Prefix: 'listed/' }));
    expect(open.Uploads?.map((upload) => [upload.Key, upload.UploadId])).toEqual([['listed/abort.mp4', UploadId]]);
    await s3.send(new AbortMultipartUploadCommand(about));
    const none = await s3.send(new ListMultipartUploadsCommand({ Bucket: 'recordings', Prefix: 'listed/' }));
    expect(none.Uploads ?? []).toEqual([]);
    expect((await filesOnDisk()).filter((name) => name.startsWith('abort.mp4'))).toEqual([]);
  });

  it('honours If-None-Match: * of Complete, after which the upload can still be aborted', async () => {
    await put('taken.mp4', 'the recording of another broadcast');
    const { UploadId, parts } = await uploadParts('taken.mp4');
    await expect(complete('taken.mp4', UploadId, parts, '*')).rejects.toMatchObject({ name: 'PreconditionFailed' });
    expect((await get('taken.mp4')).toString()).toBe('the recording of another broadcast');
    await s3.send(new AbortMultipartUploadCommand({ Bucket: 'recordings', Key: 'taken.mp4', UploadId }));
  });
});

describe('embedded S3: listings', () => {
  const keys = Array.from({ length: 2300 }, (_, n) => `many/show/segment_${String(n).padStart(5, '0')}.ts`);

  beforeAll(async () => {
    for (let n = 0; n < keys.length; n += 50) {
      await Promise.all(keys.slice(n, n + 50).map((key) => put(key, 'x', 'live-segments')));
    }
    await put('many/show.m3u8', '#EXTM3U', 'live-segments');
    await put('many/zz', '', 'live-segments');
  }, 60_000);

  it('gives pages of a prefix in order, with times finer than a second', async () => {
    const pages = paginateListObjectsV2({ client: s3 }, { Bucket: 'live-segments', Prefix: 'many/show/' });
    const found: string[] = [];
    let fine = 0;
    for await (const page of pages) {
      for (const { Key, LastModified, Size } of page.Contents ?? []) {
        found.push(Key ?? '');
        if ((LastModified?.getTime() ?? 0) % 1000 !== 0) fine += 1;
        expect(Size).toBe(1);
      }
    }
    expect(found).toEqual(keys);
    expect(fine).toBeGreaterThan(keys.length / 2);
  });

  it('starts after a key and stops at a limit', async () => {
    const page = await s3.send(
      new ListObjectsV2Command({ Bucket: 'live-segments', Prefix: 'many/show/', StartAfter: keys[2000], MaxKeys: 10 }),
    );
    expect(page.Contents?.map((object) => object.Key)).toEqual(keys.slice(2001, 2011));
    expect(page).toMatchObject({ IsTruncated: true, KeyCount: 10 });
    const before = await s3.send(
      new ListObjectsV2Command({ Bucket: 'live-segments', Prefix: 'many/z', StartAfter: 'a' }),
    );
    expect(before.Contents?.map((object) => object.Key)).toEqual(['many/zz']);
  });

  it('groups by a delimiter, a page at a time, in both versions', async () => {
    const list = { Bucket: 'live-segments', Prefix: 'many/', Delimiter: '/', MaxKeys: 1 };
    const names: string[] = [];
    for await (const page of paginateListObjectsV2({ client: s3 }, list)) {
      names.push(...(page.CommonPrefixes ?? []).map((group) => group.Prefix ?? ''));
      names.push(...(page.Contents ?? []).map((object) => object.Key ?? ''));
    }
    expect(names).toEqual(['many/show.m3u8', 'many/show/', 'many/zz']);
    const old: string[] = [];
    for (let Marker: string | undefined = ''; Marker !== undefined; ) {
      const page: ListObjectsCommandOutput = await s3.send(new ListObjectsCommand({ ...list, Marker }));
      old.push(...(page.CommonPrefixes ?? []).map((group) => group.Prefix ?? ''));
      old.push(...(page.Contents ?? []).map((object) => object.Key ?? ''));
      Marker = page.NextMarker;
    }
    expect(old).toEqual(names);
  });

  it('says NoSuchBucket, and makes buckets', async () => {
    await expect(s3.send(new ListObjectsV2Command({ Bucket: 'nowhere' }))).rejects.toMatchObject({
      name: 'NoSuchBucket',
    });
    await s3.send(new CreateBucketCommand({ Bucket: 'made-here' }));
    expect((await s3.send(new ListObjectsV2Command({ Bucket: 'made-here' }))).KeyCount).toBe(0);
  });
});

describe('embedded S3: who may do what', () => {
  const status = async (method: string, target: string, headers: Record<string, string> = {}) => {
    const answer = await fetch(`${server.endpoint}${target}`, { method, headers });
    return { status: answer.status, text: await answer.text(), headers: answer.headers };
  };

  it('refuses an unknown key and a wrong secret, each with the error of S3', async () => {
    for (const [accessKeyId, secretAccessKey, name] of [
      ['somebody', 'minioadmin123', 'InvalidAccessKeyId'],
      ['minioadmin', 'wrong', 'SignatureDoesNotMatch'],
    ] as const) {
      const stranger = clientFor({ credentials: { accessKeyId, secretAccessKey } });
      const refused = { name, $metadata: { httpStatusCode: 403 } };
      await expect(stranger.send(new ListObjectsV2Command({ Bucket: 'recordings' }))).rejects.toMatchObject(refused);
      const write = new PutObjectCommand({ Bucket: 'recordings', Key: 'k', Body: Buffer.alloc(MIB) });
      await expect(stranger.send(write)).rejects.toMatchObject(refused);
      stranger.destroy();
    }
  });

  it('lets anyone read an object of recordings, but no staging, no listing, no other bucket, and nobody write', async () => {
    await put('public.mp4', 'for everyone');
    await put('.staging/1/segments/2', 'not for everyone');
    await put('key/segment_000.ts', 'live', 'live-segments');
    expect(await status('GET', '/recordings/public.mp4')).toMatchObject({ status: 200, text: 'for everyone' });
    expect((await status('HEAD', '/recordings/public.mp4')).status).toBe(200);
    for (const [method, target] of [
      ['GET', '/recordings/.staging/1/segments/2'],
      ['GET', '/recordings/%2Estaging/1/segments/2'],
      ['GET', '/recordings'],
      ['GET', '/recordings/'],
      ['GET', '/recordings?list-type=2'],
      ['GET', '/live-segments/key/segment_000.ts'],
      ['GET', '/'],
      ['PUT', '/recordings/public.mp4'],
      ['DELETE', '/recordings/public.mp4'],
      ['POST', '/recordings/public.mp4?uploads'],
    ] as const) {
      const answer = await status(method, target);
      expect([method, target, answer.status]).toEqual([method, target, 403]);
      expect(answer.text).toContain('<Code>AccessDenied</Code>');
    }
    expect((await status('GET', '/recordings/nothing')).status).toBe(404);
  });

  it('lets a page of another origin play: preflight and exposed range headers', async () => {
    await put('page.mp4', '0123456789');
    const preflight = await status('OPTIONS', '/recordings/page.mp4', {
      origin: 'http://127.0.0.1:8083',
      'access-control-request-method': 'GET',
      'access-control-request-headers': 'range',
    });
    expect(preflight.status).toBe(200);
    expect(preflight.headers.get('access-control-allow-headers')).toBe('range');
    const part = await status('GET', '/recordings/page.mp4', { origin: 'http://127.0.0.1:8083', range: 'bytes=2-3' });
    expect(part).toMatchObject({ status: 206, text: '23' });
    expect(part.headers.get('access-control-allow-origin')).toBe('*');
    expect(part.headers.get('access-control-expose-headers')).toContain('Content-Range');
  });

  it('goes on with a download of the same object only: If-Range', async () => {
    await put('resumed.mp4', 'the old file');
    const old = await status('GET', '/recordings/resumed.mp4');
    const etag = old.headers.get('etag') ?? '';
    const go = (ifRange: string) =>
      status('GET', '/recordings/resumed.mp4', { range: 'bytes=4-', 'if-range': ifRange });
    expect(await go(etag)).toMatchObject({ status: 206, text: 'old file' });
    expect(await go(old.headers.get('last-modified') ?? '')).toMatchObject({ status: 206, text: 'old file' });
    expect(await go(`W/${etag}`)).toMatchObject({ status: 200, text: 'the old file' });
    await put('resumed.mp4', 'the new one');
    expect(await go(etag)).toMatchObject({ status: 200, text: 'the new one' });
    expect(await go('Sun, 05 Oct 2025 18:00:00 GMT')).toMatchObject({ status: 200, text: 'the new one' });
  });

  it('does not follow dot segments out of a bucket', async () => {
    const answer = await new Promise<number | undefined>((resolve, reject) => {
      const target = { port: server.port, path: '/recordings/../live-segments/key/segment_000.ts' };
      httpRequest(target, (message) => resolve(message.resume().statusCode))
        .once('error', reject)
        .end();
    });
    expect(answer).toBe(404);
  });
});

describe('embedded S3: notifications and restarts', () => {
  it('tells of each object that is created, once, with its size and ETag', async () => {
    const { ETag } = await put('told/segment_000.ts', 'abc', 'live-segments');
    await s3.send(
      new CopyObjectCommand({
        Bucket: 'live-segments',
        Key: 'told/copy',
        CopySource: 'live-segments/told/segment_000.ts',
      }),
    );
    const { UploadId, parts, bytes } = await uploadParts('told.mp4');
    await complete('told.mp4', UploadId, parts);
    await s3.send(new DeleteObjectCommand({ Bucket: 'live-segments', Key: 'told/copy' }));
    expect(events.map(({ eventName, bucket, key, size }) => [eventName, bucket, key, size])).toEqual([
      ['ObjectCreated:Put', 'live-segments', 'told/segment_000.ts', 3],
      ['ObjectCreated:Copy', 'live-segments', 'told/copy', 3],
      ['ObjectCreated:CompleteMultipartUpload', 'recordings', 'told.mp4', bytes.length],
    ]);
    expect(`"${events[0]?.etag}"`).toBe(ETag);
  });

  it('keeps objects and open uploads over a restart', async () => {
    await put('kept.txt', 'still here');
    const { UploadId, parts, bytes } = await uploadParts('kept.mp4');
    await server.stop();
    server = await start();
    s3.destroy();
    s3 = clientFor();
    expect((await get('kept.txt')).toString()).toBe('still here');
    await complete('kept.mp4', UploadId, parts);
    expect((await get('kept.mp4')).equals(bytes)).toBe(true);
  });

  it('names the port that is taken', async () => {
    await expect(startS3({ dataDir: `${directory}-other`, port: server.port })).rejects.toMatchObject({
      code: 'PORT_TAKEN',
      message: expect.stringContaining('S3_PORT'),
    });
    await rm(`${directory}-other`, { recursive: true, force: true });
  });
});
