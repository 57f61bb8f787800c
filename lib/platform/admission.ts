/**
 * Who gets in. Reads are open. Internal routes want a signature (signature.ts) where WEBHOOK_SECRET is set, and are
 * open to the addresses of WEBHOOK_ALLOW_FROM where it is not; the notifications of an object store may bring
 * MINIO_WEBHOOK_TOKEN instead, and the hooks of streaming servers, which can neither sign nor send headers, HOOK_TOKEN
 * in the URL.
 *
 *   | WEBHOOK_SECRET | MINIO_WEBHOOK_TOKEN | internal routes     | notifications of the store         |
 *   | -------------- | ------------------- | ------------------- | ---------------------------------- |
 *   | no             | no                  | WEBHOOK_ALLOW_FROM  | WEBHOOK_ALLOW_FROM                 |
 *   | no             | yes                 | WEBHOOK_ALLOW_FROM  | the token                          |
 *   | yes            | no                  | a signature         | a signature                        |
 *   | yes            | yes                 | a signature         | the token, or a signature          |
 *
 * A hook of a streaming server has to bring HOOK_TOKEN where that is set; where it is not, it is an internal route.
 *
 * A signed message that comes again within the replay window is let in: every handler may run twice by design, so
 * that there is nothing a store of seen ids would protect.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import { type AddressList, normalAddress } from './address-list.ts';
import type { Config } from './config.ts';
import { type HttpEvent, HttpProblem, header, readRawBody } from './http-message.ts';
import type { Logger } from './logging.ts';
import { type Verdict, verify } from './signature.ts';

/**
 * `public`: anyone. `internal`: the services around us. `store`: the object store's notifications. `server`: the hooks of
 * streaming servers.
 */
export type Access = 'public' | 'internal' | 'store' | 'server';

export type AdmissionConfig = Pick<
  Config,
  'WEBHOOK_SECRET' | 'WEBHOOK_ALLOW_FROM' | 'MINIO_WEBHOOK_TOKEN' | 'HOOK_TOKEN'
>;

const REFUSALS: Readonly<Record<Exclude<Verdict, 'valid'>, string>> = {
  missing: 'The request is not signed',
  malformed: 'The signature headers are malformed',
  expired: 'The signature is too old or too new',
  wrong: 'The signature is wrong',
};

/**
 * Lets a request in or throws.
 * @throws {HttpProblem} 401 where a signature or token is missing or wrong, 403 for an address that is not allowed,
 *   413 for a body that is too large to be signed
 */
export function admit(access: Access, event: HttpEvent, config: AdmissionConfig, nowMs: number): void {
  if (access === 'public') return;
  if (access === 'store' && config.MINIO_WEBHOOK_TOKEN !== undefined) {
    if (isToken(bearerToken(event), config.MINIO_WEBHOOK_TOKEN)) return;
    if (!config.WEBHOOK_SECRET) throw unauthorized('The token is missing or wrong');
  }
  if (access === 'server' && config.HOOK_TOKEN !== undefined) {
    if (isToken(bearerToken(event) ?? event.queryStringParameters?.token, config.HOOK_TOKEN)) return;
    throw unauthorized('The token is missing or wrong');
  }
  if (config.WEBHOOK_SECRET) {
    const headers = {
      'webhook-id': header(event, 'webhook-id'),
      'webhook-timestamp': header(event, 'webhook-timestamp'),
      'webhook-signature': header(event, 'webhook-signature'),
    };
    const verdict = verify(config.WEBHOOK_SECRET, headers, readRawBody(event), nowMs);
    if (verdict !== 'valid') throw unauthorized(REFUSALS[verdict]);
    return;
  }
  admitByAddress(event, config.WEBHOOK_ALLOW_FROM);
}

/** Says once, at start, how internal routes are protected. */
export function announceAdmission(config: AdmissionConfig, logger: Logger): void {
  if (config.WEBHOOK_SECRET) return;
  logger.warn(
    { allow_from: config.WEBHOOK_ALLOW_FROM.entries },
    'WEBHOOK_SECRET is not set: webhooks and internal routes are not signed and are refused to all but WEBHOOK_ALLOW_FROM',
  );
}

/** The token of `Authorization: Bearer {token}`, or null. */
export function bearerToken(event: HttpEvent): string | null {
  return /^Bearer +([^\s,]+) *$/i.exec(header(event, 'authorization') ?? '')?.[1] ?? null;
}

function unauthorized(message: string): HttpProblem {
  return new HttpProblem(401, message, { 'www-authenticate': 'Signature realm="recording-service"' });
}

function isToken(given: string | null | undefined, expected: string): boolean {
  // Digests have one length, so that neither content nor length of the token shows in the time taken.
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given ?? ''), digest(expected));
}

/**
 * The address is the connection's own. X-Forwarded-For never lets anybody in, since anybody can send it; it can only
 * keep a request out: where its last hop is not the connection's address, a proxy stands between, whose address says
 * nothing of the sender. A page in a browser on an allowed machine is no internal caller either.
 */
function admitByAddress(event: HttpEvent, allowed: AddressList): void {
  const { sourceIp } = event.requestContext.http;
  if (!allowed.has(sourceIp)) throw new HttpProblem(403, 'This address may not call this route');
  const lastHop = header(event, 'x-forwarded-for')?.split(',').at(-1)?.trim();
  if (lastHop !== undefined && normalAddress(lastHop) !== normalAddress(sourceIp)) {
    throw new HttpProblem(403, 'Requests through a proxy have to be signed: set WEBHOOK_SECRET');
  }
  if (isForeignPage(event)) throw new HttpProblem(403, 'Pages of other origins may not call this route');
}

/** A name may be pointed at this machine by whoever owns it (DNS rebinding): only a bare address or localhost counts. */
function isForeignPage(event: HttpEvent): boolean {
  const site = header(event, 'sec-fetch-site');
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return true;
  const origin = header(event, 'origin');
  if (origin === undefined) return false;
  if (!URL.canParse(origin)) return true;
  const { host, hostname } = new URL(origin);
  const isOwnName = hostname === 'localhost' || isIP(hostname.replace(/^\[|\]$/g, '')) !== 0;
  return host !== header(event, 'host') || !isOwnName;
}
