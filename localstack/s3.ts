/**
 * The embedded S3 server: HTTP in front of s3-store.ts, path style, one key pair. It owns routing, who may do what, and
 * the form of errors. Written because the ready ones did not do: see docs/LOCAL-STACK.md.
 */
import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { hasCode, PortTaken } from './errors.ts';
import { type Credentials, decode, isSignedBy, parseQuery } from './s3-auth.ts';
import { readText } from './s3-body.ts';
import { S3Error } from './s3-error.ts';
import { listBuckets, listObjects, listParts, listUploads } from './s3-list.ts';
import * as objects from './s3-object.ts';
import { type ObjectCreated, S3Store } from './s3-store.ts';
import { parseDelete, toXml } from './s3-xml.ts';

export interface S3Options {
  readonly dataDir: string;
  /** 0 asks for a free one. */
  readonly port?: number;
  readonly host?: string;
  readonly credentials?: Credentials;
  /** Created at the start. */
  readonly buckets?: readonly string[];
  /** Buckets whose objects anyone may read, except below `.staging/`. */
  readonly publicBuckets?: readonly string[];
  /** Called after each write that creates an object, before the client has its answer. */
  readonly onObjectCreated?: (event: ObjectCreated) => void;
  /** Not durable over a power cut. Only for tests. */
  readonly fast?: boolean;
}

export interface RunningS3 {
  readonly port: number;
  /** `http://127.0.0.1:9000` */
  readonly endpoint: string;
  stop(): Promise<void>;
}

export const DEFAULT_CREDENTIALS: Credentials = { accessKeyId: 'minioadmin', secretAccessKey: 'minioadmin123' };
const PRIVATE_PREFIX = '.staging/';
const MAX_KEY_BYTES = 1024;
const BUCKET_NAME = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;

interface Server {
  readonly store: S3Store;
  readonly credentials: Credentials;
  readonly publicBuckets: ReadonlySet<string>;
}

/** @throws {PortTaken} */
export async function startS3(options: S3Options): Promise<RunningS3> {
  const host = options.host ?? '127.0.0.1';
  const store = new S3Store(options.dataDir, !options.fast, options.onObjectCreated ?? (() => {}));
  for (const bucket of options.buckets ?? []) store.createBucket(bucket);
  const server: Server = {
    store,
    credentials: options.credentials ?? DEFAULT_CREDENTIALS,
    publicBuckets: new Set(options.publicBuckets ?? []),
  };
  const http = createServer((request, response) => void answer(server, request, response));
  // A part of an upload may take as long as it takes.
  http.requestTimeout = 0;
  http.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve, reject) => {
    http.once('error', (cause) => {
      void store.close();
      reject(hasCode(cause, 'EADDRINUSE') ? new PortTaken(options.port ?? 0, 'S3_PORT', { cause }) : cause);
    });
    http.listen(options.port ?? 0, host, resolve);
  });
  const address = http.address();
  const port = address && typeof address === 'object' ? address.port : 0;
  return {
    port,
    endpoint: `http://${host === '0.0.0.0' ? '127.0.0.1' : host}:${port}`,
    async stop() {
      const closed = new Promise((resolve) => http.close(resolve));
      http.closeAllConnections();
      await closed;
      await store.close();
    },
  };
}

async function answer(server: Server, request: IncomingMessage, response: ServerResponse): Promise<void> {
  response.setHeader('x-amz-request-id', randomBytes(8).toString('hex').toUpperCase());
  allowOtherOrigins(request, response);
  try {
    await route(server, request, response);
  } catch (error) {
    // The client has gone, or its download broke: there is nobody to tell.
    if (response.headersSent || response.destroyed) response.destroy();
    else sendError(request, response, error);
  }
  // A body that nobody read would keep the connection from its next request.
  if (!request.readableEnded) request.resume();
}

/** A page on another port may read: it needs the headers of ranges, and no credentials. */
function allowOtherOrigins(request: IncomingMessage, response: ServerResponse): void {
  if (request.headers.origin === undefined) return;
  response.setHeader('access-control-allow-origin', '*');
  response.setHeader(
    'access-control-expose-headers',
    'ETag, Content-Range, Content-Length, Accept-Ranges, Last-Modified',
  );
  if (request.method !== 'OPTIONS') return;
  response.setHeader('access-control-allow-methods', 'GET, HEAD');
  const asked = request.headers['access-control-request-headers'];
  if (asked !== undefined) response.setHeader('access-control-allow-headers', asked);
  response.setHeader('access-control-max-age', '3600');
}

function sendError(request: IncomingMessage, response: ServerResponse, error: unknown): void {
  const known = error instanceof S3Error ? error : undefined;
  if (!known) console.error('S3 server:', error);
  const { code, message, status, detail } =
    known ?? new S3Error('InternalError', 'We encountered an internal error. Please try again.');
  for (const name of response.getHeaderNames()) {
    if (!/^(access-control-|x-amz-request-id)/.test(name)) response.removeHeader(name);
  }
  const resource = request.url?.split('?', 1)[0] ?? '/';
  const xml = toXml('Error', { Code: code, Message: message, ...detail, Resource: resource });
  if (request.method === 'HEAD') response.writeHead(status, { 'content-type': 'application/xml' }).end();
  else objects.sendDocument(response, status, xml);
}

async function route(server: Server, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const target = request.url ?? '/';
  const method = request.method ?? 'GET';
  if (method === 'OPTIONS' || (method === 'GET' && target === '/minio/health/live')) {
    response.writeHead(200, { 'content-length': 0 }).end();
    return;
  }
  const isSigned = isSignedBy(server.credentials, { method, target, headers: request.headers }, Date.now());
  const path = (target.split('?', 1)[0] ?? '/').slice(1);
  const slash = path.indexOf('/');
  const bucket = decode(slash === -1 ? path : path.slice(0, slash));
  const key = slash === -1 ? '' : decode(path.slice(slash + 1));
  const query = new Map(parseQuery(target));
  const anyoneMay =
    (method === 'GET' || method === 'HEAD') &&
    server.publicBuckets.has(bucket) &&
    key !== '' &&
    !key.startsWith(PRIVATE_PREFIX) &&
    !query.has('uploadId');
  if (!isSigned && !anyoneMay) throw new S3Error('AccessDenied', 'Access Denied.');
  if (bucket === '' && method === 'GET') return objects.sendDocument(response, 200, listBuckets(server.store));
  if (key === '') return bucketRequest(server.store, request, response, bucket, query);
  if (Buffer.byteLength(key) > MAX_KEY_BYTES) throw new S3Error('KeyTooLongError', 'Your key is too long');
  return objectRequest({ store: server.store, request, response, bucket, key, query, isSigned });
}

async function bucketRequest(
  store: S3Store,
  request: IncomingMessage,
  response: ServerResponse,
  bucket: string,
  query: ReadonlyMap<string, string>,
): Promise<void> {
  const send = (xml: string) => objects.sendDocument(response, 200, xml);
  if (request.method !== 'PUT') store.requireBucket(bucket);
  if (request.method === 'GET' && query.has('location')) return send(toXml('LocationConstraint', {}));
  if (request.method === 'GET' && query.has('versioning')) return send(toXml('VersioningConfiguration', {}));
  if (request.method === 'GET' && query.has('uploads')) return send(listUploads(store, bucket, query));
  if (request.method === 'POST' && query.has('delete')) return send(await deleteObjects(store, request, bucket));
  refuseSubresources(query);
  switch (request.method) {
    case 'GET':
      return send(listObjects(store, bucket, query));
    case 'HEAD':
      response.writeHead(200).end();
      return;
    case 'PUT':
      if (!BUCKET_NAME.test(bucket)) throw new S3Error('InvalidBucketName', 'The specified bucket is not valid.');
      if (!store.createBucket(bucket)) {
        throw new S3Error('BucketAlreadyOwnedByYou', 'The bucket exists and you own it.', { BucketName: bucket });
      }
      response.writeHead(200, { location: `/${bucket}`, 'content-length': 0 }).end();
      return;
    case 'DELETE':
      store.deleteBucket(bucket);
      response.writeHead(204).end();
      return;
    default:
      throw new S3Error('MethodNotAllowed', 'The specified method is not allowed against this resource.');
  }
}

async function deleteObjects(store: S3Store, request: IncomingMessage, bucket: string): Promise<string> {
  const { keys, quiet } = parseDelete(await readText(request, 2 * 1024 * 1024));
  for (const key of keys) await store.delete(bucket, key);
  return toXml('DeleteResult', { Deleted: quiet ? [] : keys.map((key) => ({ Key: key })) });
}

function objectRequest(context: objects.ObjectRequest): void | Promise<void> {
  const { store, request, response, bucket, key, query } = context;
  const uploadId = query.get('uploadId');
  if (uploadId !== undefined) {
    switch (request.method) {
      case 'GET':
        return objects.sendDocument(response, 200, listParts(store, bucket, key, uploadId, query));
      case 'PUT':
        return objects.putPart(context, uploadId);
      case 'POST':
        return objects.completeUpload(context, uploadId);
      case 'DELETE':
        return objects.abortUpload(context, uploadId);
    }
  }
  if (request.method === 'POST' && query.has('uploads')) return objects.createUpload(context);
  refuseSubresources(query);
  switch (request.method) {
    case 'GET':
    case 'HEAD':
      return objects.getObject(context);
    case 'PUT':
      return objects.putObject(context);
    case 'DELETE':
      return objects.deleteObject(context);
    default:
      throw new S3Error('MethodNotAllowed', 'The specified method is not allowed against this resource.');
  }
}

const SUBRESOURCES = [
  ...['acl', 'attributes', 'cors', 'encryption', 'legal-hold', 'lifecycle', 'logging', 'notification'],
  ...['object-lock', 'policy', 'publicAccessBlock', 'replication', 'retention', 'select', 'tagging'],
  ...['versionId', 'versions', 'website'],
];

/** Better refused than answered with something else: `GET ?acl` is not the object. */
function refuseSubresources(query: ReadonlyMap<string, string>): void {
  const name = query.size === 0 ? undefined : SUBRESOURCES.find((candidate) => query.has(candidate));
  if (name === undefined) return;
  throw new S3Error('NotImplemented', `The embedded S3 server does not implement ${name}.`);
}
