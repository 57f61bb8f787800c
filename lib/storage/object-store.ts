/**
 * The object store as the service uses it: a few operations, whose errors are those of errors.ts. It knows keys as strings
 * only; their meaning is in keys.ts. s3-object-store.ts does them on S3.
 */
import type { Readable } from 'node:stream';

/** One object of a listing; `etag` without quotes, `modifiedAtMs` by the store's clock. */
export interface ListedObject {
  readonly key: string;
  readonly size: number;
  readonly etag: string;
  readonly modifiedAtMs: number;
}

/** An object's bytes; `clockOffsetMs` is the store's clock minus ours, from its Date header (null if it sent none). */
export interface FetchedObject {
  readonly bytes: Uint8Array;
  readonly etag: string;
  readonly modifiedAtMs: number;
  readonly clockOffsetMs: number | null;
  /** When its bytes were written, where whoever uploaded it has said so (see PutOptions). */
  readonly writtenAtMs?: number | null;
}

export interface PutOptions {
  /** When the bytes were written, where that was before the upload. Kept with the object. */
  readonly writtenAtMs?: number;
}

export interface UploadedPart {
  readonly partNumber: number;
  readonly etag: string;
}

export interface OpenUpload {
  readonly key: string;
  readonly uploadId: string;
  readonly initiatedAtMs: number;
}

export interface ObjectStore {
  /** @throws {BucketMissing} {StorageAccessDenied} {StorageUnavailable} */
  checkBucket(bucket: string): Promise<void>;
  /** One page of a listing in key order. */
  list(
    bucket: string,
    prefix: string,
    continuation?: string,
  ): Promise<{ objects: ListedObject[]; next: string | null }>;
  /**
   * The whole object in memory; `timeoutMs` covers connecting and the whole body. Where it fits into `memory`, its bytes
   * may be written there. @throws {ObjectMissing} {ObjectTooLarge} where it has more than `maxBytes`
   */
  get(bucket: string, key: string, timeoutMs: number, memory?: Uint8Array, maxBytes?: number): Promise<FetchedObject>;
  /** The object as a stream, optionally a range (both ends inclusive). @throws {ObjectMissing} */
  stream(bucket: string, key: string, range?: { first: number; last: number }): Promise<Readable>;
  put(
    bucket: string,
    key: string,
    bytes: Uint8Array,
    contentType: string,
    options?: PutOptions,
  ): Promise<{ etag: string }>;
  /** A file of any size, as multipart where it is large. */
  putFile(bucket: string, key: string, path: string, contentType: string): Promise<{ etag: string }>;
  /** Null where there is no such object. */
  head(bucket: string, key: string): Promise<{ size: number; etag: string; modifiedAtMs: number } | null>;
  /** Deletes up to any number of keys; keys that do not exist are not an error. */
  remove(bucket: string, keys: readonly string[]): Promise<void>;
  createUpload(bucket: string, key: string, contentType: string): Promise<string>;
  uploadPart(
    bucket: string,
    key: string,
    uploadId: string,
    partNumber: number,
    body: Uint8Array,
  ): Promise<UploadedPart>;
  /**
   * Resolves once the object is there. Repeated, it may succeed again or find the upload missing, as the store likes.
   * `ifNoneMatch` refuses to replace an object, where the store honours it. @throws {UploadMissing} {ObjectExists}
   */
  completeUpload(
    bucket: string,
    key: string,
    uploadId: string,
    parts: readonly UploadedPart[],
    options?: { ifNoneMatch?: boolean },
  ): Promise<{ etag: string }>;
  /** An upload that is gone already is not an error. */
  abortUpload(bucket: string, key: string, uploadId: string): Promise<void>;
  listUploads(bucket: string): Promise<OpenUpload[]>;
}
