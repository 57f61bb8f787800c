/**
 * The bytes of the embedded S3 server, one file an upload, named after the object so that a person finds them. A file
 * is written once and belongs to nobody until the index (s3-index.ts) refers to it; it knows nothing of objects.
 */
import { createHash, randomBytes } from 'node:crypto';
import { closeSync, createReadStream, mkdirSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { type FileHandle, link, mkdir, open, readdir, rmdir, stat, unlink } from 'node:fs/promises';
import path from 'node:path';
import { SpareMemory } from '../lib/storage/spare-memory.ts';
import { hasCode } from './errors.ts';

export interface WrittenFile {
  /** Relative to the root. */
  readonly file: string;
  readonly size: number;
  readonly md5: string;
}

/** Some bytes of one file: `start` to `end`, both inclusive. */
export interface FileRange {
  readonly file: string;
  readonly start: number;
  readonly end: number;
}

const WRITE_BYTES = 1024 * 1024;
const READ_BYTES = 512 * 1024;
/** Up to here the page cache is faster than handing the bytes to another thread. */
const AT_ONCE_BYTES = 1024 * 1024;

export class S3Files {
  readonly #root: string;
  readonly #startedAtMs = Date.now();
  /** Files being read; one that is discarded meanwhile goes when its last reader has finished. */
  readonly #readers = new Map<string, number>();
  readonly #doomed = new Set<string>();
  /** Files of a directory that this process has written and that are still there: such a directory is not empty. */
  readonly #written = new Map<string, number>();
  readonly #memory = new SpareMemory();

  constructor(root: string) {
    this.#root = root;
  }

  /** Writes a new file. Nothing is left of it when `source` fails. */
  async write(
    bucket: string,
    key: string,
    suffix: string,
    source: AsyncIterable<Buffer> | readonly Buffer[],
  ): Promise<WrittenFile> {
    const file = nameFor(bucket, key, suffix);
    if (!(Symbol.asyncIterator in source)) return this.#writeAtOnce(file, source);
    const handle = await this.#inNewDirectory(file, (absolute) => open(absolute, 'wx'));
    try {
      const { size, md5 } = await copyInto(handle, source);
      await handle.close();
      this.#countIn(file);
      return { file, size, md5 };
    } catch (error) {
      await handle.close().catch(() => {});
      await this.#unlink(file);
      throw error;
    }
  }

  /** The same bytes under a further name, without copying them. */
  async link(existing: string, bucket: string, key: string): Promise<string> {
    const file = nameFor(bucket, key, '');
    await this.#inNewDirectory(file, (absolute) => link(path.join(this.#root, existing), absolute));
    this.#countIn(file);
    return file;
  }

  #writeAtOnce(file: string, chunks: readonly Buffer[]): WrittenFile {
    const absolute = path.join(this.#root, file);
    const md5 = createHash('md5');
    let size = 0;
    const descriptor = openNew(absolute);
    try {
      for (const chunk of chunks) {
        md5.update(chunk);
        // A full disk can cut a write short without an error; the next one then says why.
        for (let at = 0; at < chunk.length; ) at += writeSync(descriptor, chunk, at);
        size += chunk.length;
      }
    } catch (error) {
      closeSync(descriptor);
      unlinkSync(absolute);
      throw error;
    }
    closeSync(descriptor);
    this.#countIn(file);
    return { file, size, md5: md5.digest('hex') };
  }

  #countIn(file: string): void {
    const directory = path.dirname(file);
    this.#written.set(directory, (this.#written.get(directory) ?? 0) + 1);
  }

  /** True where the directory of a file that has gone may be empty now. */
  #countOut(file: string): boolean {
    const directory = path.dirname(file);
    const others = (this.#written.get(directory) ?? 0) - 1;
    if (others > 0) this.#written.set(directory, others);
    else this.#written.delete(directory);
    return others <= 0;
  }

  /** Keeps files readable until the returned function is called, even when they are discarded meanwhile. */
  hold(files: readonly string[]): () => void {
    for (const file of files) this.#readers.set(file, (this.#readers.get(file) ?? 0) + 1);
    let released = false;
    return () => {
      if (released) return;
      released = true;
      for (const file of files) {
        const others = (this.#readers.get(file) ?? 1) - 1;
        if (others > 0) this.#readers.set(file, others);
        else this.#readers.delete(file);
        if (others === 0 && this.#doomed.delete(file)) void this.#unlink(file);
      }
    };
  }

  async *read(ranges: readonly FileRange[]): AsyncGenerator<Buffer> {
    for (const { file, start, end } of ranges) {
      const options = { start, end, highWaterMark: READ_BYTES };
      yield* createReadStream(path.join(this.#root, file), options) as AsyncIterable<Buffer>;
    }
  }

  /** Few bytes in one piece, until they are released; undefined where they are many. */
  readAtOnce(ranges: readonly FileRange[]): { readonly bytes: Uint8Array; readonly release: () => void } | undefined {
    const bytes = ranges.reduce((sum, range) => sum + range.end - range.start + 1, 0);
    if (bytes > AT_ONCE_BYTES) return undefined;
    const spare = this.#memory.take();
    const memory = spare.length >= bytes ? spare : new Uint8Array(new ArrayBuffer(bytes));
    let filled = 0;
    for (const { file, start, end } of ranges) {
      const descriptor = openSync(path.join(this.#root, file), 'r');
      try {
        for (let at = start; at <= end; ) {
          const read = readSync(descriptor, memory, filled, end - at + 1, at);
          if (read === 0) throw new Error(`${file} ends before the byte ${end} that the index says it has`);
          filled += read;
          at += read;
        }
      } finally {
        closeSync(descriptor);
      }
    }
    return { bytes: memory.subarray(0, bytes), release: () => this.#memory.giveBack(memory, bytes) };
  }

  async discard(files: readonly string[]): Promise<void> {
    for (const file of files) {
      if (this.#readers.has(file)) this.#doomed.add(file);
      else await this.#unlink(file);
    }
  }

  /** Removes files that an earlier process wrote but did not live to enter into the index. */
  async sweep(known: ReadonlySet<string>, signal: AbortSignal): Promise<number> {
    let removed = 0;
    const entries = await readdir(this.#root, { recursive: true, withFileTypes: true });
    for (const entry of entries) {
      if (signal.aborted) break;
      const absolute = path.join(entry.parentPath, entry.name);
      const file = path.relative(this.#root, absolute);
      if (!entry.isFile() || known.has(file)) continue;
      const info = await stat(absolute).catch(() => undefined);
      // What was written since the start may be on its way into the index.
      if (!info || info.ctimeMs >= this.#startedAtMs) continue;
      await this.#unlink(file);
      removed += 1;
    }
    return removed;
  }

  async #inNewDirectory<Result>(file: string, work: (absolute: string) => Promise<Result>): Promise<Result> {
    const absolute = path.join(this.#root, file);
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await work(absolute);
      } catch (error) {
        // Not there yet, or a deletion has just removed it as empty.
        if (!hasCode(error, 'ENOENT') || attempt === 5) throw error;
        await mkdir(path.dirname(absolute), { recursive: true });
      }
    }
  }

  async #unlink(file: string): Promise<void> {
    await unlink(path.join(this.#root, file)).catch((error: unknown) => {
      if (!hasCode(error, 'ENOENT')) throw error;
    });
    if (!this.#countOut(file)) return;
    for (let dir = path.dirname(file); dir !== '.'; dir = path.dirname(dir)) {
      const wasEmpty = await rmdir(path.join(this.#root, dir)).then(
        () => true,
        () => false,
      );
      if (!wasEmpty) return;
    }
  }
}

/** Not there yet, or a deletion has just removed it as empty: then the directory is made. */
function openNew(absolute: string): number {
  try {
    return openSync(absolute, 'wx');
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
    mkdirSync(path.dirname(absolute), { recursive: true });
    return openSync(absolute, 'wx');
  }
}

async function copyInto(handle: FileHandle, source: AsyncIterable<Buffer>): Promise<{ size: number; md5: string }> {
  const md5 = createHash('md5');
  let size = 0;
  let batch: Buffer[] = [];
  let batchBytes = 0;
  for await (const chunk of source) {
    md5.update(chunk);
    size += chunk.length;
    batch.push(chunk);
    batchBytes += chunk.length;
    if (batchBytes < WRITE_BYTES) continue;
    await writeAll(handle, batch);
    batch = [];
    batchBytes = 0;
  }
  await writeAll(handle, batch);
  return { size, md5: md5.digest('hex') };
}

async function writeAll(handle: FileHandle, batch: readonly Buffer[]): Promise<void> {
  if (batch.length === 0) return;
  const bytes = batch.reduce((sum, chunk) => sum + chunk.length, 0);
  const { bytesWritten } = await handle.writev(batch);
  // A full disk can cut a vectored write short without an error; the next write then says why.
  if (bytesWritten < bytes) await handle.writeFile(Buffer.concat(batch).subarray(bytesWritten));
}

/** `live-segments/show/segment_000.ts~f3a9…`: keys may hold anything, so that only harmless characters stay. */
function nameFor(bucket: string, key: string, suffix: string): string {
  const harmless = (part: string) =>
    part
      .replace(/[^A-Za-z0-9._=-]/g, '_')
      .replace(/^\.+$/, '_')
      .slice(0, 80) || '_';
  const folders = key.split('/').map(harmless);
  const base = folders.pop() ?? '_';
  const unique = randomBytes(9).toString('hex');
  return path.join(bucket, ...folders.slice(0, 8), `${base}${suffix}~${unique}`);
}
