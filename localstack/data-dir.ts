/**
 * The directory in which the embedded stack keeps everything, used by one stack at a time: a second one would take the
 * first one's PostgreSQL for a leftover and stop it.
 */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { DataDirInUse } from './errors.ts';

export interface DataDirLock {
  release(): void;
}

/**
 * Creates the directory and locks it. The lock is SQLite's, which the operating system takes back from a process that
 * was killed: there is no stale lock to clean up.
 * @throws {DataDirInUse}
 */
export async function lockDataDir(directory: string): Promise<DataDirLock> {
  await mkdir(directory, { recursive: true });
  const database = new DatabaseSync(path.join(directory, 'lock.sqlite'));
  try {
    database.exec('PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE');
  } catch (cause) {
    database.close();
    throw new DataDirInUse(directory, { cause });
  }
  return { release: () => database.close() };
}
