/**
 * What the service needs of an S3 server: the contract of every store (object-store-contract.ts), and what only a server
 * has: restarts, credentials, links, readers from outside. Where servers differ, store-server.ts names the difference
 * and the suite asserts it.
 */
import { createHash, randomUUID } from 'node:crypto';
import {
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { readConfig } from '../../../lib/platform/config.ts';
import { createDownloadLinks } from '../../../lib/storage/download-links.ts';
import { connections } from '../../../lib/storage/object-answer.ts';
import type { ObjectStore } from '../../../lib/storage/object-store.ts';
import { createS3Client, S3ObjectStore } from '../../../lib/storage/s3-object-store.ts';
import { waitFor } from '../wait.ts';
import { BUCKET, codeOf, describeObjectStore, openUploadOn } from './object-store-contract.ts';
import { ACCESS_KEY, SECRET_KEY, type StoreServer } from './store-server.ts';

export function describeStorage(startStore: () => Promise<StoreServer>): void {
  let server: StoreServer;
  let store: ObjectStore;
  /** Every test has a folder of its own. */
  let folder = '';

  const storeFor = (env: Record<string, string> = {}) =>
    new S3ObjectStore(createS3Client(readConfig({ ...server.env, ...env })));

  beforeAll(async () => {
    server = await startStore();
    store = storeFor();
  });
  afterAll(() => server?.stop());
  beforeEach(() => {
    folder = randomUUID();
  });

  const put = (name: string, bytes: Uint8Array | string) =>
    store.put(BUCKET, `${folder}/${name}`, Buffer.from(bytes), 'video/mp2t');
  const bytesOf = async (key: string) => Buffer.from((await store.get(BUCKET, key, 10_000)).bytes);

  describeObjectStore(() => ({ store, traits: server.traits }));

  describe('multipart uploads of a server', () => {
    it('outlive a restart of the store, listed or not', async () => {
      const key = `${folder}/movie.mp4`;
      const { uploadId, parts, bytes } = await openUploadOn(store, key);
      await server.restart('SIGKILL');
      const listed = (await store.listUploads(BUCKET)).some((upload) => upload.uploadId === uploadId);
      expect(listed).toBe(server.traits.uploadsAfterRestart === 'listed');
      await store.completeUpload(BUCKET, key, uploadId, parts);
      expect((await bytesOf(key)).equals(bytes)).toBe(true);
    }, 60_000);

    it('are asked for where a part got no answer, which was that the upload is gone', async () => {
      const unheard = new S3ObjectStore(
        createS3Client(readConfig(server.env)),
        connections.compose((dispatch) => (request, handler) => {
          if (request.method !== 'PUT') return dispatch(request, handler);
          queueMicrotask(() => handler.onResponseError?.(null as never, new Error('connection reset')));
          return true;
        }),
      );
      const key = `${folder}/movie.mp4`;
      const uploadId = await store.createUpload(BUCKET, key, 'video/mp4');
      const send = () => codeOf(unheard.uploadPart(BUCKET, key, uploadId, 1, Buffer.from('a part')));
      expect(await send()).toBe('STORAGE_UNAVAILABLE');
      await store.uploadPart(BUCKET, key, uploadId, 1, Buffer.from('a part'));
      expect(await send()).toBe('STORAGE_UNAVAILABLE');
      await store.abortUpload(BUCKET, key, uploadId);
      expect(await send()).toBe('UPLOAD_MISSING');
      const again = await openUploadOn(store, key);
      await store.completeUpload(BUCKET, key, again.uploadId, again.parts);
      expect(await codeOf(unheard.uploadPart(BUCKET, key, again.uploadId, 1, Buffer.from('x')))).toBe('UPLOAD_MISSING');
    });
  });

  describe('what docs/STORES.md says of a server', () => {
    const clientFor = (options: S3ClientConfig = {}) =>
      new S3Client({
        endpoint: server.endpoint,
        region: 'us-east-1',
        forcePathStyle: true,
        credentials: { accessKeyId: ACCESS_KEY, secretAccessKey: SECRET_KEY },
        ...options,
      });

    it('it takes the checksums that the SDK sends by default, of objects and of parts', async () => {
      const client = clientFor({ requestChecksumCalculation: 'WHEN_SUPPORTED' });
      const Key = `${folder}/checked`;
      await client.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body: 'an object' }));
      expect((await bytesOf(Key)).toString()).toBe('an object');
      const made = { Bucket: BUCKET, Key, ChecksumAlgorithm: 'CRC32' as const };
      const { UploadId } = await client.send(new CreateMultipartUploadCommand(made));
      const { ETag, ChecksumCRC32 } = await client.send(
        new UploadPartCommand({ ...made, UploadId, PartNumber: 1, Body: 'a part' }),
      );
      const complete = (part: CompletedPart) =>
        client.send(
          new CompleteMultipartUploadCommand({
            ...made,
            UploadId,
            MultipartUpload: { Parts: [{ ...part, PartNumber: 1 }] },
          }),
        );
      if (server.traits.forgottenChecksums === 'refused') await expect(complete({ ETag })).rejects.toThrow();
      await complete(server.traits.forgottenChecksums === 'refused' ? { ETag, ChecksumCRC32 } : { ETag });
      expect((await bytesOf(Key)).toString()).toBe('a part');
      client.destroy();
    });

    it('it puts no object over another where If-None-Match says so', async () => {
      const client = clientFor();
      const object = { Bucket: BUCKET, Key: `${folder}/a.ts`, IfNoneMatch: '*' };
      await client.send(new PutObjectCommand({ ...object, Body: 'first' }));
      const again = client.send(new PutObjectCommand({ ...object, Body: 'second' }));
      await expect(again).rejects.toMatchObject({ $metadata: { httpStatusCode: 412 } });
      expect((await bytesOf(object.Key)).toString()).toBe('first');
      client.destroy();
    });

    it('it knows no access key but its own, and says so with its own status', async () => {
      const client = clientFor({ credentials: { accessKeyId: 'nobody-at-all', secretAccessKey: SECRET_KEY } });
      const put = client.send(new PutObjectCommand({ Bucket: BUCKET, Key: 'a', Body: 'x' }));
      await expect(put).rejects.toMatchObject({ $metadata: { httpStatusCode: server.traits.unknownKeyStatus } });
      client.destroy();
    });

    it('an object of several parts has the MD5 of their MD5s for an ETag', async () => {
      const key = `${folder}/movie.mp4`;
      const { uploadId, parts } = await openUploadOn(store, key);
      const { etag } = await store.completeUpload(BUCKET, key, uploadId, parts);
      const digests = Buffer.concat(parts.map((part) => Buffer.from(part.etag, 'hex')));
      expect(etag).toBe(`${createHash('md5').update(digests).digest('hex')}-3`);
    });

    it('a listing of uploads by prefix has all below it, or only the key that equals it', async () => {
      const client = clientFor();
      const key = `${folder}/movie.mp4`;
      const uploadId = await store.createUpload(BUCKET, key, 'video/mp4');
      const listed = async (Prefix: string) => {
        const page = await client.send(new ListMultipartUploadsCommand({ Bucket: BUCKET, Prefix }));
        return (page.Uploads ?? []).some((upload) => upload.UploadId === uploadId);
      };
      expect([await listed(key), await listed(`${folder}/`)]).toEqual([true, server.traits.uploadsByPrefix === 'all']);
      await store.abortUpload(BUCKET, key, uploadId);
      client.destroy();
    });

    it('an upload’s time is that of its creation, or of its last part', async () => {
      const key = `${folder}/movie.mp4`;
      const uploadId = await store.createUpload(BUCKET, key, 'video/mp4');
      const timeOf = async () =>
        (await store.listUploads(BUCKET)).find((upload) => upload.uploadId === uploadId)?.initiatedAtMs ?? Number.NaN;
      const before = await timeOf();
      // Times may be of whole seconds.
      await waitFor('two seconds have passed', () => Date.now() > before + 2000, { withinMs: 10_000 });
      await store.uploadPart(BUCKET, key, uploadId, 1, Buffer.from('x'));
      expect((await timeOf()) > before).toBe(server.traits.uploadTime === 'last-part');
      await store.abortUpload(BUCKET, key, uploadId);
    });
  });

  describe('what is wrong with the configuration', () => {
    const operations = (other: ObjectStore, bucket: string) => ({
      list: () => other.list(bucket, ''),
      get: () => other.get(bucket, 'a', 10_000),
      stream: () => other.stream(bucket, 'a'),
      put: () => other.put(bucket, 'a', Buffer.from('x'), 'video/mp2t'),
      remove: () => other.remove(bucket, ['a']),
      createUpload: () => other.createUpload(bucket, 'a', 'video/mp4'),
      listUploads: () => other.listUploads(bucket),
      checkBucket: () => other.checkBucket(bucket),
    });
    const outcomes = async (other: ObjectStore, bucket: string) => {
      const codes: Record<string, string | undefined> = {};
      for (const [name, operation] of Object.entries(operations(other, bucket)))
        codes[name] = await codeOf(operation());
      return codes;
    };
    const each = (code: string) =>
      Object.fromEntries(Object.keys(operations(store, BUCKET)).map((name) => [name, code]));

    it('is a missing bucket to every operation on one that is not there', async () => {
      expect(await outcomes(store, 'no-such-bucket')).toEqual(each('BUCKET_MISSING'));
      await store.checkBucket(BUCKET);
      await store.checkBucket('live-segments');
    });

    it('is refused access, never a missing object, with a wrong secret or an unknown key', async () => {
      await store.put(BUCKET, 'a', Buffer.from('x'), 'video/mp2t');
      const refused = each('STORAGE_ACCESS_DENIED');
      expect(await outcomes(storeFor({ MINIO_SECRET_KEY: 'not-the-secret' }), BUCKET)).toEqual(refused);
      expect(await outcomes(storeFor({ MINIO_ACCESS_KEY: 'nobody-at-all' }), BUCKET)).toEqual(refused);
      expect((await bytesOf('a')).toString()).toBe('x');
    });
  });

  describe('readers from outside', () => {
    it('download by a link for a while without credentials', async () => {
      await put('movie.mp4', 'the movie');
      const links = createDownloadLinks(readConfig(server.env));
      const link = { bucket: BUCKET, key: `${folder}/movie.mp4`, fileName: 'my movie.mp4', contentType: 'video/mp4' };
      const url = await links.linkTo({ ...link, expiresInMs: 60_000, nowMs: Date.now() });
      const answer = await fetch(url);
      expect([answer.status, await answer.text()]).toEqual([200, 'the movie']);
      expect(answer.headers.get('content-disposition')).toBe(
        `attachment; filename="my_movie.mp4"; filename*=UTF-8''my%20movie.mp4`,
      );
      expect(answer.headers.get('content-type')).toBe('video/mp4');
      const expired = await fetch(await links.linkTo({ ...link, expiresInMs: 1000, nowMs: Date.now() - 60_000 }));
      expect(expired.status).toBe(403);
    });

    it('may read finished files once that is allowed, in ranges, and neither staging nor listings', async () => {
      await server.allowReading();
      await put('movie.mp4', 'the movie');
      await store.put(BUCKET, `.staging/${folder}/segments/a.ts`, Buffer.from('x'), 'video/mp2t');
      const url = (key: string) => `${server.endpoint}/${BUCKET}/${key}`;
      const range = await fetch(url(`${folder}/movie.mp4`), { headers: { range: 'bytes=4-8' } });
      expect([range.status, await range.text()]).toEqual([206, 'movie']);
      for (const key of [`.staging/${folder}/segments/a.ts`, '', '?list-type=2', '?uploads']) {
        expect([key, (await fetch(url(key))).status]).toEqual([key, 403]);
      }
    });
  });
}
