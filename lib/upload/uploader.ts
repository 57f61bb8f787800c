/**
 * The uploader: looks at a folder tree of HLS again and again and puts what is complete into the bucket, every stream
 * at its own pace. While the store is away files wait on the disk, for as long as they are there; nothing else is kept.
 */
import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { hashStreamKey, type Logger } from '../platform/logging.ts';
import type { Place } from './layout.ts';
import { type ScannedGroup, Scanner } from './scan.ts';
import { type GroupContext, type UploadStore, uploadGroup } from './upload-group.ts';
import { UploadLedger } from './upload-ledger.ts';

export interface UploaderOptions {
  /** The folder that servers write into. */
  readonly from: string;
  readonly bucket: string;
  readonly store: UploadStore;
  readonly logger: Logger;
  /** The list of what was uploaded; `.uploaded.jsonl` in the folder by default. */
  readonly ledgerFile?: string;
  /** Pause between two looks. */
  readonly intervalMs?: number;
  /** How long a file without playlist stays the same until it counts as complete. */
  readonly idleMs?: number;
  /** Delete an object this long after its file has gone; null: never. */
  readonly deleteAfterMs?: number | null;
  /** Upload what was there before the uploader first ran, too. */
  readonly all?: boolean;
}

export interface Uploader {
  /** Ends after the file that is under way. */
  stop(): Promise<void>;
}

const DEFAULT_INTERVAL_MS = 500;
const DEFAULT_IDLE_MS = 10_000;
/** A playlist that does not name a file is believed for this long: publishers stall. */
const UNLISTED_IDLE_MS = 60_000;
/** What was written this long before the first start still belongs to a stream that is live. */
const FIRST_LOOKBACK_MS = 60_000;
const FORGET_AFTER_MS = 3_600_000;
const BACKOFF_MS = { first: 1000, most: 30_000 };
/** Streams that upload at the same time. */
const STREAMS_AT_ONCE = 16;
/** The pace of what is no stream's. */
const NO_STREAM: Place = { streamKey: '', prefix: '' };
/** A look may take this share of the time, however large the folders are. */
const SCAN_SHARE = 0.1;

interface Pace {
  /** Waiting for its turn, or at it. */
  busy: boolean;
  failures: number;
  notBeforeMs: number;
}

/** @throws an error of the file system, where the folder or the ledger cannot be used */
export async function startUploader(options: UploaderOptions): Promise<Uploader> {
  const root = await realpath(options.from);
  const startedMs = Date.now();
  const ledger = await UploadLedger.open(
    options.ledgerFile ?? join(root, '.uploaded.jsonl'),
    options.all ? 0 : startedMs - FIRST_LOOKBACK_MS,
  );
  const stopping = new AbortController();
  const idleMs = options.idleMs ?? DEFAULT_IDLE_MS;
  const loop = new UploadLoop(options, new Scanner(root), {
    store: options.store,
    bucket: options.bucket,
    ledger,
    logger: options.logger,
    rules: {
      idleMs,
      unlistedIdleMs: Math.max(idleMs, UNLISTED_IDLE_MS),
      sinceMs: options.all ? 0 : ledger.sinceMs,
    },
    askBeforeMs: startedMs,
    said: new Set(),
    signal: stopping.signal,
  });
  const done = loop.run();
  return {
    stop: async () => {
      stopping.abort();
      await done;
      await ledger.close();
    },
  };
}

class UploadLoop {
  readonly #options: UploaderOptions;
  readonly #scanner: Scanner;
  readonly #context: GroupContext;
  readonly #paces = new Map<string, Pace>();
  readonly #waiting: (() => Promise<void>)[] = [];
  readonly #running = new Set<Promise<void>>();
  readonly #ignored = new Set<string>();

  constructor(options: UploaderOptions, scanner: Scanner, context: GroupContext) {
    this.#options = options;
    this.#scanner = scanner;
    this.#context = context;
  }

  /** Never rejects: what goes wrong is logged and tried again. */
  async run(): Promise<void> {
    const { signal } = this.#context;
    let failures = 0;
    while (!signal.aborted) {
      const startedAt = performance.now();
      try {
        const groups = await this.#scanner.scan(startedAt, (path, why) => this.#sayIgnored(path, why));
        for (const group of groups) this.#start(group.place, () => uploadGroup(this.#context, group));
        this.#cleanUp(groups);
        failures = 0;
      } catch (error) {
        if (failures++ % 60 === 0)
          this.#options.logger.error({ err: error }, 'The folder cannot be read; trying again');
      }
      const tookMs = performance.now() - startedAt;
      await pause(Math.max(this.#options.intervalMs ?? DEFAULT_INTERVAL_MS, tookMs / SCAN_SHARE), signal);
    }
    await Promise.all(this.#running);
  }

  /** Does the work of a stream, unless it is being done, or has failed a moment ago. */
  #start({ streamKey, prefix }: Place, work: () => Promise<void>): void {
    const pace = this.#paces.get(prefix) ?? { busy: false, failures: 0, notBeforeMs: 0 };
    this.#paces.set(prefix, pace);
    if (pace.busy || performance.now() < pace.notBeforeMs) return;
    pace.busy = true;
    const { logger } = this.#options;
    const stream = streamKey === '' ? undefined : hashStreamKey(streamKey);
    this.#waiting.push(async () => {
      try {
        await work();
        if (pace.failures > 0) logger.info({ stream, failures: pace.failures }, 'The store takes files again');
        pace.failures = 0;
      } catch (error) {
        const waitMs = Math.min(BACKOFF_MS.most, BACKOFF_MS.first * 2 ** pace.failures);
        pace.failures += 1;
        pace.notBeforeMs = performance.now() + waitMs;
        logger.warn({ stream, err: error, retry_in_ms: waitMs }, 'Upload failed; the files stay and are tried again');
      }
      pace.busy = false;
    });
    this.#next();
  }

  #next(): void {
    if (this.#running.size >= STREAMS_AT_ONCE) return;
    const work = this.#waiting.shift();
    if (!work || this.#context.signal.aborted) return;
    const running = work().finally(() => {
      this.#running.delete(running);
      this.#next();
    });
    this.#running.add(running);
  }

  /** Objects whose files the server has deleted, where that is wanted; and what need not be remembered any more. */
  #cleanUp(groups: readonly ScannedGroup[]): void {
    const { ledger, store, bucket } = this.#context;
    const { deleteAfterMs = null } = this.#options;
    const onDisk = new Set(
      groups.flatMap(({ place, segments, playlists }) =>
        [...segments, ...playlists].map(({ name }) => `${place.prefix}${name}`),
      ),
    );
    const gone = ledger.listGone((key) => onDisk.has(key), performance.now(), deleteAfterMs ?? FORGET_AFTER_MS);
    if (gone.length === 0) return;
    this.#start(NO_STREAM, async () => {
      if (deleteAfterMs !== null) await store.remove(bucket, gone);
      await ledger.forget(gone);
    });
  }

  #sayIgnored(path: string, why: string): void {
    if (this.#ignored.has(path) || this.#ignored.size > 1000) return;
    this.#ignored.add(path);
    // Names of folders may be stream keys with a slip in them.
    this.#options.logger.warn({ path: hashStreamKey(path) }, `An entry of the folder is left alone: ${why}`);
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
  });
}
