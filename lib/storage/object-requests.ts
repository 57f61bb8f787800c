/**
 * Sends the requests that a service makes for every segment and every part, GET and PUT of one object, without the
 * SDK's middleware, which costs more CPU than all else that is done with a segment. Endpoint, credentials, region and
 * attempts are the SDK client's own, and so is the signer; owned here are repeating and what an error answer says.
 */
import { hash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { S3Client } from '@aws-sdk/client-s3';
import { SignatureV4 } from '@smithy/signature-v4';
import type { Dispatcher } from 'undici';
import { encodePath, encodeRfc3986 } from '../platform/rfc3986.ts';
import { type Answer, type AnswerLimits, AnswerTimedOut, connections, exchange } from './object-answer.ts';

export interface ObjectRequest {
  readonly method: 'GET' | 'PUT';
  readonly bucket: string;
  readonly key: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly contentType?: string;
  /** Further headers, in small letters. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
}

/** In the form of the SDK's errors, which translateS3Error reads. */
class RequestFailed extends Error {
  readonly $metadata: { readonly httpStatusCode: number };

  constructor(code: string, message: string, httpStatusCode: number) {
    super(message);
    this.name = code;
    this.$metadata = { httpStatusCode };
  }
}

interface Target {
  readonly protocol: string;
  readonly hostname: string;
  /** With the port, where it is not the protocol's own. */
  readonly host: string;
  /** Ends with a slash; the bucket is in it where it is not in the host. */
  readonly path: string;
  /** Nobody can read or change what goes to it: TLS, or this machine. */
  readonly isPrivate: boolean;
  readonly signer: SignatureV4;
}

/** SHA-256 of nothing. */
const EMPTY_HASH = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

/** A body that the signature does not cover (Signature Version 4, "Authenticating requests"). */
const UNSIGNED = 'UNSIGNED-PAYLOAD';
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

const BACKOFF_MS = 100;
const BACKOFF_SLOW_DOWN_MS = 500;
const MAX_BACKOFF_MS = 20_000;
const TRANSIENT = new Set(['InternalError', 'RequestTimeout', 'RequestTimeTooSkewed']);
const SLOW_DOWN = new Set([
  'SlowDown',
  'Throttling',
  'ThrottlingException',
  'RequestLimitExceeded',
  'ServiceUnavailable',
]);

export class ObjectRequests {
  readonly #client: S3Client;
  readonly #dispatcher: Dispatcher;
  readonly #targets = new Map<string, Promise<Target>>();
  /** The store's clock minus ours, once a request was refused because of it. */
  #clockOffsetMs = 0;

  constructor(client: S3Client, dispatcher = connections) {
    this.#client = client;
    this.#dispatcher = dispatcher;
  }

  /**
   * The answer of a success with its body; the time limit is that of all attempts together. Throws what translateS3Error
   * translates: the last attempt's error.
   */
  async send(request: ObjectRequest, limits: AnswerLimits): Promise<Answer> {
    const attempts = await this.#client.config.maxAttempts();
    const target = await this.#targetOf(request.bucket);
    const payloadHash = hashOf(request.body, target.isPrivate);
    const until = performance.now() + limits.timeoutMs;
    for (let attempt = 1; ; attempt += 1) {
      try {
        const timeoutMs = Math.max(0, until - performance.now());
        return await this.#sendOnce(request, target, payloadHash, { ...limits, timeoutMs });
      } catch (error) {
        if (error instanceof AnswerTimedOut) throw new AnswerTimedOut(limits.timeoutMs);
        if (attempt >= attempts || !isTransient(error)) throw error;
        const pauseMs = backoffMs(error, attempt);
        if (performance.now() + pauseMs >= until) throw error;
        await sleep(pauseMs);
      }
    }
  }

  async #sendOnce(
    request: ObjectRequest,
    { protocol, hostname, host, path, signer }: Target,
    payloadHash: string,
    limits: AnswerLimits,
  ): Promise<Answer> {
    const { method, key, query = {}, body, contentType } = request;
    const headers = {
      host,
      'x-amz-content-sha256': payloadHash,
      ...(contentType ? { 'content-type': contentType } : {}),
      ...request.headers,
      ...(body ? { 'content-length': String(body.length) } : {}),
    };
    const url = path + encodePath(key);
    const signed = await signer.sign(
      { method, protocol, hostname, path: url, query, headers },
      { signingDate: new Date(Date.now() + this.#clockOffsetMs) },
    );
    const message = {
      origin: `${protocol}//${host}`,
      path: url + queryString(query),
      method,
      headers: signed.headers,
      body: body ?? null,
    };
    const answer = await exchange(this.#dispatcher, message, limits);
    if (answer.statusCode >= 200 && answer.statusCode < 300) return answer;
    throw this.#errorOf(answer);
  }

  #errorOf({ statusCode, headers, bytes }: Answer): RequestFailed {
    const text = new TextDecoder().decode(bytes);
    const code = /<Code>([^<]+)<\/Code>/.exec(text)?.[1] ?? 'UnknownError';
    const message = /<Message>([^<]*)<\/Message>/.exec(text)?.[1] ?? `HTTP status ${statusCode}`;
    const date = Date.parse(headers.date ?? '');
    if (code === 'RequestTimeTooSkewed' && !Number.isNaN(date)) this.#clockOffsetMs = date - Date.now();
    return new RequestFailed(code, message, statusCode);
  }

  #targetOf(bucket: string): Promise<Target> {
    const known = this.#targets.get(bucket);
    if (known) return known;
    const finding = this.#findTarget(bucket);
    this.#targets.set(bucket, finding);
    finding.catch(() => this.#targets.delete(bucket));
    return finding;
  }

  async #findTarget(bucket: string): Promise<Target> {
    const { config } = this.#client;
    const region = await config.region();
    const custom = await config.endpoint?.();
    const { url, properties } = config.endpointProvider({
      ...{ Bucket: bucket, Region: region, ForcePathStyle: config.forcePathStyle === true },
      ...{ UseFIPS: await config.useFipsEndpoint(), UseDualStack: await config.useDualstackEndpoint() },
      ...(custom ? { Endpoint: `${custom.protocol}//${custom.hostname}${portOf(custom.port)}${custom.path}` } : {}),
    });
    const [scheme] = (properties?.authSchemes ?? []) as ReadonlyArray<{ name?: string; signingRegion?: string }>;
    if (scheme?.name !== undefined && scheme.name !== 'sigv4')
      throw new Error(`The bucket ${bucket} wants requests signed by ${scheme.name}, which is not supported`);
    return {
      protocol: url.protocol,
      hostname: url.hostname,
      host: url.host,
      isPrivate: url.protocol === 'https:' || LOOPBACK.test(url.hostname),
      path: url.pathname.endsWith('/') ? url.pathname : `${url.pathname}/`,
      // S3 alone among AWS's services signs paths as they are sent.
      signer: new SignatureV4({
        ...{ service: 's3', region: scheme?.signingRegion ?? region, uriEscapePath: false, applyChecksum: false },
        ...{ credentials: config.credentials, sha256: config.sha256 },
      }),
    };
  }
}

/**
 * What the signature says of the body. Hashing it costs about as much CPU as all else that is done to send a part, and is
 * needed where somebody on the way could send other bytes under the same signature.
 */
function hashOf(body: Uint8Array | undefined, isPrivate: boolean): string {
  if (body === undefined) return EMPTY_HASH;
  return isPrivate ? UNSIGNED : hash('sha256', body);
}

/** As it is signed: each name and value encoded by itself. */
function queryString(query: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(query).map(([name, value]) => `${encodeRfc3986(name)}=${encodeRfc3986(value)}`);
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`;
}

const portOf = (port: number | undefined) => (port === undefined ? '' : `:${port}`);

/** Passes by itself: no answer at all, an overloaded or failing store, a clock that has been put right. */
function isTransient(error: unknown): boolean {
  if (!(error instanceof RequestFailed)) return true;
  const { httpStatusCode } = error.$metadata;
  return httpStatusCode >= 500 || httpStatusCode === 429 || TRANSIENT.has(error.name) || SLOW_DOWN.has(error.name);
}

function backoffMs(error: unknown, attempt: number): number {
  const slowDown =
    error instanceof RequestFailed && (SLOW_DOWN.has(error.name) || error.$metadata.httpStatusCode === 429);
  const most = (slowDown ? BACKOFF_SLOW_DOWN_MS : BACKOFF_MS) * 2 ** (attempt - 1);
  // Spread out: those that were refused together must not come back together.
  return Math.random() * Math.min(MAX_BACKOFF_MS, most);
}
