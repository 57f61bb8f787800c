/**
 * The use cases in this process, on an embedded PostgreSQL and S3: no HTTP, no SQS. Queue messages are kept in memory
 * and carried out when a test says so, which makes every order and every loss of them a test's own decision.
 */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createContext, type Overrides } from '../../lib/composition.ts';
import type { Clock } from '../../lib/platform/clock.ts';
import { readConfig } from '../../lib/platform/config.ts';
import { openDatabase } from '../../lib/platform/database.ts';
import { createLogger } from '../../lib/platform/logging.ts';
import { migrate } from '../../lib/platform/migrate.ts';
import { advanceRecording } from '../../lib/recordings/advance.ts';
import type { RecordingContext } from '../../lib/recordings/context.ts';
import { recordStreamEvent } from '../../lib/recordings/record-stream-event.ts';
import { sweepRecording } from '../../lib/recordings/sweep.ts';
import type { Queues } from '../../lib/services/queues.ts';
import type { StreamService } from '../../lib/services/stream-service.ts';
import type { ObjectStore } from '../../lib/storage/object-store.ts';
import { createS3Client, S3ObjectStore } from '../../lib/storage/s3-object-store.ts';
import { startPostgres } from '../../localstack/postgres.ts';
import { DEFAULT_CREDENTIALS, startS3 } from '../../localstack/s3.ts';
import { alteredStore } from './altered-store.ts';

export type QueuedMessage = {
  readonly kind: 'sweep' | 'advance';
  readonly recordingId: string;
  readonly delaySeconds: number;
};

/** Queues in memory: what was sent, in order. */
export class MemoryQueues implements Queues {
  messages: QueuedMessage[] = [];

  async requestSweep(recordingId: string, delaySeconds = 0): Promise<void> {
    this.messages.push({ kind: 'sweep', recordingId, delaySeconds });
  }

  readonly #seen = new Set<string>();

  /** Equal reasons are dropped, as a FIFO queue drops equal deduplication ids. */
  async requestAdvance(recordingId: string, reason: string, delaySeconds = 0): Promise<void> {
    if (this.#seen.has(`${recordingId}:${reason}`)) return;
    this.#seen.add(`${recordingId}:${reason}`);
    this.messages.push({ kind: 'advance', recordingId, delaySeconds });
  }
}

/** A Stream Service that knows no stream. */
export const silentStreamService: StreamService = {
  listLive: async () => ({ streams: [], invalid: 0 }),
  find: async () => null,
};

/** A back end that a test stops and starts again, where it was and with what it had. */
export interface Restartable {
  stop(): Promise<void>;
  start(): Promise<void>;
}

export interface Harness {
  readonly context: RecordingContext;
  readonly queues: MemoryQueues;
  readonly store: ObjectStore;
  /** Environment that a real process would need to reach the same back ends. */
  readonly env: Record<string, string>;
  readonly scratch: string;
  readonly database: Restartable;
  /** The embedded store, started again with another secret key where one is given. */
  readonly s3: Restartable & { start(secretAccessKey?: string): Promise<void> };
  /** Carries out queued messages, delays included, until none is left. */
  drain(limit?: number): Promise<void>;
  /** Tells a start or an end of a stream, as the webhook does. */
  tell(
    event: 'stream.started' | 'stream.ended',
    stream: { streamId: string; streamKey: string },
    at?: Date,
  ): Promise<void>;
  /** The same back ends with other settings or replaced parts. */
  variant(env: Record<string, string>, overrides?: Overrides): RecordingContext;
  stop(): Promise<void>;
}

/** Starts the back ends; `env` overrides settings, and names an S3 server to use instead of an embedded one. */
export async function startHarness(env: Record<string, string> = {}): Promise<Harness> {
  const folder = await mkdtemp(join(tmpdir(), 'recording-test-'));
  const startStore = (port = 0, secretAccessKey = DEFAULT_CREDENTIALS.secretAccessKey) =>
    startS3({
      dataDir: join(folder, 's3'),
      port,
      fast: true,
      buckets: ['live-segments', 'recordings'],
      publicBuckets: ['recordings'],
      credentials: { ...DEFAULT_CREDENTIALS, secretAccessKey },
    });
  const startDatabase = (port = 0) => startPostgres({ dataDir: join(folder, 'pg'), port, fast: true });
  let [postgres, s3] = await Promise.all([startDatabase(), env.MINIO_ENDPOINT ? undefined : startStore()]);
  const scratch = join(folder, 'scratch');
  const environment = {
    DATABASE_URL: postgres.url,
    MINIO_ENDPOINT: `127.0.0.1:${s3?.port}`,
    DB_POOL_MAX: '8',
    SCRATCH_DIR: scratch,
    SEGMENT_RETRY_DELAY: '20ms',
    END_GRACE: '300ms',
    LOG_LEVEL: process.env.TEST_LOG_LEVEL ?? 'error',
    ...env,
  };
  const config = readConfig(environment);
  const logger = createLogger(config.LOG_LEVEL);
  const db = openDatabase(config, logger);
  await migrate(db, join(import.meta.dirname, '../../migrations'), logger);
  const queues = new MemoryQueues();
  const store = new S3ObjectStore(createS3Client(config));
  const base: Overrides = { db, queues, store, logger, streams: silentStreamService };
  const context = createContext(config, base);
  return {
    context,
    queues,
    store,
    env: environment,
    scratch,
    database: {
      stop: () => postgres.stop(),
      start: async () => {
        postgres = await startDatabase(postgres.port);
      },
    },
    s3: {
      stop: async () => s3?.stop(),
      start: async (secretAccessKey?: string) => {
        s3 = await startStore(s3?.port, secretAccessKey);
      },
    },
    drain: (limit) => drain(context, queues, limit),
    tell: async (event, stream, at = new Date()) => {
      await recordStreamEvent(context, { event, ...stream, userId: randomUUID(), occurredAt: at, source: 'webhook' });
    },
    variant: (other, overrides = {}) => {
      const { clock, store: wanted = store } = overrides;
      const seen = clock ? { store: storeSeenBy(wanted, clock) } : {};
      return createContext(readConfig({ ...environment, ...other }), { ...base, ...overrides, ...seen });
    },
    stop: async () => {
      await db.end();
      await Promise.all([postgres.stop(), s3?.stop()]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The store as a host with that clock sees it: how far the store's is ahead of its own is another figure. */
function storeSeenBy(store: ObjectStore, clock: Pick<Clock, 'now'>): ObjectStore {
  return alteredStore(store, {
    get: async (...asked) => {
      const fetched = await store.get(...asked);
      const { clockOffsetMs } = fetched;
      return { ...fetched, clockOffsetMs: clockOffsetMs === null ? null : clockOffsetMs - (clock.now() - Date.now()) };
    },
  });
}

async function drain(context: RecordingContext, queues: MemoryQueues, limit = 1000): Promise<void> {
  for (let count = 0; queues.messages.length > 0; count += 1) {
    if (count >= limit) throw new Error(`The queues are not empty after ${limit} messages`);
    const message = queues.messages.shift();
    if (!message) return;
    await context.clock.sleep(message.delaySeconds * 1000);
    if (message.kind === 'sweep') await sweepRecording(context, message.recordingId);
    else await advanceRecording(context, message.recordingId, () => 60_000);
  }
}
