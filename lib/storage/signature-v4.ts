/**
 * The Authorization header of one S3 request (AWS Signature Version 4). Owns the arithmetic and the keys of the day;
 * whose credentials and which request is the caller's. Pure.
 *
 * Reference: "Signature Calculations for the Authorization Header: Transferring Payload in a Single Chunk" in the
 * Amazon S3 API reference.
 */
import { createHmac, createSecretKey, hash, type KeyObject } from 'node:crypto';

export interface SigningIdentity {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
}

export interface UnsignedRequest {
  readonly method: string;
  /** Percent-encoded, as it is sent. */
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  /** All headers that are signed, in small letters; `host` among them. */
  readonly headers: Readonly<Record<string, string>>;
  /** SHA-256 of the body in hex, or `UNSIGNED-PAYLOAD`. */
  readonly payloadHash: string;
}

const ALGORITHM = 'AWS4-HMAC-SHA256';
/** SHA-256 of nothing. */
export const EMPTY_HASH = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

/** The headers to send: those that were given, and the signature with what belongs to it. */
export function signRequest(
  request: UnsignedRequest,
  identity: SigningIdentity,
  region: string,
  now: Date,
): Record<string, string> {
  const time = now.toISOString().replaceAll(/[-:]|\.\d{3}/g, '');
  const date = time.slice(0, 8);
  const headers: Record<string, string> = {
    ...request.headers,
    'x-amz-content-sha256': request.payloadHash,
    'x-amz-date': time,
    ...(identity.sessionToken ? { 'x-amz-security-token': identity.sessionToken } : {}),
  };
  const names = Object.keys(headers).sort();
  const signedHeaders = names.join(';');
  const canonicalRequest = [
    request.method,
    request.path,
    canonicalQuery(request.query),
    ...names.map((name) => `${name}:${headers[name]?.trim()}`),
    '',
    signedHeaders,
    request.payloadHash,
  ].join('\n');
  const scope = `${date}/${region}/s3/aws4_request`;
  const signature = createHmac('sha256', keyOfDay(identity.secretAccessKey, date, region))
    .update(`${ALGORITHM}\n${time}\n${scope}\n${hash('sha256', canonicalRequest)}`)
    .digest('hex');
  headers.authorization = `${ALGORITHM} Credential=${identity.accessKeyId}/${scope}, SignedHeaders=${signedHeaders}, Signature=${signature}`;
  return headers;
}

export function canonicalQuery(query: Readonly<Record<string, string>>): string {
  return Object.entries(query)
    .map(([name, value]) => `${encodeRfc3986(name)}=${encodeRfc3986(value)}`)
    .sort()
    .join('&');
}

/** A key as the path of a URL: slashes stay. */
export function encodeKey(key: string): string {
  return key.split('/').map(encodeRfc3986).join('/');
}

function encodeRfc3986(text: string): string {
  return encodeURIComponent(text).replaceAll(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

interface DayKey {
  readonly secret: string;
  readonly scope: string;
  readonly key: KeyObject;
}
/** Deriving it takes four HMACs, more than all of the rest: the last one is kept. */
let lastKey: DayKey | undefined;

function keyOfDay(secret: string, date: string, region: string): KeyObject {
  const scope = `${date}/${region}`;
  if (lastKey?.secret === secret && lastKey.scope === scope) return lastKey.key;
  const parts = [date, region, 's3', 'aws4_request'];
  const bytes = parts.reduce(
    (key, part) => createHmac('sha256', key).update(part).digest(),
    Buffer.from(`AWS4${secret}`),
  );
  lastKey = { secret, scope, key: createSecretKey(bytes) };
  return lastKey.key;
}
