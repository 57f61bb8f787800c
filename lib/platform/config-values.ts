/** Schemas of the variables that say who gets in and where calls go. Messages never repeat a value: it may be a secret. */
import { z } from 'zod';
import { type AddressList, parseAddressList } from './address-list.ts';
import { parseSecrets, type WebhookSecrets } from './signature.ts';

const KEY_PLACEHOLDERS = ['{stream_key}', '{stream_id}', '{recording_id}', '{started_at}'];

/** A schema of text that a function reads; null from it is an issue with the message. */
function read<Value>(parse: (text: string) => Value | null, message: string) {
  return z.string().transform((text, context): Value => {
    const value = parse(text.trim());
    if (value !== null) return value;
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  });
}

/** One or two secrets of Standard Webhooks. */
export const secrets = () =>
  read<WebhookSecrets>(
    parseSecrets,
    'must be one secret or two, comma separated, each whsec_… or at least 16 characters',
  );

/** A bearer token: what RFC 6750 allows, and long enough not to be guessed. */
export const token = () =>
  read((text) => (/^[A-Za-z0-9._~+/=-]{8,4096}$/.test(text) ? text : null), 'must be a token of at least 8 characters');

export const addressList = (fallback: string) =>
  read<AddressList>(
    parseAddressList,
    `must be addresses and networks, comma separated, such as "${fallback}"`,
  ).prefault(fallback);

/** `*`, or origins such as `https://example.com`; none by default. */
export const origins = () =>
  read<readonly string[]>((text) => {
    const entries = split(text);
    const valid = entries.every((entry) => entry === '*' || (URL.canParse(entry) && new URL(entry).origin === entry));
    return valid ? entries : null;
  }, 'must be * or origins, comma separated, such as "https://example.com"').prefault('');

export const urls = () =>
  read<readonly string[]>((text) => {
    const entries = split(text);
    const valid = entries.every((entry) => {
      if (!URL.canParse(entry)) return false;
      const url = new URL(entry);
      return /^https?:$/.test(url.protocol) && url.username === '' && url.password === '';
    });
    return valid && entries.length <= 20 ? [...new Set(entries)] : null;
  }, 'must be http:// or https:// URLs without user name, comma separated').prefault('');

/** How the final object is named: see finalKeyCandidates in lib/storage/keys.ts. */
export const keyTemplate = (fallback: string) =>
  read((text) => {
    const literal = KEY_PLACEHOLDERS.reduce((rest, placeholder) => rest.replaceAll(placeholder, ''), text);
    const tells = ['{stream_key}', '{stream_id}', '{recording_id}'].some((placeholder) => text.includes(placeholder));
    const valid = tells && /^[A-Za-z0-9._-]*$/.test(literal) && !literal.includes('..') && !text.startsWith('.');
    return valid && text.endsWith('.mp4') && text.length <= 200 ? text : null;
  }, `must end with .mp4, hold {stream_key}, {stream_id} or {recording_id}, and otherwise only {started_at} and A-Z a-z 0-9 . _ -`).prefault(
    fallback,
  );

function split(text: string): string[] {
  return text
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
}
