/**
 * The PostgreSQL pool and transactions on it. It owns how values cross the wire (UTC times, 64-bit integers as
 * numbers), and how long a query may take; it knows no table.
 */
import { hash } from 'node:crypto';
import pg from 'pg';
import type { Clock } from './clock.ts';
import type { Config } from './config.ts';
import { ServiceError } from './errors.ts';
import type { Logger } from './logging.ts';

/** PostgreSQL cannot be reached or refuses the connection. */
export class DatabaseUnavailable extends ServiceError {
  readonly code = 'DATABASE_UNAVAILABLE';
  readonly retryable = true;
}

/** What runs a statement: the pool, or one client inside a transaction. */
export interface Queryable {
  query<Row extends pg.QueryResultRow>(text: string, values?: unknown[]): Promise<pg.QueryResult<Row>>;
}

export type Database = Queryable & {
  transaction<Result>(work: (client: Queryable) => Promise<Result>): Promise<Result>;
  end(): Promise<void>;
};

/** What time it is for the database: the one clock that all hosts of the service share, however wrong their own are. */
export async function databaseNow(db: Queryable): Promise<Date> {
  const { rows } = await db.query<{ now: Date }>('SELECT clock_timestamp() AS now');
  const [row] = rows;
  if (!row) throw new DatabaseUnavailable('PostgreSQL did not say what time it is');
  return row.now;
}

/** An answer that took longer says too little of when it was given. */
const PROMPT_MS = 500;
const MOST_TRIES = 3;

/** The database's clock minus ours, milliseconds. */
export async function databaseIsAheadMs(db: Queryable, clock: Pick<Clock, 'now'>): Promise<number> {
  for (let tries = 1; ; tries += 1) {
    const askedMs = clock.now();
    const now = await databaseNow(db);
    const answeredMs = clock.now();
    if (answeredMs - askedMs <= PROMPT_MS || tries === MOST_TRIES) return now.getTime() - (askedMs + answeredMs) / 2;
  }
}

const TIMESTAMP = 1114;
const INT8 = 20;

/** TIMESTAMP columns hold UTC; BIGINT here is sizes and ticks, far below 2^53. */
const types: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') => {
    if (oid === TIMESTAMP) return (text: string) => new Date(`${text.replace(' ', 'T')}Z`);
    if (oid === INT8) return Number;
    return format === 'binary' ? pg.types.getTypeParser(oid, 'binary') : pg.types.getTypeParser(oid, 'text');
  }) as typeof pg.types.getTypeParser,
};

type DatabaseConfig = Pick<
  Config,
  | 'DATABASE_URL'
  | 'DB_HOST'
  | 'DB_PORT'
  | 'DB_USER'
  | 'DB_PASSWORD'
  | 'DB_NAME'
  | 'DB_POOL_MAX'
  | 'DB_PREPARE'
  | 'DB_SESSION_OPTIONS'
>;

/** Opens a pool (connections are made on first use; `max: 1` is right for a Lambda). */
export function openDatabase(config: DatabaseConfig, logger: Logger): Database {
  const target = config.DATABASE_URL
    ? { connectionString: config.DATABASE_URL }
    : {
        host: config.DB_HOST,
        port: config.DB_PORT,
        user: config.DB_USER,
        password: config.DB_PASSWORD,
        database: config.DB_NAME,
      };
  const pool = new pg.Pool({
    ...target,
    max: config.DB_POOL_MAX,
    types,
    connectionTimeoutMillis: 5000,
    idleTimeoutMillis: 30_000,
    query_timeout: 20_000,
    statement_timeout: config.DB_SESSION_OPTIONS === '' ? undefined : 20_000,
    application_name: 'recording-service',
    ...(config.DB_SESSION_OPTIONS === '' ? {} : { options: config.DB_SESSION_OPTIONS }),
  });
  // An idle connection that the server closed must not end the process; the next query opens a new one.
  pool.on('error', (error) => logger.warn({ err: error }, 'PostgreSQL closed an idle connection'));
  // The pool listens to idle ones only. Of one that is in use its next statement tells; without a listener from the very
  // first moment on, its end would be that of the process.
  pool.on('connect', (client) => client.on('error', () => {}));
  const nameOf = config.DB_PREPARE ? nameStatements() : () => undefined;
  return {
    query: (text, values) => run(pool, nameOf, text, values),
    transaction: (work) => transaction(pool, nameOf, work),
    end: () => pool.end(),
  };
}

type NameOf = (text: string) => string | undefined;

/** A name for each text: a statement with a name is parsed once a connection, which is most of what a short one costs. */
function nameStatements(): NameOf {
  const names = new Map<string, string>();
  return (text) => {
    const known = names.get(text);
    if (known !== undefined) return known;
    const name = hash('sha1', text);
    names.set(text, name);
    return name;
  };
}

async function run<Row extends pg.QueryResultRow>(
  on: pg.Pool | pg.PoolClient,
  nameOf: NameOf,
  text: string,
  values: unknown[] = [],
) {
  // What has no values may be several statements, as migrations are: those cannot have a name.
  const name = values.length > 0 ? nameOf(text) : undefined;
  try {
    return await on.query<Row>({ text, values, ...(name === undefined ? {} : { name }) });
  } catch (error) {
    throw translate(error);
  }
}

async function transaction<Result>(
  pool: pg.Pool,
  nameOf: NameOf,
  work: (client: Queryable) => Promise<Result>,
): Promise<Result> {
  const client = await pool.connect().catch((error: unknown) => {
    throw translate(error);
  });
  let broken: Error | undefined;
  try {
    await run(client, nameOf, 'BEGIN');
    const result = await work({ query: (text, values) => run(client, nameOf, text, values) });
    await run(client, nameOf, 'COMMIT');
    return result;
  } catch (error) {
    // A connection that cannot even roll back is not given back to the pool.
    await client.query('ROLLBACK').catch((rollback: Error) => {
      broken = rollback;
    });
    throw error;
  } finally {
    client.release(broken);
  }
}

/** Errors of the connection, as opposed to errors of the statement, become retryable ones. */
function translate(error: unknown): unknown {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  const connection =
    typeof code === 'string'
      ? /^(ECONN|EHOST|ENET|ENOTFOUND|EPIPE|ETIMEDOUT|EAI_|08|57P|57014|53|40001|40P01|28|3D)/.test(code)
      : /timeout|terminated|closed|not queryable/i.test(String(message));
  return connection ? new DatabaseUnavailable(`PostgreSQL is not available: ${message}`, { cause: error }) : error;
}
