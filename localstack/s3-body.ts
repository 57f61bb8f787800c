/**
 * The body of an S3 upload: takes the aws-chunked framing off where there is one, and checks every digest that
 * came with it. Chunk signatures are not checked (the request's own signature is, in s3-auth.ts).
 */
import { createHash, type Hash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { crc32 } from 'node:zlib';
import { S3Error } from './s3-error.ts';

const CRLF = Buffer.from('\r\n');
const MAX_LINE_BYTES = 8192;
/** A body up to this size is taken into memory. */
const AT_ONCE_BYTES = 1024 * 1024;

/** A digest that is fed with the body and compared at its end. */
interface Check {
  readonly update: (chunk: Buffer) => void;
  /** Base64 or hex as the header has it. */
  readonly digest: () => string;
}

const CHECKSUMS: Readonly<Record<string, () => Check>> = {
  'x-amz-checksum-crc32': () => {
    let value = 0;
    const update = (chunk: Buffer) => {
      value = crc32(chunk, value);
    };
    const digest = () => {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE(value);
      return bytes.toString('base64');
    };
    return { update, digest };
  },
  'x-amz-checksum-sha1': () => hashCheck(createHash('sha1'), 'base64'),
  'x-amz-checksum-sha256': () => hashCheck(createHash('sha256'), 'base64'),
  'content-md5': () => hashCheck(createHash('md5'), 'base64'),
};

const CHECKSUM_NAMES = Object.keys(CHECKSUMS);

function hashCheck(hash: Hash, encoding: 'base64' | 'hex'): Check {
  return { update: (chunk) => hash.update(chunk), digest: () => hash.digest(encoding) };
}

/** What came with a body to check it by. */
interface Digests {
  /** By header; a trailer adds its own at the end. */
  readonly expected: Map<string, string>;
  readonly checks: ReadonlyMap<string, Check>;
  readonly chunked: boolean;
}

function digestsOf(request: IncomingMessage): Digests {
  const sha256 = String(request.headers['x-amz-content-sha256'] ?? 'UNSIGNED-PAYLOAD');
  const chunked = sha256.startsWith('STREAMING-');
  const trailerName = String(request.headers['x-amz-trailer'] ?? '').toLowerCase();
  const expected = new Map<string, string>();
  const checks = new Map<string, Check>();
  for (const name of CHECKSUM_NAMES) {
    const value = request.headers[name];
    if (typeof value === 'string') expected.set(name, value);
    const make = CHECKSUMS[name];
    if (make && (typeof value === 'string' || (chunked && name === trailerName))) checks.set(name, make());
  }
  if (/^[0-9a-fA-F]{64}$/.test(sha256)) {
    checks.set('x-amz-content-sha256', hashCheck(createHash('sha256'), 'hex'));
    expected.set('x-amz-content-sha256', sha256.toLowerCase());
  }
  return { expected, checks, chunked };
}

/** @throws {S3Error} where the body was cut off or a digest does not match */
function verify(request: IncomingMessage, { expected, checks, chunked }: Digests, bytes: number): void {
  const lengthHeader = request.headers[chunked ? 'x-amz-decoded-content-length' : 'content-length'];
  if (!request.complete || (lengthHeader !== undefined && Number(lengthHeader) !== bytes)) {
    throw new S3Error('IncompleteBody', 'You did not provide the number of bytes specified by the length header');
  }
  for (const [name, check] of checks) {
    const value = expected.get(name);
    if (value === undefined || value === check.digest()) continue;
    throw name === 'x-amz-content-sha256'
      ? new S3Error('XAmzContentSHA256Mismatch', 'The provided x-amz-content-sha256 header does not match the body.')
      : new S3Error('BadDigest', `The ${name} you specified did not match what we received.`);
  }
}

/**
 * The decoded bytes of an upload: at once where they are few and come as they are, else while they arrive. Either way
 * the end is an error, before the store has committed anything, when the body is cut off or a digest does not match.
 */
export async function openUpload(request: IncomingMessage): Promise<AsyncIterable<Buffer> | readonly Buffer[]> {
  const length = Number(request.headers['content-length'] ?? Number.NaN);
  return length <= AT_ONCE_BYTES && !isChunked(request) ? readAtOnce(request) : readUpload(request);
}

const isChunked = (request: IncomingMessage) =>
  String(request.headers['x-amz-content-sha256']).startsWith('STREAMING-');

async function readAtOnce(request: IncomingMessage): Promise<readonly Buffer[]> {
  const digests = digestsOf(request);
  const chunks: Buffer[] = [];
  let bytes = 0;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  // Events, since an iterator over the stream costs more than a small body.
  request.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    bytes += chunk.length;
  });
  request.once('end', resolve);
  request.once('error', reject);
  await promise;
  for (const check of digests.checks.values()) for (const chunk of chunks) check.update(chunk);
  verify(request, digests, bytes);
  return chunks;
}

async function* readUpload(request: IncomingMessage): AsyncGenerator<Buffer> {
  const digests = digestsOf(request);
  let bytes = 0;
  const source = digests.chunked ? unframe(request, digests.expected) : (request as AsyncIterable<Buffer>);
  for await (const chunk of source) {
    for (const check of digests.checks.values()) check.update(chunk);
    bytes += chunk.length;
    yield chunk;
  }
  verify(request, digests, bytes);
}

/** aws-chunked: `size-in-hex[;extension]CRLF data CRLF … 0[;extension]CRLF [trailer: value CRLF]… CRLF`. */
async function* unframe(request: AsyncIterable<Buffer>, trailers: Map<string, string>): AsyncGenerator<Buffer> {
  let pending: Buffer = Buffer.alloc(0);
  // What the next bytes are: a size line, so many bytes of data, the CRLF after them, or trailers.
  let state: 'size' | 'data' | 'end-of-data' | 'trailers' | 'done' = 'size';
  let remaining = 0;
  for await (const chunk of request) {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    while (pending.length > 0 && state !== 'done') {
      if (state === 'data') {
        const data = pending.subarray(0, remaining);
        pending = pending.subarray(data.length);
        remaining -= data.length;
        if (remaining === 0) state = 'end-of-data';
        yield data;
        continue;
      }
      const lineEnd = pending.indexOf(CRLF);
      if (lineEnd === -1) {
        if (pending.length > MAX_LINE_BYTES) throw malformed();
        break;
      }
      const line = pending.subarray(0, lineEnd).toString('latin1');
      pending = pending.subarray(lineEnd + CRLF.length);
      if (state === 'end-of-data') {
        if (line !== '') throw malformed();
        state = 'size';
      } else if (state === 'size') {
        const size = /^([0-9a-fA-F]{1,8})(;|$)/.exec(line)?.[1];
        if (size === undefined) throw malformed();
        remaining = Number.parseInt(size, 16);
        state = remaining === 0 ? 'trailers' : 'data';
      } else if (line === '') {
        state = 'done';
      } else {
        const colon = line.indexOf(':');
        trailers.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
      }
    }
  }
  // Some clients leave out the empty line that closes the trailers.
  if (state !== 'done' && state !== 'trailers') throw malformed();
}

const malformed = () => new S3Error('IncompleteBody', 'The aws-chunked request body is malformed.');

/** A small body as text, for the XML documents of requests. */
export async function readText(request: IncomingMessage, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of readUpload(request)) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new S3Error('EntityTooLarge', 'The request document is too large.');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
