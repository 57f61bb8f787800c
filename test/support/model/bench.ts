/** What schedules run on, one after the other: a real PostgreSQL with the real schema, emptied for each, and scratch space. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Config, readConfig } from '../../../lib/platform/config.ts';
import { type Database, openDatabase } from '../../../lib/platform/database.ts';
import { createLogger, type Logger } from '../../../lib/platform/logging.ts';
import { migrate } from '../../../lib/platform/migrate.ts';
import { startPostgres } from '../../../localstack/postgres.ts';
import type { Settings } from './schedule.ts';

export interface Bench {
  readonly db: Database;
  /** A connection of its own, for looking at locks. */
  readonly monitor: Database;
  readonly logger: Logger;
  configFor(settings: Settings, partBytes: number): Config;
  empty(): Promise<void>;
  stop(): Promise<void>;
}

/** The others' rows go with those of recordings. Deleting a few rows takes a tenth of the time that TRUNCATE does. */
const TABLES = ['recordings', 'streams', 'stream_events', 'stream_sessions', 'dead_letters'];
/** The same schedule has the same numbers, whatever was played before it. */
const COUNTED = ['recording_segments_id', 'recording_events_position', 'stream_events_id'];

export async function startBench(): Promise<Bench> {
  const folder = await mkdtemp(join(tmpdir(), 'recording-model-'));
  const postgres = await startPostgres({ dataDir: join(folder, 'pg'), port: 0, fast: true });
  // Thousands of schedules send the same few statements: planning them anew each time is half of what one costs.
  const connections = { DB_POOL_MAX: '40', DB_PREPARE: 'true' };
  const environment = { DATABASE_URL: postgres.url, ...connections, SCRATCH_DIR: join(folder, 'scratch') };
  const config = readConfig(environment);
  // Faults are the rule here: what the service says of them is of no interest but in a replay.
  const logger = createLogger(process.env.TEST_LOG_LEVEL ?? 'silent');
  const db = openDatabase(config, logger);
  const monitor = openDatabase({ ...config, DB_POOL_MAX: 1 }, logger);
  await migrate(db, join(import.meta.dirname, '../../../migrations'), logger);
  let stopped = false;
  return {
    db,
    monitor,
    logger,
    configFor: (settings, partBytes) => ({
      ...config,
      RECONNECT_WINDOW: settings.reconnectWindowMs,
      // Smaller than a variable may be: parts of a few segments.
      PART_SIZE: partBytes,
    }),
    empty: async () => {
      for (const table of TABLES) await db.query(`DELETE FROM ${table}`);
      for (const table of COUNTED) await db.query(`ALTER SEQUENCE ${table}_seq RESTART`);
    },
    stop: async () => {
      if (stopped) return;
      stopped = true;
      await Promise.all([db.end(), monitor.end()]);
      await postgres.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
