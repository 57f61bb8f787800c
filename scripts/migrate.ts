/** `npm run migrate`: brings the tables of DATABASE_URL (or DB_*) up to date. The poller does the same when it starts. */
import { join } from 'node:path';
import { readConfig } from '../lib/platform/config.ts';
import { openDatabase } from '../lib/platform/database.ts';
import { ServiceError } from '../lib/platform/errors.ts';
import { createLogger } from '../lib/platform/logging.ts';
import { migrate } from '../lib/platform/migrate.ts';
import { resolveSecrets } from '../lib/platform/secrets.ts';

async function main(): Promise<void> {
  const config = readConfig(await resolveSecrets(process.env));
  const logger = createLogger('warn');
  const database = openDatabase(config, logger);
  try {
    const applied = await migrate(database, join(import.meta.dirname, '../migrations'), logger);
    console.log(applied.length === 0 ? 'The tables are up to date.' : `Applied: ${applied.join(', ')}`);
  } finally {
    await database.end();
  }
}

main().catch((error: unknown) => {
  console.error(error instanceof ServiceError ? `✖ ${error.message}` : error);
  process.exitCode = 1;
});
