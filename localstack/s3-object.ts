/** Reading and writing single objects over HTTP: ranges, conditions, metadata, copies, multipart uploads. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { decode } from './s3-auth.ts';
import { openUpload, readText } from './s3-body.ts';
import { S3Error } from './s3-error.ts';
import type { ObjectHeaders, StoredObject, WriteCondition } from './s3-index.ts';
import type { S3Store } from './s3-store.ts';
import { parseComplete, toXml } from './s3-xml.ts';

export interface ObjectRequest {
  readonly store: S3Store;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly bucket: string;
  readonly key: string;
  readonly query: ReadonlyMap<string, string>;
  readonly isSigned: boolean;
}

const STORED_HEADERS = ['cache-control', 'content-disposition', 'content-language', 'content-type', 'expires'];
const OVERRIDES = [...STORED_HEADERS, 'content-encoding'];
const MAX_DOCUMENT_BYTES = 4 * 1024 * 1024;

export async function getObject(context: ObjectRequest): Promise<void> {
  const { store, request, response, bucket, key, query } = context;
  const { object, read, readAtOnce, release } = store.open(bucket, key);
  const notModified = checkReadConditions(request, object);
  setObjectHeaders(context, object);
  if (notModified) {
    response.writeHead(304).end();
    return;
  }
  const partNumber = query.get('partNumber');
  const part = partNumber === undefined ? undefined : store.partRange(object, Number(partNumber));
  if (part) response.setHeader('x-amz-mp-parts-count', part.count);
  const range = part ?? (isOfObject(request, object) ? rangeOf(request.headers.range, object.size) : undefined);
  const { start, end } = range ?? { start: 0, end: object.size - 1 };
  response.statusCode = range ? 206 : 200;
  if (range) response.setHeader('content-range', `bytes ${start}-${end}/${object.size}`);
  response.setHeader('content-length', end - start + 1);
  if (request.method === 'HEAD' || object.size === 0) {
    response.end();
    return;
  }
  const few = readAtOnce(start, end);
  if (few) {
    response.once('close', few.release).end(few.bytes);
    return;
  }
  try {
    await pipeline(Readable.from(read(start, end), { objectMode: true, highWaterMark: 2 }), response);
  } finally {
    release();
  }
}

function setObjectHeaders({ response, query, isSigned }: ObjectRequest, object: StoredObject): void {
  for (const [name, value] of Object.entries(object.headers)) response.setHeader(name, value);
  response.setHeader('etag', `"${object.etag}"`);
  response.setHeader('last-modified', new Date(object.modifiedMs).toUTCString());
  response.setHeader('accept-ranges', 'bytes');
  for (const name of OVERRIDES) {
    const value = query.get(`response-${name}`);
    if (value === undefined) continue;
    if (!isSigned) throw new S3Error('InvalidRequest', 'response-* parameters need a signed request.');
    response.setHeader(name, value);
  }
}

/** True when the client's copy is still good (304). @throws {S3Error} when a condition fails (412) */
function checkReadConditions(request: IncomingMessage, object: StoredObject): boolean {
  const matches = (header: string) =>
    header.split(',').some((tag) => tag.trim() === '*' || tag.trim().replace(/^W\/|"/g, '') === object.etag);
  const { 'if-match': ifMatch, 'if-none-match': ifNoneMatch } = request.headers;
  // HTTP dates have whole seconds.
  const modifiedMs = Math.floor(object.modifiedMs / 1000) * 1000;
  const unmodifiedSince = Date.parse(request.headers['if-unmodified-since'] ?? '');
  const failed = ifMatch === undefined ? unmodifiedSince < modifiedMs : !matches(ifMatch);
  if (failed) throw new S3Error('PreconditionFailed', 'At least one of the pre-conditions you specified did not hold');
  if (ifNoneMatch !== undefined) return matches(ifNoneMatch);
  return Date.parse(request.headers['if-modified-since'] ?? '') >= modifiedMs;
}

/** False where a range is wanted of another object than there is by now: all of it is answered then (RFC 9110, 13.1.5). */
function isOfObject(request: IncomingMessage, object: StoredObject): boolean {
  const ifRange = request.headers['if-range'];
  if (typeof ifRange !== 'string') return true;
  return ifRange === `"${object.etag}"` || ifRange === new Date(object.modifiedMs).toUTCString();
}

/** One range of `Range: bytes=…`; undefined for none and, as HTTP wants it, for what is not understood. */
function rangeOf(header: string | undefined, size: number): { start: number; end: number } | undefined {
  const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? '') ?? [];
  if (first === '' && last === '') return undefined;
  const start = first === '' ? Math.max(size - Number(last), 0) : Number(first);
  const end = first === '' || last === '' ? size - 1 : Math.min(Number(last), size - 1);
  if (first !== '' && last !== '' && Number(last) < start) return undefined;
  if (start >= size || (first === '' && Number(last) === 0)) {
    const detail = { RangeRequested: header ?? '', ActualObjectSize: String(size) };
    throw new S3Error('InvalidRange', 'The requested range is not satisfiable', detail);
  }
  return { start, end };
}

export async function putObject(context: ObjectRequest): Promise<void> {
  const { store, request, response, bucket, key } = context;
  const condition = writeCondition(request);
  const source = copySource(request);
  if (source) {
    const replace = request.headers['x-amz-metadata-directive'] === 'REPLACE';
    const headers = replace ? storedHeaders(request) : undefined;
    const copy = await store.copy(source, bucket, key, headers, condition);
    sendXml(response, 200, 'CopyObjectResult', {
      LastModified: new Date(copy.modifiedMs).toISOString(),
      ETag: `"${copy.etag}"`,
    });
    return;
  }
  const object = await store.put(bucket, key, storedHeaders(request), await openUpload(request), condition);
  echoChecksums(request, response);
  response.writeHead(200, { etag: `"${object.etag}"`, 'content-length': 0 }).end();
}

export async function deleteObject({ store, response, bucket, key }: ObjectRequest): Promise<void> {
  await store.delete(bucket, key);
  response.writeHead(204).end();
}

export function createUpload({ store, request, response, bucket, key }: ObjectRequest): void {
  const uploadId = store.createUpload(bucket, key, storedHeaders(request));
  sendXml(response, 200, 'InitiateMultipartUploadResult', { Bucket: bucket, Key: key, UploadId: uploadId });
}

export async function putPart(context: ObjectRequest, uploadId: string): Promise<void> {
  const { store, request, response, bucket, key, query } = context;
  const number = Number(query.get('partNumber'));
  if (!Number.isInteger(number) || number < 1 || number > 10_000) {
    throw new S3Error('InvalidArgument', 'Part number must be an integer between 1 and 10000, inclusive');
  }
  const source = copySource(request);
  if (!source) {
    const part = await store.putPart(bucket, key, uploadId, number, await openUpload(request));
    echoChecksums(request, response);
    response.writeHead(200, { etag: `"${part.etag}"`, 'content-length': 0 }).end();
    return;
  }
  const { object, read, release } = store.open(source.bucket, source.key);
  const range = rangeOf(String(request.headers['x-amz-copy-source-range'] ?? ''), object.size);
  try {
    const bytes = read(range?.start ?? 0, range?.end ?? object.size - 1);
    const part = await store.putPart(bucket, key, uploadId, number, bytes);
    const LastModified = new Date(part.modifiedMs).toISOString();
    sendXml(response, 200, 'CopyPartResult', { LastModified, ETag: `"${part.etag}"` });
  } finally {
    release();
  }
}

export async function completeUpload(context: ObjectRequest, uploadId: string): Promise<void> {
  const { store, request, response, bucket, key } = context;
  const parts = parseComplete(await readText(request, MAX_DOCUMENT_BYTES));
  const object = await store.completeUpload(bucket, key, uploadId, parts, writeCondition(request));
  const Location = `http://${request.headers.host ?? 'localhost'}/${bucket}/${encodeURI(key)}`;
  const result = { Location, Bucket: bucket, Key: key, ETag: `"${object.etag}"` };
  sendXml(response, 200, 'CompleteMultipartUploadResult', result);
}

export async function abortUpload(context: ObjectRequest, uploadId: string): Promise<void> {
  await context.store.abortUpload(context.bucket, context.key, uploadId);
  context.response.writeHead(204).end();
}

function sendXml(response: ServerResponse, status: number, root: string, content: Parameters<typeof toXml>[1]): void {
  sendDocument(response, status, toXml(root, content));
}

export function sendDocument(response: ServerResponse, status: number, xml: string): void {
  response.writeHead(status, { 'content-type': 'application/xml', 'content-length': Buffer.byteLength(xml) }).end(xml);
}

function storedHeaders(request: IncomingMessage): ObjectHeaders {
  const headers: Record<string, string> = { 'content-type': 'binary/octet-stream' };
  for (const [name, value] of Object.entries(request.headers)) {
    if (typeof value !== 'string') continue;
    if (STORED_HEADERS.includes(name) || name.startsWith('x-amz-meta-')) headers[name] = value;
  }
  // aws-chunked is how the body travelled, not what it is.
  const encoding = (request.headers['content-encoding'] ?? '').replace(/\baws-chunked\b,?\s*/, '').replace(/,\s*$/, '');
  if (encoding !== '') headers['content-encoding'] = encoding;
  return headers;
}

function writeCondition(request: IncomingMessage): WriteCondition {
  const { 'if-none-match': ifNoneMatch, 'if-match': ifMatch } = request.headers;
  if (ifNoneMatch !== undefined && ifNoneMatch !== '*') {
    throw new S3Error('NotImplemented', 'If-None-Match of a write only supports the value *');
  }
  return { absent: ifNoneMatch === '*', ...(ifMatch === undefined ? {} : { etag: ifMatch.replaceAll('"', '') }) };
}

function copySource(request: IncomingMessage): { bucket: string; key: string } | undefined {
  const header = request.headers['x-amz-copy-source'];
  if (typeof header !== 'string') return undefined;
  const [bucket = '', ...key] = decode(header.split('?', 1)[0] ?? '')
    .replace(/^\//, '')
    .split('/');
  return { bucket, key: key.join('/') };
}

/** S3 repeats the checksum that it has verified; an SDK that sent one may look for it. */
function echoChecksums(request: IncomingMessage, response: ServerResponse): void {
  for (const name of ['x-amz-checksum-crc32', 'x-amz-checksum-sha1', 'x-amz-checksum-sha256']) {
    const value = request.headers[name];
    if (typeof value === 'string') response.setHeader(name, value);
  }
}
