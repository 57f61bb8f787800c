/**
 * Standard Webhooks (standardwebhooks.com, specification 1.0): `webhook-signature: v1,{base64}` is the HMAC-SHA256 of
 * `{webhook-id}.{webhook-timestamp}.{body}`. Pure functions over bytes; who has to sign is decided in admission.ts.
 *
 * The reference library takes one secret and reads the system's clock; ours takes several secrets (rotation) and the
 * time as a value. The tests hold both against each other.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';

/** Messages older or newer than this are refused: what was overheard cannot be played again later. */
const TOLERANCE_SECONDS = 5 * 60;

const MAX_SIGNATURES = 16;
const PREFIX = 'whsec_';
const MIN_SECRET_BYTES = 16;

export type WebhookSecrets = readonly Uint8Array[];

/** The three headers of a message. */
export interface SignatureHeaders {
  readonly 'webhook-id': string;
  readonly 'webhook-timestamp': string;
  readonly 'webhook-signature': string;
}

/**
 * Reads one secret or two, comma separated (the new one and the old one, while senders change over). `whsec_…` is
 * base64 as the specification has it, anything else is taken as it is written.
 * @returns null where there are more than two, or one is shorter than 16 bytes or not base64
 */
export function parseSecrets(text: string): WebhookSecrets | null {
  const secrets = text.split(',').map((part) => parseSecret(part.trim()));
  if (secrets.length > 2) return null;
  const valid = secrets.filter((secret) => secret !== null);
  return valid.length === secrets.length ? valid : null;
}

function parseSecret(text: string): Uint8Array | null {
  if (!text.startsWith(PREFIX)) return Buffer.byteLength(text) >= MIN_SECRET_BYTES ? Buffer.from(text, 'utf8') : null;
  const encoded = text.slice(PREFIX.length);
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(encoded)) return null;
  const secret = Buffer.from(encoded, 'base64');
  return secret.length >= MIN_SECRET_BYTES ? secret : null;
}

/** The headers that sign a body: one signature for each secret, so that receivers may know either. */
export function sign(secrets: WebhookSecrets, id: string, nowMs: number, body: string | Uint8Array): SignatureHeaders {
  const timestamp = String(Math.floor(nowMs / 1000));
  const signatures = secrets.map((secret) => `v1,${mac(secret, id, timestamp, body).toString('base64')}`);
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures.join(' ') };
}

export type Verdict = 'valid' | 'missing' | 'malformed' | 'expired' | 'wrong';

/**
 * Judges a message. Every secret is compared with every `v1` signature in constant time; other versions are passed
 * over, as the specification asks.
 */
export function verify(
  secrets: WebhookSecrets,
  headers: { readonly [Name in keyof SignatureHeaders]?: string | undefined },
  body: string | Uint8Array,
  nowMs: number,
): Verdict {
  const { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures } = headers;
  if (!id || !timestamp || !signatures) return 'missing';
  if (!/^\d{1,12}$/.test(timestamp) || id.length > 256) return 'malformed';
  if (Math.abs(Math.floor(nowMs / 1000) - Number(timestamp)) > TOLERANCE_SECONDS) return 'expired';
  const offered = signatures
    .split(' ')
    .slice(0, MAX_SIGNATURES)
    .filter((signature) => signature.startsWith('v1,'))
    .map((signature) => Buffer.from(signature.slice(3), 'base64'));
  let valid = false;
  for (const secret of secrets) {
    const expected = mac(secret, id, timestamp, body);
    for (const signature of offered) {
      if (signature.length === expected.length && timingSafeEqual(signature, expected)) valid = true;
    }
  }
  return valid ? 'valid' : 'wrong';
}

function mac(secret: Uint8Array, id: string, timestamp: string, body: string | Uint8Array): Buffer {
  return createHmac('sha256', secret).update(`${id}.${timestamp}.`).update(body).digest();
}
