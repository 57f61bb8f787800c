/** What can go wrong with the object store, in the service's own terms; `translateS3Error` is the only place that reads S3's. */
import { ServiceError } from '../platform/errors.ts';
import type { FetchedObject } from './object-store.ts';

/** The store cannot be reached, is overloaded, or did not answer in time. */
export class StorageUnavailable extends ServiceError {
  readonly code = 'STORAGE_UNAVAILABLE';
  readonly retryable = true;
}

/** The store refuses the credentials, or they lack a permission. An operator has to act; work is kept until then. */
export class StorageAccessDenied extends ServiceError {
  readonly code = 'STORAGE_ACCESS_DENIED';
  readonly retryable = true;
}

/** There is no such bucket. */
export class BucketMissing extends ServiceError {
  readonly code = 'BUCKET_MISSING';
  readonly retryable = true;
}

/** There is no such object. */
export class ObjectMissing extends ServiceError {
  readonly code = 'OBJECT_MISSING';
  readonly retryable = true;
}

/** The object has more bytes than may be read into memory; `object` is what is known of it, without its bytes. */
export class ObjectTooLarge extends ServiceError {
  readonly code = 'OBJECT_TOO_LARGE';
  readonly retryable = false;
  readonly object: FetchedObject;

  constructor(message: string, object: FetchedObject) {
    super(message);
    this.object = object;
  }
}

/** The multipart upload does not exist (any more): completed by somebody, aborted, or swept by the store. */
export class UploadMissing extends ServiceError {
  readonly code = 'UPLOAD_MISSING';
  readonly retryable = false;
}

/** A conditional write found the key taken. */
export class ObjectExists extends ServiceError {
  readonly code = 'OBJECT_EXISTS';
  readonly retryable = false;
}

/** The store understood the request and will never accept it (a part too small, a key too long). */
export class StorageRefused extends ServiceError {
  readonly code = 'STORAGE_REFUSED';
  readonly retryable = false;
}

interface S3ErrorShape {
  readonly name: string;
  readonly message: string;
  readonly statusCode: number | undefined;
}

function shapeOf(error: unknown): S3ErrorShape {
  const known = error as {
    name?: unknown;
    Code?: unknown;
    message?: unknown;
    $metadata?: { httpStatusCode?: number };
  } | null;
  const name = known?.name ?? known?.Code;
  return {
    name: typeof name === 'string' ? name : 'Unknown',
    message: typeof known?.message === 'string' ? known.message : String(error),
    statusCode: known?.$metadata?.httpStatusCode,
  };
}

const DENIED = new Set([
  'AccessDenied',
  'InvalidAccessKeyId',
  'SignatureDoesNotMatch',
  'ExpiredToken',
  'InvalidToken',
  'Forbidden',
  // VersityGW's word for an unknown access key, sent with status 404.
  'XAdminUserNotFound',
]);

/**
 * Turns whatever the SDK threw into one of the errors above.
 * @param what the operation and the object, for the message: `GetObject live-segments/…`
 */
export function translateS3Error(error: unknown, what: string): ServiceError {
  if (error instanceof ServiceError) return error;
  const { name, message, statusCode } = shapeOf(error);
  const text = `${what}: ${name}: ${message}`;
  const options = { cause: error };
  if (name === 'NoSuchBucket') return new BucketMissing(text, options);
  if (name === 'NoSuchUpload') return new UploadMissing(text, options);
  if (name === 'NoSuchKey') return new ObjectMissing(text, options);
  if (name === 'PreconditionFailed' || statusCode === 412) return new ObjectExists(text, options);
  if (DENIED.has(name) || statusCode === 401 || statusCode === 403) {
    return new StorageAccessDenied(
      `${text} (check MINIO_ACCESS_KEY, MINIO_SECRET_KEY and the bucket's policy)`,
      options,
    );
  }
  const final =
    statusCode !== undefined &&
    statusCode >= 400 &&
    statusCode < 500 &&
    // A 404 that names nothing of S3's comes from a proxy or a wrong endpoint: taken for a missing object it would cost a segment.
    statusCode !== 404 &&
    statusCode !== 408 &&
    statusCode !== 409 &&
    statusCode !== 429;
  return final && name !== 'RequestTimeout' ? new StorageRefused(text, options) : new StorageUnavailable(text, options);
}
