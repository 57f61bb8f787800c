/** Answers that are media and not JSON: bytes with a validator, or a redirect. Which bytes is the caller's. */
import type { HttpResult } from './http-message.ts';

/** Bytes, as API Gateway wants them. */
export function bytesAnswer(
  bytes: Uint8Array,
  contentType: string,
  headers: Readonly<Record<string, string>> = {},
): HttpResult {
  return {
    statusCode: 200,
    headers: { 'content-type': contentType, ...headers },
    body: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64'),
    isBase64Encoded: true,
  };
}

/** Text that is no JSON. */
export function textAnswer(
  body: string,
  contentType: string,
  headers: Readonly<Record<string, string>> = {},
): HttpResult {
  return { statusCode: 200, headers: { 'content-type': contentType, ...headers }, body };
}

/** The bytes are elsewhere, for now. */
export function redirect(location: string): HttpResult {
  return { statusCode: 302, headers: { location, 'cache-control': 'no-store' } };
}
