/**
 * Objects on disk as S3 means them: a write is there as a whole or not at all, a multipart object stays the files of
 * its parts, and a read finishes with the version it began. Index and files know nothing of each other; this joins them.
 *
 * Order of every write: bytes first, then the index in one transaction, then the bytes that it replaced go.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { S3Error } from './s3-error.ts';
import { type FileRange, S3Files } from './s3-files.ts';
import {
  type ObjectHeaders,
  type ObjectInfo,
  type Part,
  type Piece,
  S3Index,
  type StoredObject,
  type Upload,
  type WriteCondition,
} from './s3-index.ts';

/** What a bucket notification tells. */
export interface ObjectCreated {
  readonly eventName: 'ObjectCreated:Put' | 'ObjectCreated:Copy' | 'ObjectCreated:CompleteMultipartUpload';
  readonly bucket: string;
  readonly key: string;
  readonly size: number;
  readonly etag: string;
  readonly timeMs: number;
}

export interface OpenObject {
  readonly object: StoredObject;
  /** The bytes from `start` to `end`, both inclusive. Must be iterated or released. */
  readonly read: (start: number, end: number) => AsyncIterable<Buffer>;
  /** The same bytes in one piece where they are few, else undefined. They have a release of their own. */
  readonly readAtOnce: (start: number, end: number) => ReturnType<S3Files['readAtOnce']>;
  readonly release: () => void;
}

export interface Listing {
  readonly objects: readonly ObjectInfo[];
  readonly commonPrefixes: readonly string[];
  /** Where to go on, for `after`; undefined at the end. */
  readonly next: string | undefined;
}

export interface ListOptions {
  readonly prefix: string;
  readonly delimiter: string;
  /** Keys up to and including this one are left out. */
  readonly after: string;
  readonly maxKeys: number;
}

/** Behind a prefix, this sorts after every key that begins with the prefix. */
export const LAST = '\u{10FFFF}';
const PAGE = 1000;

export class S3Store {
  readonly #index: S3Index;
  readonly #files: S3Files;
  readonly #onCreated: (event: ObjectCreated) => void;
  readonly #stopping = new AbortController();
  readonly #sweeping: Promise<unknown>;

  /** @param durable survive a power cut too, not only the death of the process */
  constructor(directory: string, durable: boolean, onCreated: (event: ObjectCreated) => void) {
    const objects = path.join(directory, 'objects');
    mkdirSync(objects, { recursive: true });
    this.#index = new S3Index(path.join(directory, 'index.sqlite'), durable);
    this.#files = new S3Files(objects);
    this.#onCreated = onCreated;
    this.#sweeping = this.#files.sweep(this.#index.allFiles(), this.#stopping.signal).catch(() => 0);
  }

  async close(): Promise<void> {
    this.#stopping.abort();
    await this.#sweeping;
    this.#index.close();
  }

  /** False when there is one of this name. */
  createBucket(name: string): boolean {
    return this.#index.createBucket(name, Date.now());
  }

  deleteBucket(name: string): void {
    this.#index.deleteBucket(name);
  }

  listBuckets(): readonly { name: string; createdMs: number }[] {
    return this.#index.listBuckets();
  }

  requireBucket(name: string): void {
    this.#index.requireBucket(name);
  }

  list(bucket: string, options: ListOptions): Listing {
    this.#index.requireBucket(bucket);
    const { prefix, delimiter, after, maxKeys } = options;
    const objects: ObjectInfo[] = [];
    const commonPrefixes: string[] = [];
    let exclusive = after !== '' && after >= prefix;
    let from = exclusive ? after : prefix;
    let last = '';
    for (;;) {
      const wanted = maxKeys + 1 - objects.length - commonPrefixes.length;
      const rows = this.#index.scan(bucket, from, exclusive, Math.min(wanted, PAGE));
      let skipped = false;
      for (const row of rows) {
        if (!row.key.startsWith(prefix)) return { objects, commonPrefixes, next: undefined };
        if (objects.length + commonPrefixes.length === maxKeys) return { objects, commonPrefixes, next: last };
        from = row.key;
        exclusive = true;
        const cut = delimiter === '' ? -1 : row.key.indexOf(delimiter, prefix.length);
        if (cut === -1) {
          objects.push(row);
          last = row.key;
          continue;
        }
        // One jump over everything below this common prefix, however much there is.
        const group = row.key.slice(0, cut + delimiter.length);
        from = group + LAST;
        skipped = true;
        last = from;
        commonPrefixes.push(group);
        break;
      }
      if (!skipped && rows.length < Math.min(wanted, PAGE)) return { objects, commonPrefixes, next: undefined };
    }
  }

  head(bucket: string, key: string): StoredObject {
    this.#index.requireBucket(bucket);
    const object = this.#index.object(bucket, key);
    if (!object) throw new S3Error('NoSuchKey', 'The specified key does not exist.', { Key: key });
    return object;
  }

  /** The byte range of one part of an object, as `GET ?partNumber=` wants it. */
  partRange(object: StoredObject, number: number): { start: number; end: number; count: number } {
    const pieces = this.#index.pieces(object.id);
    const piece = pieces[number - 1];
    if (!piece) throw new S3Error('InvalidRange', 'The requested partnumber is not satisfiable');
    return { start: piece.offset, end: piece.offset + piece.size - 1, count: pieces.length };
  }

  open(bucket: string, key: string): OpenObject {
    const object = this.head(bucket, key);
    let release = () => {};
    const read = (start: number, end: number) => {
      const pieces = this.#index.pieces(object.id, start, end);
      release = this.#files.hold(pieces.map((piece) => piece.file));
      return this.#files.read(rangesOf(pieces, start, end));
    };
    const readAtOnce = (start: number, end: number) =>
      this.#files.readAtOnce(rangesOf(this.#index.pieces(object.id, start, end), start, end));
    return { object, read, readAtOnce, release: () => release() };
  }

  async put(
    bucket: string,
    key: string,
    headers: ObjectHeaders,
    body: AsyncIterable<Buffer> | readonly Buffer[],
    condition: WriteCondition,
  ): Promise<ObjectInfo> {
    this.#index.requireBucket(bucket);
    const { file, size, md5 } = await this.#files.write(bucket, key, '', body);
    const object = { key, etag: md5, size, modifiedMs: Date.now(), headers };
    await this.#commit([file], () => this.#index.putObject(bucket, object, [{ file, offset: 0, size }], condition));
    this.#created('ObjectCreated:Put', bucket, object);
    return object;
  }

  /** Copies by hard links: the size of the object does not matter. */
  async copy(
    from: { readonly bucket: string; readonly key: string },
    bucket: string,
    key: string,
    headers: ObjectHeaders | undefined,
    condition: WriteCondition,
  ): Promise<ObjectInfo> {
    const source = this.head(from.bucket, from.key);
    this.#index.requireBucket(bucket);
    const pieces: Piece[] = [];
    for (const piece of this.#index.pieces(source.id)) {
      pieces.push({ ...piece, file: await this.#files.link(piece.file, bucket, key) });
    }
    const { etag, size } = source;
    const object = { key, etag, size, modifiedMs: Date.now(), headers: headers ?? source.headers };
    const files = pieces.map((piece) => piece.file);
    await this.#commit(files, () => this.#index.putObject(bucket, object, pieces, condition));
    this.#created('ObjectCreated:Copy', bucket, object);
    return object;
  }

  /** False when there was no such object. */
  async delete(bucket: string, key: string): Promise<boolean> {
    this.#index.requireBucket(bucket);
    const unused = this.#index.deleteObject(bucket, key);
    await this.#files.discard(unused ?? []);
    return unused !== undefined;
  }

  createUpload(bucket: string, key: string, headers: ObjectHeaders): string {
    const id = randomBytes(16).toString('hex');
    this.#index.createUpload(bucket, { id, key, initiatedMs: Date.now() }, headers);
    return id;
  }

  listUploads(bucket: string, prefix: string, after: { key: string; id: string }, limit: number): Upload[] {
    this.#index.requireBucket(bucket);
    return this.#index.listUploads(bucket, prefix, after, limit);
  }

  listParts(bucket: string, key: string, uploadId: string, after: number, limit: number): Part[] {
    this.#index.requireUpload(bucket, key, uploadId);
    return this.#index.listParts(uploadId, after, limit);
  }

  async putPart(
    bucket: string,
    key: string,
    uploadId: string,
    number: number,
    body: AsyncIterable<Buffer> | readonly Buffer[],
  ): Promise<Part> {
    this.#index.requireUpload(bucket, key, uploadId);
    // The number in the name makes `cat` of the files of one upload, in order, the object.
    const suffix = `~${uploadId.slice(0, 8)}.part${String(number).padStart(5, '0')}`;
    const { file, size, md5 } = await this.#files.write(bucket, key, suffix, body);
    const part = { number, etag: md5, size, modifiedMs: Date.now(), file };
    await this.#commit([file], () => this.#index.putPart(bucket, key, uploadId, part));
    return part;
  }

  async abortUpload(bucket: string, key: string, uploadId: string): Promise<void> {
    await this.#files.discard(this.#index.abortUpload(bucket, key, uploadId));
  }

  async completeUpload(
    bucket: string,
    key: string,
    uploadId: string,
    parts: readonly { number: number; etag: string }[],
    condition: WriteCondition,
  ): Promise<ObjectInfo> {
    const { object, unused } = this.#index.completeUpload(bucket, key, uploadId, parts, condition, Date.now());
    this.#created('ObjectCreated:CompleteMultipartUpload', bucket, object);
    await this.#files.discard(unused);
    return object;
  }

  /** Enters new files into the index; when it refuses them they go, else those that they replaced. */
  async #commit(files: readonly string[], enter: () => string[]): Promise<void> {
    let unused: readonly string[] = files;
    try {
      unused = enter();
    } finally {
      await this.#files.discard(unused);
    }
  }

  #created(eventName: ObjectCreated['eventName'], bucket: string, object: ObjectInfo): void {
    const { key, size, etag, modifiedMs: timeMs } = object;
    this.#onCreated({ eventName, bucket, key, size, etag, timeMs });
  }
}

function rangesOf(pieces: readonly Piece[], start: number, end: number): FileRange[] {
  return pieces
    .map(({ file, offset, size }) => ({
      file,
      start: Math.max(start - offset, 0),
      end: Math.min(end - offset, size - 1),
    }))
    .filter((range) => range.end >= range.start);
}
