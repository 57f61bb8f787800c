/**
 * What the service needs of any ObjectStore, as tests: objects, listings, files and multipart uploads. Every store keeps
 * it, those behind S3 (storage-contract.ts) and the one in memory that the model test plays with.
 */
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { ObjectStore, UploadedPart } from '../../../lib/storage/object-store.ts';
import type { StoreTraits } from './store-server.ts';

export const MIB = 1024 * 1024;
export const BUCKET = 'recordings';
const md5 = (bytes: Uint8Array | string) => createHash('md5').update(bytes).digest('hex');
export const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'no error',
    (error: { code?: string }) => error.code,
  );

async function read(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

export interface StoreSubject {
  readonly store: ObjectStore;
  readonly traits: Pick<StoreTraits, 'secondComplete' | 'fileAndFolder' | 'longNames'>;
}

/** An open upload of three parts, sent in the order 3, 1, 2, as the engine sends its head last. */
export async function openUploadOn(store: ObjectStore, key: string) {
  const uploadId = await store.createUpload(BUCKET, key, 'video/mp4');
  const bodies = [randomBytes(5 * MIB + 7), randomBytes(5 * MIB), randomBytes(1234)] as const;
  const sent = new Map<number, UploadedPart>();
  for (const number of [3, 1, 2]) {
    sent.set(number, await store.uploadPart(BUCKET, key, uploadId, number, bodies[number - 1] ?? Buffer.alloc(0)));
  }
  const parts = [1, 2, 3].flatMap((number) => sent.get(number) ?? []);
  return { uploadId, parts, bytes: Buffer.concat(bodies) };
}

/** @param subject asked when a test begins */
export function describeObjectStore(subject: () => StoreSubject): void {
  let store: ObjectStore;
  let traits: StoreSubject['traits'];
  /** Every test has a folder of its own. */
  let folder = '';

  beforeEach(() => {
    ({ store, traits } = subject());
    folder = randomUUID();
  });

  const put = (name: string, bytes: Uint8Array | string) =>
    store.put(BUCKET, `${folder}/${name}`, Buffer.from(bytes), 'video/mp2t');
  const bytesOf = async (key: string) => Buffer.from((await store.get(BUCKET, key, 10_000)).bytes);

  async function listAll(prefix: string) {
    const objects = [];
    let pages = 0;
    let next: string | null | undefined;
    do {
      const page = await store.list(BUCKET, prefix, next ?? undefined);
      objects.push(...page.objects);
      next = page.next;
      pages += 1;
    } while (next !== null);
    return { objects, pages };
  }
  const openUpload = (key: string) => openUploadOn(store, key);

  describe('objects', () => {
    it('come back as they were put, with their MD5 as ETag and the time of the store', async () => {
      const bytes = randomBytes(3 * MIB + 5);
      const before = Date.now();
      const { etag } = await put('a.ts', bytes);
      expect(etag).toBe(md5(bytes));
      const fetched = await store.get(BUCKET, `${folder}/a.ts`, 10_000);
      expect(bytes.equals(fetched.bytes)).toBe(true);
      expect(fetched.etag).toBe(etag);
      expect(Math.abs(fetched.modifiedAtMs - before)).toBeLessThan(10_000);
      // The Date header is whole seconds, and some servers make it only once a second.
      expect(Math.abs(fetched.clockOffsetMs ?? Number.NaN)).toBeLessThan(3000);
      expect(await store.head(BUCKET, `${folder}/a.ts`)).toEqual({
        size: bytes.length,
        etag,
        modifiedAtMs: fetched.modifiedAtMs,
      });
    });

    it('keep the time at which their bytes were written, where it was told', async () => {
      const writtenAtMs = Date.parse('2025-10-05T18:00:00.250Z');
      await store.put(BUCKET, `${folder}/a.ts`, Buffer.from('a'), 'video/mp2t', { writtenAtMs });
      await put('b.ts', 'b');
      expect((await store.get(BUCKET, `${folder}/a.ts`, 5000)).writtenAtMs).toBe(writtenAtMs);
      expect((await store.get(BUCKET, `${folder}/b.ts`, 5000)).writtenAtMs).toBeNull();
    });

    it('may be empty, and are replaced by a second put', async () => {
      await put('a.ts', 'first');
      await put('a.ts', '');
      expect((await bytesOf(`${folder}/a.ts`)).length).toBe(0);
      expect(await store.head(BUCKET, `${folder}/a.ts`)).toMatchObject({ size: 0, etag: md5('') });
    });

    it('have keys with every character that a packager may use', async () => {
      const names = [
        '.staging/x.ts',
        '-dash.ts',
        '_.ts',
        'a b+c.ts',
        'ünïcode.ts',
        '100%.ts',
        "it's&<so>.ts",
        'a..b~.ts',
      ];
      for (const name of names) await put(name, name);
      expect((await listAll(`${folder}/`)).objects.map(({ key }) => key).sort()).toEqual(
        names.map((name) => `${folder}/${name}`).sort(),
      );
      for (const name of names) expect((await bytesOf(`${folder}/${name}`)).toString()).toBe(name);
    });

    it('that are not there are missing to a read, and nothing to a look', async () => {
      expect(await codeOf(store.get(BUCKET, `${folder}/none`, 10_000))).toBe('OBJECT_MISSING');
      expect(await codeOf(store.stream(BUCKET, `${folder}/none`))).toBe('OBJECT_MISSING');
      expect(await store.head(BUCKET, `${folder}/none`)).toBeNull();
    });

    it('are read in ranges whose ends are inclusive', async () => {
      const bytes = randomBytes(100_000);
      await put('a.ts', bytes);
      const range = async (first: number, last: number) =>
        read(await store.stream(BUCKET, `${folder}/a.ts`, { first, last }));
      expect((await range(0, 0)).equals(bytes.subarray(0, 1))).toBe(true);
      expect((await range(10, 70_019)).equals(bytes.subarray(10, 70_020))).toBe(true);
      expect((await range(99_990, 200_000)).equals(bytes.subarray(99_990))).toBe(true);
      expect((await read(await store.stream(BUCKET, `${folder}/a.ts`))).equals(bytes)).toBe(true);
      expect(await codeOf(range(100_000, 100_001))).toBe('STORAGE_REFUSED');
    });

    it('are read whole while they are replaced: the bytes are those of the ETag', async () => {
      const versions = [Buffer.alloc(400_000, 'a'), Buffer.alloc(500_000, 'b')] as const;
      await put('a.ts', versions[0]);
      const writing = (async () => {
        for (let turn = 0; turn < 20; turn += 1) await put('a.ts', versions[(turn + 1) % 2] ?? versions[0]);
      })();
      for (let turn = 0; turn < 20; turn += 1) {
        const fetched = await store.get(BUCKET, `${folder}/a.ts`, 10_000);
        expect(md5(fetched.bytes)).toBe(fetched.etag);
      }
      await writing;
    });

    it('can share a prefix with a name between slashes where the store is no file system', async () => {
      await put('a', 'file');
      expect(await codeOf(put('a/b', 'below'))).toBe(traits.fileAndFolder ? 'no error' : 'STORAGE_UNAVAILABLE');
      expect((await bytesOf(`${folder}/a`)).toString()).toBe('file');
    });

    it('have keys of up to 1024 bytes, with names of up to 255', async () => {
      expect(await codeOf(put('k'.repeat(255), 'x'))).toBe('no error');
      expect(await codeOf(put('k'.repeat(256), 'x'))).toBe(traits.longNames ? 'no error' : 'STORAGE_REFUSED');
      expect(await codeOf(put('k/'.repeat(600), 'x'))).toBe('STORAGE_REFUSED');
    });
  });

  describe('listings', () => {
    it('come in pages, in the order of the keys, and only below the prefix', async () => {
      const names = Array.from({ length: 1003 }, (_, index) => `segment_${String(index).padStart(5, '0')}.ts`);
      await put('../elsewhere.ts'.replace('../', 'z'), 'x');
      for (let start = 0; start < names.length; start += 50) {
        await Promise.all(names.slice(start, start + 50).map((name) => put(`live/${name}`, name)));
      }
      const { objects, pages } = await listAll(`${folder}/live/`);
      expect(objects.map(({ key }) => key)).toEqual(names.map((name) => `${folder}/live/${name}`));
      expect(pages).toBe(2);
      expect(objects[7]).toMatchObject({ size: 16, etag: md5(names[7] ?? '') });
      expect(Math.abs((objects[7]?.modifiedAtMs ?? 0) - Date.now())).toBeLessThan(60_000);
      await store.remove(
        BUCKET,
        objects.map(({ key }) => key),
      );
      expect((await listAll(`${folder}/`)).objects.map(({ key }) => key)).toEqual([`${folder}/zelsewhere.ts`]);
    }, 60_000);

    it('have what was written a moment ago, and no more what was removed', async () => {
      for (let turn = 0; turn < 10; turn += 1) {
        await put('a.ts', String(turn));
        expect((await listAll(`${folder}/`)).objects).toMatchObject([
          { key: `${folder}/a.ts`, etag: md5(String(turn)) },
        ]);
        await store.remove(BUCKET, [`${folder}/a.ts`]);
        expect((await listAll(`${folder}/`)).objects).toEqual([]);
      }
    });

    it('of nothing are empty, and removing what is not there is no error', async () => {
      expect(await store.list(BUCKET, `${folder}/`)).toEqual({ objects: [], next: null });
      await store.remove(BUCKET, [`${folder}/none`, `${folder}/never`]);
      await store.remove(BUCKET, []);
    });
  });

  describe('files', () => {
    it.each([
      ['small', 70_000],
      ['larger than a part', 17 * MIB],
    ])('that are %s are stored whole', async (_, size) => {
      const scratch = await mkdtemp(join(tmpdir(), 'store-file-'));
      const bytes = randomBytes(size);
      await writeFile(join(scratch, 'movie'), bytes);
      const { etag } = await store.putFile(BUCKET, `${folder}/movie.mp4`, join(scratch, 'movie'), 'video/mp4');
      await rm(scratch, { recursive: true });
      expect((await bytesOf(`${folder}/movie.mp4`)).equals(bytes)).toBe(true);
      expect(await store.head(BUCKET, `${folder}/movie.mp4`)).toMatchObject({ size, etag });
    });
  });

  describe('multipart uploads', () => {
    it('put parts together that came out of order, and show nothing before they are complete', async () => {
      const key = `${folder}/movie.mp4`;
      const { uploadId, parts, bytes } = await openUpload(key);
      expect(await store.head(BUCKET, key)).toBeNull();
      expect((await listAll(`${folder}/`)).objects).toEqual([]);
      const { etag } = await store.completeUpload(BUCKET, key, uploadId, parts);
      const digest = createHash('md5');
      for (const part of parts) digest.update(Buffer.from(part.etag, 'hex'));
      expect(etag).toBe(`${digest.digest('hex')}-3`);
      expect(await store.head(BUCKET, key)).toMatchObject({ size: bytes.length, etag });
      expect((await bytesOf(key)).equals(bytes)).toBe(true);
      const across = { first: 5 * MIB - 100, last: 10 * MIB + 100 };
      expect(
        (await read(await store.stream(BUCKET, key, across))).equals(bytes.subarray(across.first, across.last + 1)),
      ).toBe(true);
    });

    it('take a part again, and the later one counts', async () => {
      const key = `${folder}/movie.mp4`;
      const { uploadId, parts, bytes } = await openUpload(key);
      const other = randomBytes(2000);
      const replaced = await store.uploadPart(BUCKET, key, uploadId, 3, other);
      expect(await codeOf(store.completeUpload(BUCKET, key, uploadId, parts))).toBe('STORAGE_REFUSED');
      await store.completeUpload(BUCKET, key, uploadId, [...parts.slice(0, 2), replaced]);
      expect((await bytesOf(key)).equals(Buffer.concat([bytes.subarray(0, 10 * MIB + 7), other]))).toBe(true);
    });

    it('may leave numbers out, and leave out what was sent', async () => {
      const key = `${folder}/movie.mp4`;
      const { uploadId, parts, bytes } = await openUpload(key);
      const behind = await store.uploadPart(BUCKET, key, uploadId, 7, Buffer.from('the end'));
      const { etag } = await store.completeUpload(BUCKET, key, uploadId, [...parts.slice(0, 1), behind]);
      const expected = Buffer.concat([bytes.subarray(0, 5 * MIB + 7), Buffer.from('the end')]);
      expect(await store.head(BUCKET, key)).toMatchObject({ size: expected.length, etag });
      expect((await bytesOf(key)).equals(expected)).toBe(true);
    });

    it('stay open when a Complete names wrong, missing, disordered or too small parts', async () => {
      const key = `${folder}/movie.mp4`;
      const { uploadId, parts, bytes } = await openUpload(key);
      const [one, two, three] = parts as [UploadedPart, UploadedPart, UploadedPart];
      const fourth = await store.uploadPart(BUCKET, key, uploadId, 4, randomBytes(10));
      for (const wrong of [
        [one, { ...two, etag: one.etag }, three],
        [one, two, { ...three, partNumber: 9 }],
        [two, one, three],
        [one, two, three, fourth],
      ]) {
        expect(await codeOf(store.completeUpload(BUCKET, key, uploadId, wrong))).toBe('STORAGE_REFUSED');
      }
      await store.completeUpload(BUCKET, key, uploadId, parts);
      expect((await bytesOf(key)).equals(bytes)).toBe(true);
    });

    it('are gone once complete: a second Complete never makes another object', async () => {
      const key = `${folder}/movie.mp4`;
      const { uploadId, parts, bytes } = await openUpload(key);
      const { etag } = await store.completeUpload(BUCKET, key, uploadId, parts);
      const again = await store
        .completeUpload(BUCKET, key, uploadId, parts)
        .catch((error: { code: string }) => error.code);
      expect(again).toEqual(traits.secondComplete === 'gone' ? 'UPLOAD_MISSING' : { etag });
      expect(await codeOf(store.completeUpload(BUCKET, key, uploadId, parts.slice(0, 2)))).toBe('UPLOAD_MISSING');
      expect(await codeOf(store.uploadPart(BUCKET, key, uploadId, 1, Buffer.from('x')))).toBe('UPLOAD_MISSING');
      await store.abortUpload(BUCKET, key, uploadId);
      expect((await bytesOf(key)).equals(bytes)).toBe(true);
    });

    it('that are gone are missing to a Complete, whatever object lies at the key', async () => {
      const key = `${folder}/movie.mp4`;
      await put('movie.mp4', 'the earlier version');
      const { uploadId, parts } = await openUpload(key);
      await store.abortUpload(BUCKET, key, uploadId);
      await store.abortUpload(BUCKET, key, uploadId);
      expect(await codeOf(store.completeUpload(BUCKET, key, uploadId, parts))).toBe('UPLOAD_MISSING');
      expect(await codeOf(store.completeUpload(BUCKET, key, randomUUID(), parts))).toBe('UPLOAD_MISSING');
      expect(await codeOf(store.uploadPart(BUCKET, key, uploadId, 1, Buffer.from('x')))).toBe('UPLOAD_MISSING');
      expect((await bytesOf(key)).toString()).toBe('the earlier version');
    });

    it('replace the object at the key in one step, or not at all where If-None-Match says so', async () => {
      const key = `${folder}/movie.mp4`;
      await put('movie.mp4', 'the earlier version');
      const { uploadId, parts, bytes } = await openUpload(key);
      const guarded = store.completeUpload(BUCKET, key, uploadId, parts, { ifNoneMatch: true });
      expect(await codeOf(guarded)).toBe('OBJECT_EXISTS');
      expect((await bytesOf(key)).toString()).toBe('the earlier version');
      await store.completeUpload(BUCKET, key, uploadId, parts);
      expect((await bytesOf(key)).equals(bytes)).toBe(true);
    });

    it('are listed with their key and time while they are open, and no longer', async () => {
      const keys = ['b.mp4', 'a.mp4', 'a.mp4'].map((name) => `${folder}/${name}`);
      const ids: string[] = [];
      for (const key of keys) ids.push(await store.createUpload(BUCKET, key, 'video/mp4'));
      const mine = async () => (await store.listUploads(BUCKET)).filter(({ key }) => key.startsWith(folder));
      const listed = await mine();
      expect(listed.map(({ key, uploadId }) => `${key} ${uploadId}`).sort()).toEqual(
        keys.map((key, index) => `${key} ${ids[index]}`).sort(),
      );
      for (const { initiatedAtMs } of listed) expect(Math.abs(initiatedAtMs - Date.now())).toBeLessThan(10_000);
      for (const [index, key] of keys.entries()) await store.abortUpload(BUCKET, key, ids[index] ?? '');
      expect(await mine()).toEqual([]);
    });
  });
}
