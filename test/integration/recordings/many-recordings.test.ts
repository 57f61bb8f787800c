/** What each round of the monitor asks of the finished recordings: a few rows, however many there are. */
import type { Database, Queryable } from '../../../lib/platform/database.ts';
import { hashFiles } from '../../../lib/recordings/report-hash.ts';
import { RetentionRepository } from '../../../lib/recordings/retention-repository.ts';
import { type Harness, startHarness } from '../../support/service-harness.ts';

const FINISHED = 5000;
const DAY = 86_400_000;

let harness: Harness;

beforeAll(async () => {
  harness = await startHarness();
  await harness.context.db.query(
    `INSERT INTO recordings (stream_id, stream_key, object_key, file_path, status, duration, file_size, started_at, completed_at,
                             sha256, staging_removed_at)
     SELECT gen_random_uuid(), n, n || '.mp4', 'recordings/' || n || '.mp4', 'completed', 60, 1000, now(), now() - n * interval '1 minute',
            repeat('a', 64), now()
       FROM generate_series(1, $1::int) AS n`,
    [FINISHED],
  );
  await harness.context.db.query(
    'INSERT INTO recording_hashes (recording_id, generation) SELECT id, 1 FROM recordings',
  );
  await harness.context.db.query('ANALYZE');
});
afterAll(() => harness.stop());

/** How many recordings were read for the work. */
const rowsReadFor = (work: (db: Queryable) => Promise<unknown>): Promise<number> =>
  harness.context.db.transaction(async (client) => {
    const read = async () => {
      const { rows } = await client.query<{ rows: number }>(
        `SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) AS rows FROM pg_stat_xact_user_tables WHERE relname = 'recordings'`,
      );
      return Number(rows[0]?.rows ?? 0);
    };
    const before = await read();
    await work(client);
    return (await read()) - before;
  });

/** The one connection in place of the pool; there is nothing to hash, so that no transaction begins. */
const asDatabase = (db: Queryable): Database => ({
  query: (text, values) => db.query(text, values),
  transaction: () => Promise.reject(new Error('not here')),
  end: () => Promise.resolve(),
});

it.each<[string, (db: Queryable) => Promise<unknown>]>([
  ['staging to remove', (db) => new RetentionRepository(db).findStagingToRemove(new Date(), 50)],
  [
    'recordings that are expired',
    (db) => new RetentionRepository(db).findExpired(new Date(Date.now() - 300 * DAY), 20, new Date()),
  ],
  ['files to hash', (db) => hashFiles({ ...harness.context, db: asDatabase(db) }, 1000)],
])('looking for %s reads none of the others', async (_what, work) => {
  expect(await rowsReadFor(work)).toBeLessThan(20);
});
