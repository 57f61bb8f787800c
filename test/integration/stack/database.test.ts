/** Statements on a connection: with a name of their own or without, as DB_PREPARE says, and what ends them. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { readConfig } from '../../../lib/platform/config.ts';
import { type Database, openDatabase } from '../../../lib/platform/database.ts';
import { createLogger } from '../../../lib/platform/logging.ts';
import { type RunningPostgres, startPostgres } from '../../../localstack/postgres.ts';
import { waitFor } from '../../support/wait.ts';

const silent = createLogger('silent');

let folder: string;
let postgres: RunningPostgres;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'recording-database-'));
  postgres = await startPostgres({ dataDir: path.join(folder, 'pg'), fast: true });
}, 60_000);
afterAll(async () => {
  await postgres.stop();
  await rm(folder, { recursive: true, force: true });
});

/** How many statements the only connection of a pool keeps after three that are equal and two in a transaction. */
async function preparedStatements(DB_PREPARE: string): Promise<number | undefined> {
  const config = readConfig({ DATABASE_URL: postgres.url, DB_POOL_MAX: '1', DB_PREPARE });
  const database = openDatabase(config, createLogger('error'));
  try {
    for (const value of [1, 2, 3]) {
      const { rows } = await database.query<{ next: number }>('SELECT $1::int + 1 AS next', [value]);
      expect(rows).toEqual([{ next: value + 1 }]);
    }
    await database.transaction(async (client) => {
      await client.query('SELECT $1::int + 1 AS next', [4]);
      await client.query('SELECT $1::text AS other', ['a']);
    });
    const { rows } = await database.query<{ count: number }>(
      'SELECT count(*)::int AS count FROM pg_prepared_statements',
    );
    return rows[0]?.count;
  } finally {
    await database.end();
  }
}

describe('a connection', () => {
  it('keeps no statement by default: behind RDS Proxy it would stay with this process', async () => {
    await expect(preparedStatements('false')).resolves.toBe(0);
  });

  it('keeps each statement once where DB_PREPARE allows it', async () => {
    await expect(preparedStatements('true')).resolves.toBe(2);
  });

  it('that waits too long for a row, behind a function that stands still, is an error that passes', async () => {
    const database = openDatabase(readConfig({ DATABASE_URL: postgres.url }), createLogger('error'));
    const cancelled = database.transaction(async (client) => {
      await client.query("SET LOCAL statement_timeout = '50ms'");
      await client.query('SELECT pg_sleep(10)');
    });
    await expect(cancelled).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE', retryable: true });
    await database.end();
  });

  it('that the server ends in the middle of a statement is an error that passes', async () => {
    const [working, other] = [1, 2].map(() => openDatabase(readConfig({ DATABASE_URL: postgres.url }), silent));
    const ended = working?.transaction(async (client) => {
      const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      const sleeping = client.query('SELECT pg_sleep(60)');
      // While it sleeps: before, its end would be that of an idle connection.
      await waitFor('the statement runs', () => isAsleep(other, rows[0]?.pid), { withinMs: 20_000 });
      await Promise.all([sleeping, other?.query('SELECT pg_terminate_backend($1)', [rows[0]?.pid])]);
    });
    await expect(ended).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE', retryable: true });
    await Promise.all([working?.end(), other?.end()]);
  });

  it('that the server ends between two statements of a transaction is the same', async () => {
    const [working, other] = [1, 2].map(() => openDatabase(readConfig({ DATABASE_URL: postgres.url }), silent));
    const ended = working?.transaction(async (client) => {
      const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      const [row] = rows;
      await other?.query('SELECT pg_terminate_backend($1)', [row?.pid]);
      const isGone = async () =>
        (await other?.query('SELECT 1 FROM pg_stat_activity WHERE pid = $1', [row?.pid]))?.rowCount === 0;
      await waitFor('the connection is gone', isGone, { withinMs: 20_000 });
      await client.query('SELECT 1');
    });
    await expect(ended).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE', retryable: true });
    await Promise.all([working?.end(), other?.end()]);
  });

  it.each([
    ['a wrong password', (url: URL) => Object.assign(url, { password: 'not-the-password' })],
    ['a database that there is not', (url: URL) => Object.assign(url, { pathname: '/no-such-database' })],
  ])('that is refused because of %s waits for who corrects it, and tells no password', async (_what, spoil) => {
    const url = String(spoil(new URL(postgres.url)));
    const database = openDatabase(readConfig({ DATABASE_URL: url }), silent);
    const failure = await database.query('SELECT 1').catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'DATABASE_UNAVAILABLE', retryable: true });
    expect(String(failure)).not.toContain(new URL(url).password);
    await database.end();
  });
});

async function isAsleep(database: Database | undefined, pid: number | undefined): Promise<boolean> {
  const found = await database?.query("SELECT 1 FROM pg_stat_activity WHERE pid = $1 AND wait_event = 'PgSleep'", [
    pid,
  ]);
  return found?.rowCount === 1;
}
