/**
 * The embedded back ends as one thing: PostgreSQL with its schema, S3, SQS, and S3's notifications into the queue. What
 * the environment names already is used and not started. The functions that run on it are service.ts.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { readConfig } from '../lib/platform/config.ts';
import { openDatabase } from '../lib/platform/database.ts';
import { createLogger } from '../lib/platform/logging.ts';
import { migrate } from '../lib/platform/migrate.ts';
import { lockDataDir } from './data-dir.ts';
import { requireFreePort } from './ports.ts';
import { type RunningPostgres, startPostgres } from './postgres.ts';
import { JOBS_QUEUE, QUEUES, type QueueDefinition, SEGMENTS_QUEUE } from './queues.ts';
import { DEFAULT_CREDENTIALS, type RunningS3, startS3 } from './s3.ts';
import { toS3Event } from './s3-event.ts';
import type { ObjectCreated } from './s3-store.ts';
import { type RunningSqs, startSqs } from './sqs.ts';

export interface StackPorts {
  readonly postgres: number;
  readonly s3: number;
  readonly sqs: number;
}

export interface StackOptions {
  /** Kept when given; otherwise a temporary directory that goes with the stack. */
  readonly dataDir?: string;
  /** 0 (the default) asks for a free one. */
  readonly ports?: Partial<StackPorts>;
  /** Where S3 listens. PostgreSQL and SQS, which trust whoever reaches them, stay on loopback. */
  readonly host?: string;
  /** Not durable, for tests. The default where no dataDir is given. */
  readonly fast?: boolean;
  /** Variables that name back ends of their own: those are then not started. Nothing else is read from it. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Receives PostgreSQL's log. */
  readonly log?: (line: string) => void;
  readonly queues?: readonly QueueDefinition[];
  /** False loses every notification of S3, as a test may want. */
  readonly notify?: boolean | ((event: ObjectCreated) => boolean);
}

export interface Stack {
  /** What the service needs to know of the stack, as its environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Undefined where the environment named another one. */
  readonly pg: RunningPostgres | undefined;
  readonly s3: RunningS3 | undefined;
  readonly sqs: RunningSqs | undefined;
  readonly dataDir: string;
  stop(): Promise<void>;
}

const MIGRATIONS = path.join(import.meta.dirname, '..', 'migrations');
const LIVE_BUCKET = 'live-segments';
const RECORDINGS_BUCKET = 'recordings';
/** Segments; playlists are read by sweeps. The notification filter of serverless.yml is the same. */
const NOTIFIED = /\.ts$/;

/**
 * Starts what the environment does not name, brings the schema up to date, and tells how to reach it all.
 * @throws {PortTaken} {DataDirInUse} {PostgresUnavailable}; nothing keeps running then
 */
export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const temporary = options.dataDir === undefined;
  const dataDir = path.resolve(options.dataDir ?? (await mkdtemp(path.join(tmpdir(), 'recording-stack-'))));
  const undo: (() => unknown)[] = [];
  const stop = async () => {
    // PostgreSQL, S3 and SQS do not need each other: they stop at the same time, the lock goes last.
    const [lock, ...servers] = undo.splice(0);
    await Promise.all(servers.map((stopOne) => stopOne()));
    await lock?.();
    if (temporary) await rm(dataDir, { recursive: true, force: true });
  };
  try {
    const lock = await lockDataDir(dataDir);
    undo.push(() => lock.release());
    return { ...(await startAll(options, dataDir, options.fast ?? temporary, undo)), dataDir, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startAll(options: StackOptions, dataDir: string, fast: boolean, undo: (() => unknown)[]) {
  const given = options.environment ?? {};
  const names = (...variables: string[]) => variables.some((variable) => (given[variable] ?? '') !== '');
  const ports = { postgres: 0, s3: 0, sqs: 0, ...options.ports };
  const credentials = {
    accessKeyId: given.MINIO_ACCESS_KEY || DEFAULT_CREDENTIALS.accessKeyId,
    secretAccessKey: given.MINIO_SECRET_KEY || DEFAULT_CREDENTIALS.secretAccessKey,
  };
  const buckets = { live: given.LIVE_BUCKET || LIVE_BUCKET, recordings: given.MINIO_BUCKET || RECORDINGS_BUCKET };
  // The queue is there before the store, whose first object may come at once.
  const sqs = names('SQS_ENDPOINT', 'SEGMENTS_QUEUE_URL', 'JOBS_QUEUE_URL')
    ? undefined
    : await startSqs({ dataDir: path.join(dataDir, 'sqs'), port: ports.sqs, queues: options.queues ?? QUEUES });
  if (sqs) undo.push(() => sqs.stop());
  const onObjectCreated = (event: ObjectCreated) => {
    if (event.bucket !== buckets.live || !NOTIFIED.test(event.key)) return;
    const notify = options.notify ?? true;
    if (typeof notify === 'boolean' ? notify : notify(event)) sqs?.send(SEGMENTS_QUEUE, toS3Event(event));
  };
  const started = await Promise.allSettled([
    names('DATABASE_URL', 'DB_HOST') ? undefined : startDatabase(ports.postgres, dataDir, fast, options.log),
    names('MINIO_ENDPOINT')
      ? undefined
      : startS3({
          dataDir: path.join(dataDir, 's3'),
          port: ports.s3,
          host: options.host ?? '127.0.0.1',
          fast,
          credentials,
          buckets: [buckets.live, buckets.recordings],
          publicBuckets: [buckets.recordings],
          onObjectCreated,
        }),
  ]);
  // Those that did start must be stopped when another one did not.
  for (const server of started) {
    const running = server.status === 'fulfilled' ? server.value : undefined;
    if (running) undo.push(() => running.stop());
  }
  const [pg, s3] = [settled(started[0]), settled(started[1])];
  const env: Record<string, string> = {
    ...(pg ? { DATABASE_URL: pg.url } : {}),
    ...(s3 ? s3Environment(s3, credentials) : {}),
    ...(sqs ? sqsEnvironment(sqs) : {}),
    AWS_REGION: given.AWS_REGION || 'us-east-1',
  };
  await migrateDatabase({ ...given, ...env });
  return { env, pg, s3, sqs };
}

function settled<Value>(result: PromiseSettledResult<Value>): Value {
  if (result.status === 'rejected') throw result.reason;
  return result.value;
}

async function startDatabase(port: number, dataDir: string, fast: boolean, log: StackOptions['log']) {
  await requireFreePort(port, 'PG_PORT');
  return startPostgres({ dataDir: path.join(dataDir, 'pg'), port, fast, ...(log ? { log } : {}) });
}

function s3Environment(s3: RunningS3, credentials: { accessKeyId: string; secretAccessKey: string }) {
  return {
    MINIO_ENDPOINT: `127.0.0.1:${s3.port}`,
    MINIO_USE_SSL: 'false',
    MINIO_ACCESS_KEY: credentials.accessKeyId,
    MINIO_SECRET_KEY: credentials.secretAccessKey,
    PUBLIC_URL_BASE: `http://localhost:${s3.port}`,
  };
}

function sqsEnvironment(sqs: RunningSqs) {
  return {
    SQS_ENDPOINT: sqs.endpoint,
    SEGMENTS_QUEUE_URL: sqs.queueUrl(SEGMENTS_QUEUE),
    JOBS_QUEUE_URL: sqs.queueUrl(JOBS_QUEUE),
  };
}

async function migrateDatabase(environment: Readonly<Record<string, string | undefined>>): Promise<void> {
  const config = readConfig(environment);
  const logger = createLogger(config.LOG_LEVEL === 'info' ? 'warn' : config.LOG_LEVEL);
  const database = openDatabase(config, logger);
  try {
    await migrate(database, MIGRATIONS, logger);
  } finally {
    await database.end();
  }
}
