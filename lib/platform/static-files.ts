/**
 * Files that are served as they are, read once: a page and its scripts, styles, fonts. Owns content types, compression and
 * how long a browser may keep a file; which files there are is the folder's matter.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { bytesAnswer } from './http-media.ts';
import { type HttpEvent, type HttpResult, header } from './http-message.ts';

interface StaticFile {
  readonly bytes: Buffer;
  readonly gzipped: Buffer | null;
  readonly contentType: string;
  readonly etag: string;
  readonly cacheControl: string;
}

export type StaticFiles = ReadonlyMap<string, StaticFile>;

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
};

/** Names that carry a hash of their content never mean anything else. */
const HASHED = /-[A-Za-z0-9]{8}\./;

/** The files of a folder by name; empty where it does not exist. `name.gz` is the compressed form of `name`. */
export async function readStaticFiles(folder: string): Promise<StaticFiles> {
  const names = await readdir(folder).catch(() => [] as string[]);
  const files = new Map<string, StaticFile>();
  for (const name of names) {
    const contentType = TYPES[extname(name)];
    if (!contentType) continue;
    const bytes = await readFile(join(folder, name));
    files.set(name, {
      bytes,
      gzipped: names.includes(`${name}.gz`) ? await readFile(join(folder, `${name}.gz`)) : null,
      contentType,
      etag: `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 27)}"`,
      cacheControl: HASHED.test(name) ? 'public, max-age=31536000, immutable' : 'no-cache',
    });
  }
  return files;
}

/** The file as an answer to this request. */
export function staticAnswer(event: HttpEvent, file: StaticFile, headers: Record<string, string> = {}): HttpResult {
  const zipped = file.gzipped !== null && /\bgzip\b/.test(header(event, 'accept-encoding') ?? '');
  return bytesAnswer(zipped && file.gzipped ? file.gzipped : file.bytes, file.contentType, {
    etag: file.etag,
    'cache-control': file.cacheControl,
    vary: 'accept-encoding',
    ...(zipped ? { 'content-encoding': 'gzip' } : {}),
    ...headers,
  });
}
