/**
 * What an object key of the bucket live-segments means: `{stream_key}/{name}.ts` is a segment, `.m3u8` beside it the
 * playlist, everything else is left alone with a stated reason. Owns what a stream key may be. Does no I/O.
 */
import { z } from 'zod';

const STREAM_KEY = /^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}$/;
const NAME_LIMIT = 255;

/**
 * A stream key: 1 to 128 of `A-Z a-z 0-9 _ - .`, not beginning with a dot (`.staging` and hidden folders are ours) and
 * without `..`. Such a key is one path component and one S3 key component that never needs escaping.
 */
export const streamKeySchema = z
  .string()
  .regex(STREAM_KEY, 'must be 1 to 128 characters of A-Z a-z 0-9 _ - . and not begin with a dot')
  .refine((key) => !key.includes('..'), 'must not contain ..');

/** True for a string that {@link streamKeySchema} accepts. */
export function isStreamKey(value: unknown): value is string {
  return streamKeySchema.safeParse(value).success;
}

export type ObjectKey =
  | { kind: 'segment'; streamKey: string; folder: string | null; name: string; number: number | null }
  | { kind: 'playlist'; streamKey: string; folder: string | null; name: string }
  | { kind: 'ignored'; reason: IgnoredKeyReason };

type IgnoredKeyReason =
  | 'empty-key'
  | 'key-too-long'
  | 'control-characters'
  | 'traversal'
  | 'no-stream-key'
  | 'invalid-stream-key'
  | 'too-deep'
  | 'hidden-file'
  | 'other-file-type';

/**
 * Reads one decoded object key. `folder` is null for what lies directly below the stream key; one level of folders
 * (`{stream_key}/720p/x.ts`) is read as a variant, see {@link chooseFolder}; deeper ones are ignored.
 */
export function parseObjectKey(key: string): ObjectKey {
  const reason = refuse(key);
  if (reason !== null) return { kind: 'ignored', reason };
  const parts = key.split('/');
  const [streamKey, second, third] = parts;
  if (streamKey === undefined || second === undefined) return { kind: 'ignored', reason: 'no-stream-key' };
  if (parts.length > 3) return { kind: 'ignored', reason: 'too-deep' };
  if (!isStreamKey(streamKey)) return { kind: 'ignored', reason: 'invalid-stream-key' };
  const folder = third === undefined ? null : second;
  const name = third ?? second;
  if (name.startsWith('.') || folder?.startsWith('.')) return { kind: 'ignored', reason: 'hidden-file' };
  if (isSegmentName(name)) return { kind: 'segment', streamKey, folder, name, number: numberInName(name) };
  if (/\.m3u8$/i.test(name)) return { kind: 'playlist', streamKey, folder, name };
  return { kind: 'ignored', reason: 'other-file-type' };
}

function refuse(key: string): IgnoredKeyReason | null {
  if (key === '') return 'empty-key';
  if (key.length > 1024) return 'key-too-long'; // S3's own limit
  if (hasControlCharacters(key)) return 'control-characters';
  const parts = key.split('/');
  if (key.includes('\\') || parts.some((part) => part === '' || part === '.' || part === '..')) return 'traversal';
  return null;
}

function hasControlCharacters(text: string): boolean {
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    // C0 and C1 controls, line separators and lone surrogates: none survives a log line or a file list unharmed.
    if (code < 0x20 || (code >= 0x7f && code <= 0x9f) || code === 0x2028 || code === 0x2029) return true;
    if (code >= 0xd800 && code <= 0xdfff) return true;
  }
  return false;
}

/** True for a base name (no folders) that can be a segment of a recording. */
export function isSegmentName(name: string): boolean {
  if (name.length <= '.ts'.length || name.length > NAME_LIMIT || name.startsWith('.')) return false;
  return /\.ts$/i.test(name) && !/[\\/]/.test(name) && !hasControlCharacters(name);
}

/** The digit runs of a base name without its extension, in order; a run too long for an exact number is null. */
export function digitRuns(name: string): (number | null)[] {
  const base = name.replace(/\.[A-Za-z0-9]+$/, '');
  return Array.from(base.matchAll(/\d+/g), ([digits]) => {
    const value = BigInt(digits);
    return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : null;
  });
}

/** The last run of digits in the base name: `segment_007.ts` is 7. Null where there is none that is an exact number. */
export function numberInName(name: string): number | null {
  return digitRuns(name).at(-1) ?? null;
}

/**
 * The key as S3 notifications carry it: percent-encoded, with `+` for a space. Null if it is not valid encoding.
 * MinIO's and AWS' events agree on this; a literal plus arrives as %2B.
 */
export function decodeNotificationKey(encoded: string): string | null {
  try {
    return decodeURIComponent(encoded.replaceAll('+', ' '));
  } catch {
    return null;
  }
}

/**
 * Which folder below a stream key is the recording: the top (null) if any segment lies there, since a packager that
 * writes both keeps the source on top. Otherwise one variant: `source`-like names first, then the greatest number in
 * the folder's name (1080p before 720p), then the name. Undefined if there are no segments.
 */
export function chooseFolder(segments: Iterable<{ folder: string | null }>): string | null | undefined {
  const folders = new Set<string>();
  for (const { folder } of segments) {
    if (folder === null) return null;
    folders.add(folder);
  }
  const rank = (folder: string): number =>
    /^(source|src|original|chunked|main)$/i.test(folder)
      ? Number.POSITIVE_INFINITY
      : (digitRuns(`${folder}.x`)[0] ?? -1);
  return [...folders].sort((a, b) => {
    const [rankA, rankB] = [rank(a), rank(b)];
    if (rankA !== rankB) return rankA > rankB ? -1 : 1;
    return a < b ? -1 : 1;
  })[0];
}
