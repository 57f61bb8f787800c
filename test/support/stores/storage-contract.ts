/**
 * What the service needs of an S3 server: the contract of every store (object-store-contract.ts), and what only a server
 * has: restarts, credentials, links, readers from outside. Where servers differ, store-server.ts names the difference
 * and the suite asserts it.
 */
import { randomUUID } from 'node:crypto';
import { readConfig } from '../../../lib/platform/config.ts';
import { createDownloadLinks } from '../../../lib/storage/download-links.ts';
import { createS3Client, type ObjectStore, S3ObjectStore } from '../../../lib/storage/object-store.ts';
import { BUCKET, codeOf, describeObjectStore, openUploadOn } from './object-store-contract.ts';
import type { StoreServer } from './store-server.ts';

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
      expect(answer.headers.get('content-disposition')).toBe('attachment; filename="my_movie.mp4"');
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
