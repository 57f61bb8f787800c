/**
 * Who sent an S3 request: AWS Signature Version 4, in the Authorization header or in the query of a presigned URL.
 * It checks the signature; what the sender may do is decided in s3.ts.
 *
 * Reference: "Authenticating Requests (AWS Signature Version 4)" in the Amazon S3 API reference.
 */
import { createHmac, createSecretKey, hash, type KeyObject, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { encodeRfc3986 } from '../lib/platform/rfc3986.ts';
import { S3Error } from './s3-error.ts';

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export interface SignedRequest {
  readonly method: string;
  /** Path and query exactly as they were sent. */
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
}

const ALGORITHM = 'AWS4-HMAC-SHA256';
const MAX_SKEW_MS = 15 * 60_000;
const MAX_PRESIGNED_S = 7 * 24 * 3600;

interface Claim {
  readonly credential: readonly string[];
  readonly signedHeaders: readonly string[];
  readonly signature: string;
  readonly time: string;
  readonly payloadHash: string;
}

/** True for a valid signature, false for a request without any. @throws {S3Error} for a wrong one */
export function isSignedBy(credentials: Credentials, request: SignedRequest, nowMs: number): boolean {
  const query = parseQuery(request.target);
  const inQuery = query.some(([name]) => name === 'X-Amz-Signature' || name === 'X-Amz-Credential');
  if (!inQuery && request.headers.authorization === undefined) return false;
  const claim = inQuery ? claimOfQuery(query, nowMs) : claimOfHeaders(request.headers, nowMs);
  const [accessKeyId] = claim.credential;
  if (accessKeyId !== credentials.accessKeyId) {
    throw new S3Error(
      'InvalidAccessKeyId',
      'The AWS Access Key Id you provided does not exist in our records.',
      accessKeyId ? { AWSAccessKeyId: accessKeyId } : {},
    );
  }
  const expected = signatureOf(credentials.secretAccessKey, request, query, claim);
  const given = Buffer.from(claim.signature);
  if (given.length !== expected.length || !timingSafeEqual(given, Buffer.from(expected))) {
    throw new S3Error(
      'SignatureDoesNotMatch',
      'The request signature we calculated does not match the signature you provided. Check your key and signing method.',
      { AWSAccessKeyId: accessKeyId },
    );
  }
  return true;
}

function claimOfHeaders(headers: IncomingHttpHeaders, nowMs: number): Claim {
  const authorization = headers.authorization ?? '';
  const fields = new Map(
    authorization
      .slice(ALGORITHM.length)
      .split(',')
      .map((field): [string, string] => {
        const [name = '', ...value] = field.trim().split('=');
        return [name, value.join('=')];
      }),
  );
  const credential = fields.get('Credential')?.split('/');
  const signedHeaders = fields.get('SignedHeaders')?.split(';');
  const signature = fields.get('Signature');
  if (!authorization.startsWith(`${ALGORITHM} `) || credential?.length !== 5 || !signedHeaders || !signature) {
    throw new S3Error('AuthorizationHeaderMalformed', 'The authorization header that you provided is not valid.');
  }
  const time = String(headers['x-amz-date'] ?? '');
  const skewMs = Math.abs(nowMs - parseTime(time, 'AccessDenied'));
  if (skewMs > MAX_SKEW_MS) {
    throw new S3Error(
      'RequestTimeTooSkewed',
      'The difference between the request time and the current time is too large.',
    );
  }
  const payloadHash = headers['x-amz-content-sha256'];
  if (typeof payloadHash !== 'string') {
    throw new S3Error('InvalidRequest', 'Missing required header for this request: x-amz-content-sha256');
  }
  return { credential, signedHeaders, signature, time, payloadHash };
}

function claimOfQuery(query: readonly (readonly [string, string])[], nowMs: number): Claim {
  const values = new Map(query);
  const credential = values.get('X-Amz-Credential')?.split('/');
  const signedHeaders = values.get('X-Amz-SignedHeaders')?.split(';');
  const signature = values.get('X-Amz-Signature');
  const time = values.get('X-Amz-Date') ?? '';
  const expiresS = Number(values.get('X-Amz-Expires') ?? Number.NaN);
  const complete =
    values.get('X-Amz-Algorithm') === ALGORITHM && credential?.length === 5 && signedHeaders && signature;
  if (!complete || !(expiresS >= 0 && expiresS <= MAX_PRESIGNED_S)) {
    throw new S3Error('AuthorizationQueryParametersError', 'The query string of the presigned URL is not valid.');
  }
  if (nowMs > parseTime(time, 'AuthorizationQueryParametersError') + expiresS * 1000) {
    throw new S3Error('AccessDenied', 'Request has expired');
  }
  return { credential, signedHeaders, signature, time, payloadHash: 'UNSIGNED-PAYLOAD' };
}

/** `20251005T180000Z` in milliseconds. */
function parseTime(text: string, code: 'AccessDenied' | 'AuthorizationQueryParametersError'): number {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  if (!match) throw new S3Error(code, 'AWS authentication requires a valid x-amz-date');
  const [year = 0, month = 0, ...rest] = match.slice(1).map(Number);
  return Date.UTC(year, month - 1, ...rest);
}

function signatureOf(
  secret: string,
  request: SignedRequest,
  query: readonly (readonly [string, string])[],
  claim: Claim,
): string {
  const canonicalHeaders = claim.signedHeaders
    .map((name) => `${name}:${headerValue(request.headers[name])}\n`)
    .join('');
  const canonicalQuery = query
    .filter(([name]) => name !== 'X-Amz-Signature')
    .map(([name, value]) => `${encodeRfc3986(name)}=${encodeRfc3986(value)}`)
    .sort()
    .join('&');
  const canonicalRequest = [
    request.method,
    canonicalPath(request.target),
    canonicalQuery,
    canonicalHeaders,
    claim.signedHeaders.join(';'),
    claim.payloadHash,
  ].join('\n');
  const [, date = '', region = '', service = '', terminator = ''] = claim.credential;
  const scope = [date, region, service, terminator].join('/');
  const toSign = [ALGORITHM, claim.time, scope, hash('sha256', canonicalRequest)].join('\n');
  const key = keyOf(secret, [date, region, service, terminator]);
  return createHmac('sha256', key).update(toSign).digest('hex');
}

let lastKey: { readonly scope: string; readonly key: KeyObject } | undefined;

/** The signing key of a scope; the last one is kept, since deriving it costs more than all the rest. */
function keyOf(secret: string, parts: readonly string[]): KeyObject {
  const scope = [secret, ...parts].join('/');
  if (lastKey?.scope === scope) return lastKey.key;
  const bytes = parts.reduce(
    (key, part) => createHmac('sha256', key).update(part).digest(),
    Buffer.from(`AWS4${secret}`),
  );
  lastKey = { scope, key: createSecretKey(bytes) };
  return lastKey.key;
}

const headerValue = (value: string | string[] | undefined) =>
  (Array.isArray(value) ? value.join(',') : (value ?? '')).trim().replace(/ +/g, ' ');

function canonicalPath(target: string): string {
  const path = target.split('?', 1)[0] ?? '/';
  return (
    path
      .split('/')
      .map((part) => encodeRfc3986(decode(part)))
      .join('/') || '/'
  );
}

/** Name and value of each query parameter, decoded; a `+` is a space only when it was sent as `%20`. */
export function parseQuery(target: string): (readonly [string, string])[] {
  const start = target.indexOf('?');
  if (start === -1) return [];
  const pairs = target
    .slice(start + 1)
    .split('&')
    .filter((pair) => pair !== '');
  return pairs.map((pair) => {
    const [name = '', ...value] = pair.split('=');
    return [decode(name), decode(value.join('='))] as const;
  });
}

/** Percent-decoding that answers S3's error for a malformed one. */
export function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new S3Error('InvalidArgument', 'The request URI contains an invalid percent-encoding.');
  }
}
