/** The headers that every answer has: security, CORS as configured, and what a conditional GET compares. */
import { createHash } from 'node:crypto';
import type { Config } from './config.ts';
import type { HttpResult } from './http-message.ts';

export type CorsConfig = Pick<Config, 'CORS_ORIGINS'>;

const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
};

/** JSON is no page: whoever opens it as one gets nothing that runs. Pages bring a policy of their own. */
const JSON_POLICY = "default-src 'none'; frame-ancestors 'none'";

/** The answer with the headers that every answer has; those it has already stay. */
export function withSecurityHeaders(result: HttpResult): HttpResult {
  const isJson = String(result.headers?.['content-type'] ?? '').startsWith('application/json');
  const policy = isJson ? { 'content-security-policy': JSON_POLICY } : {};
  return { ...result, headers: { ...SECURITY_HEADERS, ...policy, ...result.headers } };
}

/**
 * CORS for what anyone may call; internal routes never get any. Cookies and credentials are not used, so that `*` needs
 * no care.
 */
export function corsHeaders(origin: string | undefined, config: CorsConfig): Record<string, string> {
  const allowed = config.CORS_ORIGINS;
  if (allowed.length === 0) return {};
  const exposed = { 'access-control-expose-headers': 'etag, link, retry-after' };
  if (allowed.includes('*')) return { 'access-control-allow-origin': '*', ...exposed };
  if (origin === undefined || !allowed.includes(origin)) return { vary: 'origin' };
  return { 'access-control-allow-origin': origin, vary: 'origin', ...exposed };
}

/** What a page may do after it asked (OPTIONS); browsers keep the answer for ten minutes. */
export function preflightHeaders(methods: readonly string[]): Record<string, string> {
  return {
    'access-control-allow-methods': methods.join(', '),
    'access-control-allow-headers': 'authorization, content-type, if-none-match, range',
    'access-control-max-age': '600',
  };
}

/** A weak validator of an answer's content: the same data is the same answer, whatever compressed it on the way. */
export function etagOf(body: string): string {
  return `W/"${createHash('sha256').update(body).digest('base64url').slice(0, 27)}"`;
}

/** `If-None-Match`, by weak comparison (RFC 9110, 13.1.2). */
export function matchesEtag(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  const opaque = (tag: string) => tag.trim().replace(/^W\//, '');
  return ifNoneMatch.trim() === '*' || ifNoneMatch.split(',').some((tag) => opaque(tag) === opaque(etag));
}
