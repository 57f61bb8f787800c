/**
 * Which stream a file of an HLS folder belongs to, and its key in the bucket. Pure; nothing is read here.
 *
 *   nested   {root}/{stream_key}/x.ts, .m3u8             → {stream_key}/x.ts     nginx-rtmp with hls_nested, ffmpeg, MediaMTX
 *            {root}/{stream_key}/{variant}/x.ts          → {stream_key}/{variant}/x.ts
 *   flat     {root}/{stream_key}-{n}.ts, {stream_key}.m3u8 → {stream_key}/{stream_key}-{n}.ts    nginx-rtmp, SRS by default
 */
import { isSegmentName, isStreamKey } from '../capture/segment-name.ts';

/** Where a group's objects lie: one media playlist's worth of files, with what S3 puts before their names. */
export interface Place {
  readonly streamKey: string;
  /** `{stream_key}/` or `{stream_key}/{variant}/` */
  readonly prefix: string;
}

export type FileKind = 'segment' | 'playlist' | 'other';

/** Hidden names and those of half-made files (`x.ts.tmp`, `index.m3u8.bak`) are `other`: their rename shows them. */
export function kindOf(name: string): FileKind {
  if (isSegmentName(name)) return 'segment';
  return isSegmentName(name.replace(/\.m3u8$/i, '.ts')) && /\.m3u8$/i.test(name) ? 'playlist' : 'other';
}

/** The place of a folder below the root, given by its one or two names; null where it is none of a stream's. */
export function placeOfFolder(folders: readonly string[]): Place | null {
  const [streamKey = '', variant] = folders;
  if (!isStreamKey(streamKey) || folders.length > 2) return null;
  if (variant === undefined) return { streamKey, prefix: `${streamKey}/` };
  return isStreamKey(variant) ? { streamKey, prefix: `${streamKey}/${variant}/` } : null;
}

/**
 * The stream key of a file that lies in the root itself; null where its name does not tell. A playlist's name is its
 * key. `abc-12.ts` is of `abc`; `abc12.ts` (ffmpeg's way) only where there is a playlist `abc.m3u8`, since it may be
 * `abc1`'s as well. Of several playlists the longest name wins: `abc-1-5.ts` is of `abc-1`.
 */
export function flatStreamKey(name: string, playlists: readonly string[]): string | null {
  const keys = playlists.map((playlist) => playlist.replace(/\.m3u8$/i, '')).filter(isStreamKey);
  if (kindOf(name) === 'playlist') return keys.find((key) => name.replace(/\.m3u8$/i, '') === key) ?? null;
  const stem = name.replace(/\.ts$/i, '');
  const named = keys.filter((key) => stem.startsWith(key) && /^[-_.]?\d+$/.test(stem.slice(key.length)));
  const longest = named.toSorted((a, b) => b.length - a.length)[0];
  if (longest !== undefined) return longest;
  const [, key] = /^(.+)[-_]\d+$/.exec(stem) ?? [];
  return key !== undefined && isStreamKey(key) ? key : null;
}
