/**
 * Reads an HLS playlist (RFC 8216) into what capture needs: which base name has which media sequence number. Owns
 * the defence against hostile and half-written text; the grammar is hls-parser's. Does no I/O.
 */
import HLS from 'hls-parser';
import { PlaylistInvalidError, PlaylistTooLargeError, PlaylistUnsupportedError } from './errors.ts';
import { isSegmentName } from './segment-name.ts';

/** 12 hours of 2 s segments with program date times are 2.5 MB. */
export const PLAYLIST_LIMIT = 8 * 1024 * 1024;

interface PlaylistSegment {
  /** Base name, percent-decoded, without folders, query or fragment. */
  name: string;
  /** Media sequence number (RFC 8216, 4.3.3.2). */
  sequence: number;
  durationSeconds: number;
  /** EXT-X-DISCONTINUITY stands before this segment. */
  discontinuity: boolean;
  /** EXT-X-GAP: the packager says that this segment does not exist. */
  gap: boolean;
  /** RFC 3339, as given by the packager. */
  programDateTime: string | null;
}

export interface MediaPlaylist {
  kind: 'media';
  mediaSequence: number;
  discontinuitySequence: number;
  /** EXT-X-ENDLIST: no segment will follow. */
  endList: boolean;
  targetDurationSeconds: number;
  /** EXT-X-KEY other than NONE: the objects are ciphertext. */
  encrypted: boolean;
  segments: PlaylistSegment[];
  /** Entries that are no `.ts` object of the same folder or a sub folder; they keep their sequence numbers. */
  ignored: number;
}

interface MasterPlaylist {
  kind: 'master';
  variants: { name: string; folder: string | null; bandwidth: number; width: number | null; height: number | null }[];
}

export type Playlist = MediaPlaylist | MasterPlaylist;

// hls-parser prints what it dislikes unless told not to; a packager's small sins must not fill the log.
HLS.setOptions({ strictMode: false, silent: true });

/**
 * Tags passed on to the parser. All else (low-latency parts, date ranges, ad markers, definitions) is dropped before,
 * so that only what is needed can break the reading.
 */
const MEDIA_TAGS = new Set([
  'EXTM3U',
  'EXT-X-VERSION',
  'EXTINF',
  'EXT-X-BYTERANGE',
  'EXT-X-DISCONTINUITY',
  'EXT-X-KEY',
  'EXT-X-PROGRAM-DATE-TIME',
  'EXT-X-GAP',
  'EXT-X-TARGETDURATION',
  'EXT-X-MEDIA-SEQUENCE',
  'EXT-X-DISCONTINUITY-SEQUENCE',
  'EXT-X-ENDLIST',
  'EXT-X-SKIP',
]);
const MASTER_TAGS = new Set(['EXTM3U', 'EXT-X-VERSION', 'EXT-X-STREAM-INF']);

/** Reads a playlist. Throws {@link PlaylistInvalidError}, {@link PlaylistTooLargeError} or {@link PlaylistUnsupportedError}. */
export function readPlaylist(text: string): Playlist {
  if (text.length > PLAYLIST_LIMIT) throw new PlaylistTooLargeError(text.length, PLAYLIST_LIMIT);
  const parsed = parse(neededLines(text));
  return parsed.isMasterPlaylist ? readMaster(parsed) : readMedia(parsed);
}

type Parsed = ReturnType<typeof HLS.parse>;
type ParsedMedia = Extract<Parsed, { isMasterPlaylist: false }>;
type ParsedMaster = Extract<Parsed, { isMasterPlaylist: true }>;

function neededLines(text: string): string {
  // A byte order mark is forbidden (RFC 8216, 4.1) and common.
  const lines = text.replace(/^\uFEFF/, '').split('\n');
  const master = lines.some((line) => line.startsWith('#EXT-X-STREAM-INF'));
  const tags = master ? MASTER_TAGS : MEDIA_TAGS;
  const kept: string[] = [];
  for (const raw of lines) {
    const line = raw.trim();
    if (line === '') continue;
    if (!line.startsWith('#')) {
      kept.push(line);
      continue;
    }
    const colon = line.indexOf(':');
    const tag = colon < 0 ? line.slice(1) : line.slice(1, colon);
    if (!tags.has(tag)) continue;
    // The title is free text in any encoding and of no use here.
    kept.push(tag === 'EXTINF' ? `#EXTINF:${line.slice(8).split(',', 1)[0]},` : line);
  }
  if (kept[0] !== '#EXTM3U') throw new PlaylistInvalidError('it does not begin with #EXTM3U');
  return kept.join('\n');
}

function parse(text: string): Parsed {
  try {
    return HLS.parse(text) as Parsed;
  } catch (cause) {
    throw new PlaylistInvalidError(cause instanceof Error ? cause.message : 'it cannot be parsed', cause);
  }
}

function readMedia(playlist: ParsedMedia): MediaPlaylist {
  const mediaSequence = sequenceNumber(playlist.mediaSequenceBase ?? 0, 'EXT-X-MEDIA-SEQUENCE');
  const media: MediaPlaylist = {
    kind: 'media',
    mediaSequence,
    discontinuitySequence: sequenceNumber(playlist.discontinuitySequenceBase ?? 0, 'EXT-X-DISCONTINUITY-SEQUENCE'),
    endList: playlist.endlist === true,
    targetDurationSeconds: seconds(playlist.targetDuration),
    encrypted: false,
    segments: [],
    ignored: 0,
  };
  for (const segment of playlist.segments) {
    // A tag without its URI: the text was cut off while it was being written.
    if (segment.uri === '') continue;
    if (segment.byterange !== undefined && segment.byterange !== null) {
      throw new PlaylistUnsupportedError('its segments are byte ranges of one object (EXT-X-BYTERANGE)');
    }
    if (segment.key && segment.key.method !== 'NONE') media.encrypted = true;
    const name = baseName(segment.uri);
    if (name === null || !isSegmentName(name)) {
      media.ignored++;
      continue;
    }
    media.segments.push({
      name,
      sequence: sequenceNumber(segment.mediaSequenceNumber, 'a media sequence number'),
      durationSeconds: seconds(segment.duration),
      discontinuity: segment.discontinuity === true,
      gap: segment.gap === true,
      programDateTime: dateTime(segment.programDateTime),
    });
  }
  return media;
}

function readMaster(playlist: ParsedMaster): MasterPlaylist {
  const variants: MasterPlaylist['variants'] = [];
  for (const variant of playlist.variants) {
    // A tag without its URI leaves a hole here, or whatever stood in the URI's place.
    if (typeof variant?.uri !== 'string') continue;
    const path = safePath(variant.uri);
    const name = path?.at(-1);
    if (path === null || name === undefined || path.length > 2) continue;
    const { width, height } = variant.resolution ?? {};
    variants.push({
      name,
      folder: path.length === 2 ? (path[0] ?? null) : null,
      bandwidth: seconds(variant.bandwidth),
      width: positiveInteger(width),
      height: positiveInteger(height),
    });
  }
  return { kind: 'master', variants };
}

/** The last path component of a URI reference, decoded; null where that is no plain file name. */
function baseName(uri: string): string | null {
  return safePath(uri)?.at(-1) ?? null;
}

function safePath(uri: string): string[] | null {
  const path = uri
    .split(/[?#]/, 1)[0]
    ?.replace(/^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^/]*/, '')
    .split('/')
    .filter((part) => part !== '' && part !== '.');
  try {
    const decoded = (path ?? []).map((part) => decodeURIComponent(part));
    // Encoded slashes and dots would name an object of somebody else's stream.
    return decoded.some((part) => part === '..' || /[\\/]/.test(part)) ? null : decoded;
  } catch {
    return null;
  }
}

function sequenceNumber(value: number, what: string): number {
  if (!Number.isSafeInteger(value) || value < 0) throw new PlaylistInvalidError(`${what} is no decimal integer`);
  return value;
}

function seconds(value: number | undefined): number {
  return value !== undefined && Number.isFinite(value) && value > 0 ? value : 0;
}

function positiveInteger(value: number | undefined): number | null {
  return value !== undefined && Number.isSafeInteger(value) && value > 0 ? value : null;
}

function dateTime(value: Date | undefined): string | null {
  return value instanceof Date && !Number.isNaN(value.getTime()) ? value.toISOString() : null;
}
