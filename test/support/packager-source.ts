/**
 * What a packager can be fed with: a folder of HLS as it lies on disk. Reads the playlist (the best
 * variant of a master playlist), or takes the `.ts` files in the order of their numbers where there is none.
 */
import { open, readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { parse, setOptions, type types } from 'hls-parser';
import type { SourceSegment } from './packager.ts';

// Its complaints would go to the console; what matters of them is said in our own words.
setOptions({ silent: true });

/** Why an input cannot be streamed, in one line for the person who named it. */
export class StreamSourceError extends Error {
  readonly code = 'STREAM_SOURCE';
  readonly retryable = false;
}

/** Only paces the upload where no playlist says how long a segment is. */
const ASSUMED_DURATION_MS = 2000;

export async function readHlsFolder(folder: string): Promise<SourceSegment[]> {
  const names = await readdir(folder);
  const playlist = choosePlaylist(names);
  const segments =
    playlist === undefined ? await numbered(folder, names) : await readPlaylist(folder, join(folder, playlist));
  if (segments.length === 0) throw new StreamSourceError(`${folder} has neither .ts segments nor a playlist of them`);
  for (const { path } of segments) {
    const found = await stat(path).catch(() => undefined);
    if (!found?.isFile())
      throw new StreamSourceError(`The playlist names ${relative(folder, path)}, which is not there`);
  }
  return segments;
}

/** A master playlist points to the others: it goes first where its name says that it is one. */
function choosePlaylist(names: readonly string[]): string | undefined {
  const playlists = names.filter((name) => name.endsWith('.m3u8')).sort();
  return playlists.find((name) => /^(master|index|playlist)\.m3u8$/.test(name)) ?? playlists[0];
}

async function numbered(folder: string, names: readonly string[]): Promise<SourceSegment[]> {
  const segments: SourceSegment[] = [];
  for (const name of names.toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true }))) {
    const path = join(folder, name);
    if (name.endsWith('.ts') && (await isTransportStream(path)))
      segments.push({ path, durationMs: ASSUMED_DURATION_MS });
  }
  return segments;
}

/** TypeScript has the same ending. Packets of 188 bytes begin with 0x47 (ISO/IEC 13818-1, 2.4.3.2). */
async function isTransportStream(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(189), 0, 189, 0);
    return bytesRead === 189 && buffer[0] === 0x47 && buffer[188] === 0x47;
  } finally {
    await file.close();
  }
}

async function readPlaylist(root: string, path: string, depth = 0): Promise<SourceSegment[]> {
  const playlist = parsePlaylist(await readText(root, path), relative(root, path));
  if (!playlist.isMasterPlaylist) return playlist.segments.map((segment) => sourceSegment(root, path, segment));
  const variants = playlist.variants.filter((variant) => !variant.isIFrameOnly);
  const best = variants.sort((a, b) => b.bandwidth - a.bandwidth)[0];
  if (best === undefined || depth > 0) throw new StreamSourceError(`${relative(root, path)} names no playable variant`);
  return readPlaylist(root, inside(root, path, best.uri), depth + 1);
}

async function readText(root: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new StreamSourceError(`The playlist ${relative(root, path)} cannot be read`, { cause });
  }
}

function parsePlaylist(text: string, name: string): types.MasterPlaylist | types.MediaPlaylist {
  try {
    return parse(text);
  } catch (cause) {
    throw new StreamSourceError(`${name} is no HLS playlist`, { cause });
  }
}

function sourceSegment(root: string, playlist: string, segment: types.Segment): SourceSegment {
  const refuse = (why: string) => new StreamSourceError(`${relative(root, playlist)}: ${why}`);
  if (segment.map) throw refuse('the segments are fragmented MP4; the recorder takes MPEG-TS');
  if (segment.key && segment.key.method !== 'NONE') throw refuse('the segments are encrypted');
  if (segment.byterange) throw refuse('the segments are ranges of one file; they must be files of their own');
  const source = { path: inside(root, playlist, segment.uri), durationMs: Math.round(segment.duration * 1000) };
  return segment.discontinuity ? { ...source, discontinuity: true } : source;
}

/** A playlist is input like any other: it may name only files of its own folder. */
function inside(root: string, playlist: string, uri: string): string {
  if (/^[a-z][a-z0-9+.-]*:/i.test(uri))
    throw new StreamSourceError(`The playlist names ${uri}; only local files can be streamed`);
  const path = resolve(dirname(playlist), decodeURI(uri.split('?')[0] ?? uri));
  if (relative(resolve(root), path).startsWith('..'))
    throw new StreamSourceError(`The playlist names ${uri}, outside of its folder`);
  return path;
}
