/**
 * An object store in memory, as S3 is: whole objects, MD5 as ETag, multipart uploads that show nothing before they are
 * complete. Owns every version that was ever written, so that a test can ask whether one was overwritten; faults are not
 * its matter. It keeps the contract of stores (object-store-contract.ts).
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import {
  BucketMissing,
  ObjectExists,
  ObjectMissing,
  StorageRefused,
  UploadMissing,
} from '../../../lib/storage/errors.ts';
import type {
  ListedObject,
  ObjectStore,
  OpenUpload,
  PutOptions,
  UploadedPart,
} from '../../../lib/storage/object-store.ts';

export interface StoredObject extends ListedObject {
  readonly bytes: Uint8Array;
  readonly writtenAtMs: number | null;
}

interface StoredUpload extends OpenUpload {
  readonly parts: Map<number, { readonly etag: string; readonly bytes: Uint8Array }>;
}

export interface MemoryStoreOptions {
  readonly buckets: readonly string[];
  readonly now: () => number;
  /** S3 refuses to complete an upload with a smaller part before the last. */
  readonly minPartBytes?: number;
  /** Told of each object that is written. */
  readonly onWrite?: (bucket: string, object: StoredObject) => void;
}

const PAGE = 1000;
const LONGEST_KEY = 1024;
const FILE_PART_BYTES = 16 * 1024 * 1024;
const md5 = (bytes: Uint8Array) => createHash('md5').update(bytes).digest('hex');
const byKey = (a: { key: string }, b: { key: string }) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key));

export class MemoryStore implements ObjectStore {
  readonly #options: MemoryStoreOptions;
  readonly #buckets: Map<string, Map<string, StoredObject>>;
  readonly #uploads = new Map<string, StoredUpload & { readonly bucket: string }>();
  #uploadCount = 0;

  constructor(options: MemoryStoreOptions) {
    this.#options = options;
    this.#buckets = new Map(options.buckets.map((bucket) => [bucket, new Map()]));
  }

  /** Every object of a bucket, in key order. */
  objects(bucket: string): StoredObject[] {
    return [...this.#bucket(bucket).values()].sort(byKey);
  }

  async checkBucket(bucket: string): Promise<void> {
    this.#bucket(bucket);
  }

  async list(bucket: string, prefix: string, continuation?: string) {
    const all = this.objects(bucket).filter(({ key }) => key.startsWith(prefix));
    const from = continuation === undefined ? all : all.filter(({ key }) => byKey({ key }, { key: continuation }) > 0);
    const objects = from.slice(0, PAGE).map(({ bytes: _, writtenAtMs: __, ...listed }) => listed);
    return { objects, next: from.length > PAGE ? (objects.at(-1)?.key ?? null) : null };
  }

  async get(bucket: string, key: string) {
    const { bytes, etag, modifiedAtMs, writtenAtMs } = this.#object(bucket, key);
    return { bytes: Uint8Array.from(bytes), etag, modifiedAtMs, clockOffsetMs: 0, writtenAtMs };
  }

  async stream(bucket: string, key: string, range?: { first: number; last: number }): Promise<Readable> {
    const { bytes } = this.#object(bucket, key);
    if (range && range.first >= bytes.length)
      throw new StorageRefused(`GetObject ${bucket}: the range is behind the end`);
    return Readable.from([Buffer.from(range ? bytes.subarray(range.first, range.last + 1) : bytes)]);
  }

  async put(bucket: string, key: string, bytes: Uint8Array, _contentType?: string, options: PutOptions = {}) {
    return this.#write(bucket, key, Uint8Array.from(bytes), md5(bytes), options.writtenAtMs);
  }

  async putFile(bucket: string, key: string, path: string): Promise<{ etag: string }> {
    const bytes = await readFile(path);
    const count = Math.ceil(bytes.length / FILE_PART_BYTES);
    if (count <= 1) return this.#write(bucket, key, bytes, md5(bytes));
    const parts = Array.from({ length: count }, (_, at) =>
      md5(bytes.subarray(at * FILE_PART_BYTES, (at + 1) * FILE_PART_BYTES)),
    );
    return this.#write(bucket, key, bytes, multipartEtag(parts));
  }

  async head(bucket: string, key: string) {
    const found = this.#bucket(bucket).get(key);
    return found ? { size: found.size, etag: found.etag, modifiedAtMs: found.modifiedAtMs } : null;
  }

  async remove(bucket: string, keys: readonly string[]): Promise<void> {
    const objects = this.#bucket(bucket);
    for (const key of keys) objects.delete(key);
  }

  async createUpload(bucket: string, key: string): Promise<string> {
    this.#bucket(bucket);
    this.#uploadCount += 1;
    const uploadId = `upload-${this.#uploadCount}`;
    this.#uploads.set(uploadId, { bucket, key, uploadId, initiatedAtMs: this.#options.now(), parts: new Map() });
    return uploadId;
  }

  async uploadPart(bucket: string, key: string, uploadId: string, partNumber: number, body: Uint8Array) {
    const part = { etag: md5(body), bytes: Uint8Array.from(body) };
    this.#upload(bucket, key, uploadId).parts.set(partNumber, part);
    return { partNumber, etag: part.etag };
  }

  async completeUpload(
    bucket: string,
    key: string,
    uploadId: string,
    parts: readonly UploadedPart[],
    options: { ifNoneMatch?: boolean } = {},
  ): Promise<{ etag: string }> {
    const upload = this.#upload(bucket, key, uploadId);
    if (options.ifNoneMatch && this.#bucket(bucket).has(key)) throw new ObjectExists(`${bucket}: the key is taken`);
    const least = this.#options.minPartBytes ?? 5 * 1024 * 1024;
    const chosen = parts.map(({ partNumber, etag }, at) => {
      const part = upload.parts.get(partNumber);
      const inOrder = at === 0 || (parts[at - 1]?.partNumber ?? 0) < partNumber;
      const large = at === parts.length - 1 || (part?.bytes.length ?? 0) >= least;
      if (!part || part.etag !== etag || !inOrder || !large)
        throw new StorageRefused(`CompleteMultipartUpload ${bucket}: part ${partNumber} is wrong`);
      return part;
    });
    this.#uploads.delete(uploadId);
    const bytes = Buffer.concat(chosen.map((part) => part.bytes));
    return this.#write(bucket, key, bytes, multipartEtag(chosen.map((part) => part.etag)));
  }

  async abortUpload(_bucket: string, _key: string, uploadId: string): Promise<void> {
    this.#uploads.delete(uploadId);
  }

  async listUploads(bucket: string): Promise<OpenUpload[]> {
    this.#bucket(bucket);
    return [...this.#uploads.values()]
      .filter((upload) => upload.bucket === bucket)
      .map(({ key, uploadId, initiatedAtMs }) => ({ key, uploadId, initiatedAtMs }))
      .sort(byKey);
  }

  #write(bucket: string, key: string, bytes: Uint8Array, etag: string, writtenAtMs: number | null = null) {
    if (Buffer.byteLength(key) > LONGEST_KEY) throw new StorageRefused(`PutObject ${bucket}: the key is too long`);
    const object = {
      key,
      bytes,
      etag,
      size: bytes.length,
      modifiedAtMs: Math.floor(this.#options.now() / 1000) * 1000,
      writtenAtMs,
    };
    this.#bucket(bucket).set(key, object);
    this.#options.onWrite?.(bucket, object);
    return { etag };
  }

  #bucket(bucket: string): Map<string, StoredObject> {
    const objects = this.#buckets.get(bucket);
    if (!objects) throw new BucketMissing(`There is no bucket ${bucket}`);
    return objects;
  }

  #object(bucket: string, key: string): StoredObject {
    const object = this.#bucket(bucket).get(key);
    if (!object) throw new ObjectMissing(`GetObject ${bucket}: there is no such key`);
    return object;
  }

  #upload(bucket: string, key: string, uploadId: string): StoredUpload {
    const upload = this.#uploads.get(uploadId);
    if (!upload || upload.bucket !== bucket || upload.key !== key)
      throw new UploadMissing(`${bucket}: there is no such upload`);
    return upload;
  }
}

function multipartEtag(parts: readonly string[]): string {
  const digest = createHash('md5');
  for (const part of parts) digest.update(Buffer.from(part, 'hex'));
  return `${digest.digest('hex')}-${parts.length}`;
}
