/** The listings of the S3 API: objects (version 1 and 2), multipart uploads, parts, buckets. XML in the shape of S3. */
import { encodePath } from '../lib/platform/rfc3986.ts';
import { S3Error } from './s3-error.ts';
import { LAST, type S3Store } from './s3-store.ts';
import { toXml } from './s3-xml.ts';

const MAX_KEYS = 1000;
type Query = ReadonlyMap<string, string>;

const iso = (ms: number) => new Date(ms).toISOString();
const quoted = (etag: string) => `"${etag}"`;

export function listBuckets(store: S3Store): string {
  const buckets = store.listBuckets().map(({ name, createdMs }) => ({ Name: name, CreationDate: iso(createdMs) }));
  return toXml('ListAllMyBucketsResult', {
    Owner: { ID: 'local', DisplayName: 'local' },
    Buckets: { Bucket: buckets },
  });
}

export function listObjects(store: S3Store, bucket: string, query: Query): string {
  const version2 = query.get('list-type') === '2';
  const prefix = query.get('prefix') ?? '';
  const delimiter = query.get('delimiter') ?? '';
  const maxKeys = limitOf(query, 'max-keys');
  const encode = encoding(query);
  const token = query.get('continuation-token');
  const after = version2
    ? token === undefined
      ? (query.get('start-after') ?? '')
      : readToken(token)
    : markerOf(query.get('marker') ?? '', delimiter);
  const options = { prefix, delimiter, after, maxKeys };
  // S3 answers nothing for nothing asked, and says that this is all.
  const result = maxKeys === 0 ? { objects: [], commonPrefixes: [], next: undefined } : store.list(bucket, options);
  if (maxKeys === 0) store.requireBucket(bucket);
  const { objects, commonPrefixes, next } = result;
  const paging = version2
    ? {
        KeyCount: objects.length + commonPrefixes.length,
        StartAfter: optional(query.get('start-after'), encode),
        ContinuationToken: token,
        NextContinuationToken: next === undefined ? undefined : Buffer.from(next).toString('base64url'),
      }
    : { Marker: encode(query.get('marker') ?? ''), NextMarker: next && encode(next.replace(LAST, '')) };
  return toXml('ListBucketResult', {
    Name: bucket,
    Prefix: encode(prefix),
    Delimiter: delimiter === '' ? undefined : encode(delimiter),
    MaxKeys: maxKeys,
    EncodingType: query.get('encoding-type'),
    IsTruncated: next !== undefined,
    ...paging,
    Contents: objects.map(({ key, etag, size, modifiedMs }) => ({
      Key: encode(key),
      LastModified: iso(modifiedMs),
      ETag: quoted(etag),
      Size: size,
      StorageClass: 'STANDARD',
    })),
    CommonPrefixes: commonPrefixes.map((group) => ({ Prefix: encode(group) })),
  });
}

/** A marker that names a common prefix stands for everything below it. */
const markerOf = (marker: string, delimiter: string) =>
  delimiter !== '' && marker.endsWith(delimiter) ? marker + LAST : marker;

function readToken(token: string): string {
  const text = Buffer.from(token, 'base64url').toString();
  if (Buffer.from(text).toString('base64url') === token) return text;
  throw new S3Error('InvalidArgument', 'The continuation token provided is incorrect');
}

export function listUploads(store: S3Store, bucket: string, query: Query): string {
  const prefix = query.get('prefix') ?? '';
  const maxUploads = limitOf(query, 'max-uploads');
  const encode = encoding(query);
  const keyMarker = query.get('key-marker') ?? '';
  // Without an id the marker is the key itself: uploads of that very key are left out.
  const after = { key: keyMarker, id: query.get('upload-id-marker') ?? (keyMarker === '' ? '' : LAST) };
  const found = store.listUploads(bucket, prefix, after, maxUploads + 1);
  const uploads = found.slice(0, maxUploads);
  const truncated = found.length > maxUploads;
  const last = truncated ? uploads.at(-1) : undefined;
  return toXml('ListMultipartUploadsResult', {
    Bucket: bucket,
    KeyMarker: encode(keyMarker),
    UploadIdMarker: query.get('upload-id-marker') ?? '',
    NextKeyMarker: optional(last?.key, encode),
    NextUploadIdMarker: last?.id,
    Prefix: encode(prefix),
    MaxUploads: maxUploads,
    EncodingType: query.get('encoding-type'),
    IsTruncated: truncated,
    Upload: uploads.map(({ id, key, initiatedMs }) => ({
      Key: encode(key),
      UploadId: id,
      StorageClass: 'STANDARD',
      Initiated: iso(initiatedMs),
    })),
  });
}

export function listParts(store: S3Store, bucket: string, key: string, uploadId: string, query: Query): string {
  const marker = Number(query.get('part-number-marker') ?? 0);
  const maxParts = limitOf(query, 'max-parts');
  const found = store.listParts(bucket, key, uploadId, marker, maxParts + 1);
  const parts = found.slice(0, maxParts);
  const truncated = found.length > maxParts;
  return toXml('ListPartsResult', {
    Bucket: bucket,
    Key: key,
    UploadId: uploadId,
    StorageClass: 'STANDARD',
    PartNumberMarker: marker,
    NextPartNumberMarker: parts.at(-1)?.number ?? 0,
    MaxParts: maxParts,
    IsTruncated: truncated,
    Part: parts.map(({ number, etag, size, modifiedMs }) => ({
      PartNumber: number,
      LastModified: iso(modifiedMs),
      ETag: quoted(etag),
      Size: size,
    })),
  });
}

function limitOf(query: Query, name: string): number {
  const value = Number(query.get(name) ?? MAX_KEYS);
  if (Number.isInteger(value) && value >= 0) return Math.min(value, MAX_KEYS);
  throw new S3Error('InvalidArgument', `Provided ${name} not an integer or within integer range`);
}

function encoding(query: Query): (text: string) => string {
  const type = query.get('encoding-type');
  if (type === undefined) return (text) => text;
  if (type !== 'url') throw new S3Error('InvalidArgument', 'Invalid Encoding Method specified in Request');
  return encodePath;
}

const optional = (text: string | undefined, encode: (text: string) => string) =>
  text === undefined ? undefined : encode(text);
