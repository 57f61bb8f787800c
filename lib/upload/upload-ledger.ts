/**
 * What is in the bucket already, kept in a file so that a restart uploads nothing twice: one JSON line for each file, added
 * behind its upload. A line that a crash has torn is passed over; at worst its file is uploaded again, which changes nothing.
 */
import { type FileHandle, open, readFile, rename } from 'node:fs/promises';
import { z } from 'zod';

export interface Uploaded {
  readonly size: number;
  readonly mtimeMs: number;
}

interface Entry extends Uploaded {
  /** When it was first missed on the disk; it is forgotten some time later, lest an unmounted disk comes back as new. */
  goneSinceMs: number | null;
}

const headLine = z.object({ version: z.literal(1), sinceMs: z.number() });
const entryLine = z.object({ key: z.string(), size: z.number(), mtimeMs: z.number() });
const removalLine = z.object({ key: z.string(), removed: z.literal(true) });

/** The file is written anew when it has this many more lines than it needs. */
const COMPACT_AFTER = 20_000;

export class UploadLedger {
  readonly #file: string;
  readonly #entries: Map<string, Entry>;
  /** When the uploader first ran here: what was last written before that is of earlier broadcasts. */
  readonly sinceMs: number;
  #handle: FileHandle;
  #lines: number;
  /** Streams are uploaded side by side; their lines come one after the other. */
  #last: Promise<void> = Promise.resolve();

  private constructor(file: string, sinceMs: number, entries: Map<string, Entry>, handle: FileHandle) {
    this.#file = file;
    this.sinceMs = sinceMs;
    this.#entries = entries;
    this.#handle = handle;
    this.#lines = entries.size;
  }

  /** Opens the ledger or begins one. @param sinceMs for one that begins */
  static async open(file: string, sinceMs: number): Promise<UploadLedger> {
    const text = await readFile(file, 'utf8').catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
      throw error;
    });
    const lines = text.split('\n');
    const head = headLine.safeParse(parseLine(lines[0]));
    const entries = new Map<string, Entry>();
    for (const line of head.success ? lines.slice(1) : []) {
      const value = parseLine(line);
      const added = entryLine.safeParse(value);
      if (added.success) {
        const { key, size, mtimeMs } = added.data;
        entries.set(key, { size, mtimeMs, goneSinceMs: null });
        continue;
      }
      const removed = removalLine.safeParse(value);
      if (removed.success) entries.delete(removed.data.key);
    }
    const since = head.success ? head.data.sinceMs : sinceMs;
    return new UploadLedger(file, since, entries, await writeAnew(file, since, entries));
  }

  get(key: string): Uploaded | undefined {
    return this.#entries.get(key);
  }

  async add(key: string, { size, mtimeMs }: Uploaded): Promise<void> {
    this.#entries.set(key, { size, mtimeMs, goneSinceMs: null });
    await this.#append({ key, size, mtimeMs });
  }

  /** Keys whose files have been gone for this long. @param isOnDisk of a key */
  listGone(isOnDisk: (key: string) => boolean, nowMs: number, goneForMs: number): string[] {
    const gone: string[] = [];
    for (const [key, entry] of this.#entries) {
      entry.goneSinceMs = isOnDisk(key) ? null : (entry.goneSinceMs ?? nowMs);
      if (entry.goneSinceMs !== null && nowMs - entry.goneSinceMs >= goneForMs) gone.push(key);
    }
    return gone;
  }

  async forget(keys: readonly string[]): Promise<void> {
    for (const key of keys) {
      if (this.#entries.delete(key)) await this.#append({ key, removed: true });
    }
  }

  #append(line: Record<string, unknown>): Promise<void> {
    const appended = this.#last.then(async () => {
      await this.#handle.appendFile(`${JSON.stringify(line)}\n`);
      this.#lines += 1;
      if (this.#lines < COMPACT_AFTER + 2 * this.#entries.size) return;
      const handle = await writeAnew(this.#file, this.sinceMs, this.#entries);
      await this.#handle.close();
      this.#handle = handle;
      this.#lines = this.#entries.size;
    });
    this.#last = appended.catch(() => undefined);
    return appended;
  }

  async close(): Promise<void> {
    await this.#last;
    await this.#handle.close();
  }
}

/** Whole or not at all: beside the file first, then in its place. */
async function writeAnew(file: string, sinceMs: number, entries: ReadonlyMap<string, Uploaded>): Promise<FileHandle> {
  const lines = [...entries].map(([key, { size, mtimeMs }]) => JSON.stringify({ key, size, mtimeMs }));
  // Names of streams are in it, which are credentials.
  const handle = await open(`${file}.tmp`, 'w', 0o600);
  await handle.writeFile([JSON.stringify({ version: 1, sinceMs }), ...lines, ''].join('\n'));
  await rename(`${file}.tmp`, file);
  return handle;
}

function parseLine(line: string | undefined): unknown {
  try {
    return JSON.parse(line ?? '');
  } catch {
    return undefined;
  }
}
