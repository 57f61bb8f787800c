/**
 * Applies the SQL files of `migrations/` in order, each once and each in one transaction. Several starting
 * processes may race: the table of applied migrations is locked while one of them works.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Database } from './database.ts';
import type { Logger } from './logging.ts';

/**
 * Brings the database to the newest schema and returns the names of the files applied now.
 * @param folder the directory of `NNN_name.sql` files
 */
export async function migrate(database: Database, folder: string, logger: Logger): Promise<string[]> {
  const files = (await readdir(folder)).filter((name) => /^\d{3}_.+\.sql$/.test(name)).sort();
  await database.query(
    'CREATE TABLE IF NOT EXISTS recording_migrations (name TEXT PRIMARY KEY, applied_at TIMESTAMPTZ NOT NULL DEFAULT now())',
  );
  const { rows } = await database.query<{ name: string }>('SELECT name FROM recording_migrations');
  const before = new Set(rows.map((row) => row.name));
  const applied: string[] = [];
  for (const name of files.filter((file) => !before.has(file))) {
    const sql = await readFile(join(folder, name), 'utf8');
    const fresh = await database.transaction(async (client) => {
      await client.query('LOCK TABLE recording_migrations IN EXCLUSIVE MODE');
      const known = await client.query('SELECT 1 FROM recording_migrations WHERE name = $1', [name]);
      if (known.rows.length > 0) return false;
      await client.query(sql);
      await client.query('INSERT INTO recording_migrations (name) VALUES ($1)', [name]);
      return true;
    });
    if (fresh) {
      applied.push(name);
      logger.info({ migration: name }, 'Applied database migration');
    }
  }
  return applied;
}
