/** A folder that a server writes HLS into, an embedded S3, and an uploader between the two that notes what it puts. */
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createLogger } from '../../../lib/platform/logging.ts';
import type { ObjectStore, PutOptions } from '../../../lib/storage/object-store.ts';
import { startUploader, type Uploader, type UploaderOptions } from '../../../lib/upload/uploader.ts';
import { waitFor } from '../../support/wait.ts';

export const BUCKET = 'live-segments';

export interface Put {
  readonly key: string;
  readonly text: string;
}

/** The store, with a list of its puts; `before` may refuse one or keep it waiting. */
export function noting(store: ObjectStore, puts: Put[], before: (key: string) => Promise<void> = async () => {}) {
  return {
    head: (bucket: string, key: string) => store.head(bucket, key),
    remove: (bucket: string, keys: readonly string[]) => store.remove(bucket, keys),
    put: async (bucket: string, key: string, bytes: Uint8Array, contentType: string, options?: PutOptions) => {
      await before(key);
      const result = await store.put(bucket, key, bytes, contentType, options);
      puts.push({ key, text: Buffer.from(bytes).toString('utf8') });
      return result;
    },
  };
}

export class Fixture {
  readonly root: string;
  readonly lines: string[] = [];
  readonly puts: Put[] = [];
  readonly #store: ObjectStore;
  readonly #running = new Set<Uploader>();

  private constructor(root: string, store: ObjectStore) {
    this.root = root;
    this.#store = store;
  }

  static async open(store: ObjectStore): Promise<Fixture> {
    return new Fixture(await mkdtemp(join(tmpdir(), 'upload-')), store);
  }

  async start(options: Partial<UploaderOptions> = {}): Promise<Uploader> {
    const uploader = await startUploader({
      from: this.root,
      bucket: BUCKET,
      store: noting(this.#store, this.puts),
      logger: createLogger('debug', [], { write: (line) => this.lines.push(line) }),
      intervalMs: 20,
      ...options,
    });
    this.#running.add(uploader);
    return uploader;
  }

  async write(name: string, text: string): Promise<void> {
    const path = join(this.root, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
  }

  /** As servers write playlists: beside it, then in its place. */
  async playlist(name: string, segments: readonly string[], more = ''): Promise<void> {
    const entries = segments.map((segment) => `#EXTINF:2.000,\n${segment}\n`);
    const text = `#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:0\n${entries.join('')}${more}`;
    await this.write(`${name}.bak`, text);
    await rename(join(this.root, `${name}.bak`), join(this.root, name));
  }

  get keys(): string[] {
    return this.puts.map(({ key }) => key);
  }

  waitForKeys(keys: readonly string[]): Promise<true> {
    return waitFor(`${keys.join(', ')} are uploaded`, () => keys.every((key) => this.keys.includes(key)) || undefined, {
      withinMs: 20_000,
      everyMs: 10,
      lastSeen: () => `${this.keys.join(', ')}; ${this.lines.slice(-3).join('')}`,
    });
  }

  waitForLine(part: string): Promise<string> {
    return waitFor(`a line with "${part}"`, () => this.lines.find((line) => line.includes(part)), {
      withinMs: 20_000,
      everyMs: 10,
      lastSeen: () => this.lines.slice(-3).join(''),
    });
  }

  async close(): Promise<void> {
    await Promise.all([...this.#running].map((uploader) => uploader.stop()));
    await rm(this.root, { recursive: true, force: true });
  }
}
