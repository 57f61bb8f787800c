/**
 * The object store on S3: each operation with a timeout, bounded retries and translated errors. One checksum policy:
 * CRC32 by default is refused by several compatible stores, so both sides are WHEN_REQUIRED.
 */
import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { UndiciHttpHandler } from '@smithy/undici-http-handler';
import type { Dispatcher } from 'undici';
import type { Config } from '../platform/config.ts';
import { ObjectMissing, ObjectTooLarge, StorageUnavailable, translateS3Error, UploadMissing } from './errors.ts';
import { CONNECTION_OPTIONS } from './object-answer.ts';
import { type ObjectRequest, ObjectRequests } from './object-requests.ts';
import type { FetchedObject, ObjectStore, OpenUpload, PutOptions, UploadedPart } from './object-store.ts';

/** Of a part, all attempts together: enough for a gigabyte at 20 Mbit/s. */
const SEND_TIMEOUT_MS = 10 * 60_000;
/** Some servers copy every part when they complete: at 200 MB a second this is enough for 120 GB. */
const COMPLETE_TIMEOUT_MS = 10 * 60_000;

/** A name of our own: other tools' times are those of files that were copied, not of a stream. */
const WRITTEN_AT = 'x-amz-meta-written-at';

function readTime(text: string | undefined): number | null {
  const ms = Date.parse(text ?? '');
  return Number.isNaN(ms) ? null : ms;
}

const unquote = (etag: string | undefined): string => (etag ?? '').replaceAll('"', '');

const statusOf = (error: unknown): number | undefined =>
  (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;

/**
 * An S3 client for the configured endpoint: path style for MinIO and its like, AWS's own style on AWS.
 * @param publicEndpoint the URL at which others reach the store, for links that are handed out
 */
export function createS3Client(
  config: Pick<Config, 'MINIO_ENDPOINT' | 'MINIO_USE_SSL' | 'MINIO_ACCESS_KEY' | 'MINIO_SECRET_KEY' | 'AWS_REGION'>,
  publicEndpoint?: string,
): S3Client {
  const aws = /(^|\.)amazonaws\.com(:\d+)?$/.test(config.MINIO_ENDPOINT);
  const roleCredentials = aws && config.MINIO_ACCESS_KEY === 'minioadmin';
  return new S3Client({
    region: config.AWS_REGION,
    ...(aws && !publicEndpoint
      ? {}
      : {
          endpoint: publicEndpoint ?? `${config.MINIO_USE_SSL ? 'https' : 'http'}://${config.MINIO_ENDPOINT}`,
          forcePathStyle: true,
        }),
    ...(roleCredentials
      ? {}
      : { credentials: { accessKeyId: config.MINIO_ACCESS_KEY, secretAccessKey: config.MINIO_SECRET_KEY } }),
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    maxAttempts: 3,
    // For all but GET and PUT of an object (object-requests.ts): the handler closes its connections with its client.
    requestHandler: new UndiciHttpHandler({ dispatcher: CONNECTION_OPTIONS }),
  });
}

/** The store behind an S3 client. */
export class S3ObjectStore implements ObjectStore {
  readonly #client: S3Client;
  readonly #requests: ObjectRequests;

  /** @param dispatcher makes the connections for GET and PUT of an object, where not the process's own */
  constructor(client: S3Client, dispatcher?: Dispatcher) {
    this.#client = client;
    this.#requests = new ObjectRequests(client, dispatcher);
  }

  checkBucket(bucket: string) {
    return this.#translate(`HeadBucket ${bucket}`, async () => {
      try {
        await this.#client.send(new HeadBucketCommand({ Bucket: bucket }));
      } catch (error) {
        // A HEAD has no body, and its 404 no code: a listing says whether it is the bucket that is not there.
        if (statusOf(error) !== 404) throw error;
        await this.#client.send(new ListObjectsV2Command({ Bucket: bucket, MaxKeys: 1 }));
      }
    });
  }

  list(bucket: string, prefix: string, continuation?: string) {
    return this.#translate(`ListObjectsV2 ${bucket}`, async () => {
      const page = await this.#client.send(
        new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, MaxKeys: 1000, ContinuationToken: continuation }),
      );
      const objects = (page.Contents ?? []).map((item) => ({
        key: item.Key ?? '',
        size: item.Size ?? 0,
        etag: unquote(item.ETag),
        modifiedAtMs: item.LastModified?.getTime() ?? 0,
      }));
      return { objects, next: page.IsTruncated ? (page.NextContinuationToken ?? null) : null };
    });
  }

  get(
    bucket: string,
    key: string,
    timeoutMs: number,
    memory?: Uint8Array,
    maxBytes = Number.POSITIVE_INFINITY,
  ): Promise<FetchedObject> {
    return this.#translate(`GetObject ${bucket}`, async () => {
      const limits = { timeoutMs, memory, maxBytes };
      const { headers, answeredAtMs, bytes, isTooLarge } = await this.#requests.send(
        { method: 'GET', bucket, key },
        limits,
      );
      const length = headers['content-length'];
      const modifiedAtMs = Date.parse(headers['last-modified'] ?? '');
      const date = Date.parse(headers.date ?? '');
      const fetched = {
        bytes,
        etag: unquote(headers.etag),
        modifiedAtMs: Number.isNaN(modifiedAtMs) ? 0 : modifiedAtMs,
        clockOffsetMs: Number.isNaN(date) ? null : date - answeredAtMs,
        writtenAtMs: readTime(headers[WRITTEN_AT]),
      };
      if (isTooLarge)
        throw new ObjectTooLarge(`${length ?? 'more'} bytes, at most ${maxBytes} are read at once`, fetched);
      if (length !== undefined && bytes.length !== Number(length))
        throw new StorageUnavailable(`GetObject ${bucket}: body ended after ${bytes.length} of ${length} bytes`);
      return fetched;
    });
  }

  stream(bucket: string, key: string, range?: { first: number; last: number }): Promise<Readable> {
    return this.#translate(`GetObject ${bucket}`, async () => {
      const Range = range && `bytes=${range.first}-${range.last}`;
      const answer = await this.#client.send(new GetObjectCommand({ Bucket: bucket, Key: key, Range }));
      if (!answer.Body) throw new ObjectMissing(`GetObject ${bucket}: the answer has no body`);
      return answer.Body as Readable;
    });
  }

  put(bucket: string, key: string, bytes: Uint8Array, contentType: string, { writtenAtMs }: PutOptions = {}) {
    return this.#translate(`PutObject ${bucket}`, async () => {
      const headers = writtenAtMs === undefined ? {} : { [WRITTEN_AT]: new Date(writtenAtMs).toISOString() };
      return { etag: await this.#send({ method: 'PUT', bucket, key, contentType, headers, body: bytes }) };
    });
  }

  putFile(bucket: string, key: string, path: string, contentType: string) {
    return this.#translate(`Upload ${bucket}`, async () => {
      const upload = new Upload({
        client: this.#client,
        params: { Bucket: bucket, Key: key, Body: createReadStream(path), ContentType: contentType },
        partSize: 16 * 1024 * 1024,
        queueSize: 2,
      });
      const answer = await upload.done();
      return { etag: unquote(answer.ETag) };
    });
  }

  head(bucket: string, key: string) {
    return this.#translate(`HeadObject ${bucket}`, async () => {
      try {
        const answer = await this.#client.send(new HeadObjectCommand({ Bucket: bucket, Key: key }));
        return {
          size: answer.ContentLength ?? 0,
          etag: unquote(answer.ETag),
          modifiedAtMs: answer.LastModified?.getTime() ?? 0,
        };
      } catch (error) {
        if (statusOf(error) === 404) return null;
        throw error;
      }
    });
  }

  async remove(bucket: string, keys: readonly string[]) {
    for (let start = 0; start < keys.length; start += 1000) {
      const Objects = keys.slice(start, start + 1000).map((Key) => ({ Key }));
      await this.#translate(`DeleteObjects ${bucket}`, async () => {
        const answer = await this.#client.send(
          new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects, Quiet: true } }),
        );
        const failed = answer.Errors?.find((entry) => entry.Code !== 'NoSuchKey');
        if (failed) throw new StorageUnavailable(`DeleteObjects ${bucket}: ${failed.Code}: ${failed.Message}`);
      });
    }
  }

  createUpload(bucket: string, key: string, contentType: string) {
    return this.#translate(`CreateMultipartUpload ${bucket}`, async () => {
      const answer = await this.#client.send(
        new CreateMultipartUploadCommand({ Bucket: bucket, Key: key, ContentType: contentType }),
      );
      if (!answer.UploadId)
        throw new StorageUnavailable(`CreateMultipartUpload ${bucket}: the answer has no upload id`);
      return answer.UploadId;
    });
  }

  uploadPart(bucket: string, key: string, uploadId: string, partNumber: number, body: Uint8Array) {
    return this.#translate(`UploadPart ${bucket} ${partNumber}`, async () => {
      const query = { partNumber: String(partNumber), uploadId };
      try {
        return { partNumber, etag: await this.#send({ method: 'PUT', bucket, key, query, body }) };
      } catch (error) {
        if (statusOf(error) === undefined) await this.#checkUpload(bucket, key, uploadId);
        throw error;
      }
    });
  }

  /**
   * After a part that got no answer, says whether its upload is gone. A server that refuses a part before it has read all
   * of it closes the connection, and the answer is lost with what was still being sent: VersityGW does, now and
   * then, with parts of 5 MB and more. A request without a body cannot be cut off so. Of any other answer nothing is
   * concluded. @throws the SDK's NoSuchUpload
   */
  async #checkUpload(bucket: string, key: string, uploadId: string): Promise<void> {
    try {
      await this.#client.send(new ListPartsCommand({ Bucket: bucket, Key: key, UploadId: uploadId, MaxParts: 1 }));
    } catch (error) {
      if (error instanceof Error && error.name === 'NoSuchUpload') throw error;
    }
  }

  async completeUpload(
    bucket: string,
    key: string,
    uploadId: string,
    parts: readonly UploadedPart[],
    options: { ifNoneMatch?: boolean } = {},
  ) {
    const completed = await this.#translate(`CompleteMultipartUpload ${bucket}`, async () => {
      const answer = await this.#client.send(
        new CompleteMultipartUploadCommand({
          Bucket: bucket,
          Key: key,
          UploadId: uploadId,
          MultipartUpload: { Parts: parts.map((part) => ({ PartNumber: part.partNumber, ETag: `"${part.etag}"` })) },
          ...(options.ifNoneMatch ? { IfNoneMatch: '*' } : {}),
        }),
        { requestTimeout: COMPLETE_TIMEOUT_MS },
      );
      return { etag: unquote(answer.ETag) };
    });
    await this.#believe(bucket, key, completed.etag);
    return completed;
  }

  /**
   * A Complete that succeeded is believed once the object is there. Servers that let a Complete be repeated may answer
   * 200, with the ETag of the parts that were named, to one whose upload was lost: VersityGW does, as soon as any object
   * lies at the key.
   */
  async #believe(bucket: string, key: string, etag: string): Promise<void> {
    const stored = await this.head(bucket, key);
    if (stored && (etag === '' || stored.etag === etag)) return;
    const what = stored ? 'another object is at the key' : 'no object is at the key';
    throw new UploadMissing(`CompleteMultipartUpload ${bucket}: it was answered as done, but ${what}`);
  }

  async abortUpload(bucket: string, key: string, uploadId: string) {
    try {
      await this.#client.send(new AbortMultipartUploadCommand({ Bucket: bucket, Key: key, UploadId: uploadId }));
    } catch (error) {
      const translated = translateS3Error(error, `AbortMultipartUpload ${bucket}`);
      if (translated.code !== 'UPLOAD_MISSING' && translated.code !== 'OBJECT_MISSING') throw translated;
    }
  }

  async listUploads(bucket: string): Promise<OpenUpload[]> {
    const uploads: OpenUpload[] = [];
    let keyMarker: string | undefined;
    let idMarker: string | undefined;
    do {
      const page = await this.#translate(`ListMultipartUploads ${bucket}`, () =>
        this.#client.send(
          new ListMultipartUploadsCommand({ Bucket: bucket, KeyMarker: keyMarker, UploadIdMarker: idMarker }),
        ),
      );
      for (const item of page.Uploads ?? []) {
        uploads.push({
          key: item.Key ?? '',
          uploadId: item.UploadId ?? '',
          initiatedAtMs: item.Initiated?.getTime() ?? 0,
        });
      }
      keyMarker = page.IsTruncated ? page.NextKeyMarker : undefined;
      idMarker = page.IsTruncated ? page.NextUploadIdMarker : undefined;
    } while (keyMarker !== undefined);
    return uploads;
  }

  /** Sends bytes; resolves to the ETag of the object or part. */
  async #send(request: ObjectRequest): Promise<string> {
    const { headers } = await this.#requests.send(request, { timeoutMs: SEND_TIMEOUT_MS });
    return unquote(headers.etag);
  }

  async #translate<Result>(what: string, work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } catch (error) {
      throw translateS3Error(error, what);
    }
  }
}
