import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { startPostgres } from '../../../localstack/postgres.ts';
import { choosePostgresUser, commandAs } from '../../../localstack/postgres-binaries.ts';
import { until } from './until.ts';

const scratch: string[] = [];
// Mode 700 and owned by whoever runs the tests: as root, the user PostgreSQL runs as may not enter it.
const dataDir = async () => {
  const dir = await mkdtemp(path.join(tmpdir(), 'stack-pg-'));
  scratch.push(dir);
  return path.join(dir, 'pg');
};

const orphans: number[] = [];
afterAll(async () => {
  // Where a test failed half-way, its server may still be there.
  for (const pid of orphans) if (isAlive(pid)) process.kill(pid, 'SIGKILL');
  await Promise.all(scratch.map((dir) => rm(dir, { recursive: true, force: true })));
});

async function query(url: string, text: string): Promise<Record<string, unknown>> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    const result = await client.query<Record<string, unknown>>(text);
    return result.rows[0] ?? {};
  } finally {
    await client.end();
  }
}

/** Whether a process still does anything: a zombie that nobody has reaped yet does not. */
const isAlive = (pid: number) => {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};

/** Starts a server in a process of its own, so that the process can be killed. */
async function startElsewhere(dir: string): Promise<{ killParent: () => void; pid: number }> {
  const module = new URL('../../../localstack/postgres.ts', import.meta.url).href;
  const script = `const { startPostgres } = await import(${JSON.stringify(module)});
    const { pid } = await startPostgres({ dataDir: ${JSON.stringify(dir)}, fast: true });
    console.log('pid=' + pid); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  await until(() => /pid=\d+/.test(output), 20_000);
  const pid = Number(/pid=(\d+)/.exec(output)?.[1]);
  orphans.push(pid);
  return { killParent: () => child.kill('SIGKILL'), pid };
}

describe('embedded PostgreSQL', () => {
  it('gives the service a database that it owns without being a superuser, in UTC, and keeps it over a restart', async () => {
    const dir = await dataDir();
    const first = await startPostgres({ dataDir: dir, fast: true });
    const facts = await query(
      first.url,
      `SELECT rolsuper, pg_get_userbyid(datdba) AS owner, current_setting('TimeZone') AS zone, datname
       FROM pg_roles, pg_database WHERE rolname = current_user AND datname = current_database()`,
    );
    expect(facts).toEqual({ rolsuper: false, owner: 'streaming_user', zone: 'UTC', datname: 'vod_db' });
    await query(first.url, 'CREATE TABLE kept AS SELECT 42 AS answer');
    await first.stop();
    expect(isAlive(first.pid)).toBe(false);

    const startedAt = performance.now();
    const second = await startPostgres({ dataDir: dir, fast: true });
    expect(performance.now() - startedAt).toBeLessThan(2000);
    expect(await query(second.url, 'SELECT answer FROM kept')).toEqual({ answer: 42 });
    await second.stop();
  });

  it('stops by itself when the process that started it is killed', async () => {
    const { killParent, pid } = await startElsewhere(await dataDir());
    killParent();
    await until(() => !isAlive(pid), 3000);
  });

  it('starts again at once while the server of a killed process is still there, and loses nothing', async () => {
    const dir = await dataDir();
    const { killParent, pid } = await startElsewhere(dir);
    // A stopped server cannot shut down by itself: this is the orphan that the next start finds.
    process.kill(pid, 'SIGSTOP');
    killParent();
    const next = await startPostgres({ dataDir: dir, fast: true });
    expect(isAlive(pid)).toBe(false);
    expect(await query(next.url, 'SELECT 1 AS one')).toEqual({ one: 1 });
    await next.stop();
  });

  it('recovers what was committed after the server itself was killed', async () => {
    const dir = await dataDir();
    const first = await startPostgres({ dataDir: dir });
    await query(first.url, 'CREATE TABLE committed AS SELECT 7 AS answer');
    process.kill(first.pid, 'SIGKILL');
    await first.exited;
    const second = await startPostgres({ dataDir: dir });
    expect(await query(second.url, 'SELECT answer FROM committed')).toEqual({ answer: 7 });
    await second.stop();
  });

  it('is not stopped by a lock file whose process number belongs to another program now', async () => {
    const dir = await dataDir();
    const first = await startPostgres({ dataDir: dir, fast: true });
    const lock = await readFile(path.join(dir, 'postmaster.pid'), 'utf8');
    await first.stop();
    await writeFile(path.join(dir, 'postmaster.pid'), lock.replace(/^\d+/, String(process.pid)));
    const second = await startPostgres({ dataDir: dir, fast: true });
    await second.stop();
  });

  it('may use programs and data in directories that only we may enter', async () => {
    const dir = path.dirname(await dataDir());
    await writeFile(path.join(dir, 'program'), '#!/bin/sh', { mode: 0o755 });
    const user = await choosePostgresUser(dir);
    // What PostgreSQL asks of its own programs, and a look at who asks: never root.
    const check = ['/bin/sh', '-c', `test -x ${dir}/program && test -r ${dir}/program && id -u`] as const;
    const { command, ...as } = await commandAs(user, check, [dir]);
    const [file, ...args] = command;
    const { stdout } = spawnSync(file, args, { ...as, cwd: '/', encoding: 'utf8' });
    expect(Number(stdout)).toBe(user?.uid ?? process.getuid?.());
    expect(stdout.trim()).not.toBe('0');
  });

  it('says which port is taken', async () => {
    const first = await startPostgres({ dataDir: await dataDir(), fast: true });
    await expect(startPostgres({ dataDir: await dataDir(), port: first.port, fast: true })).rejects.toMatchObject({
      code: 'POSTGRES_UNAVAILABLE',
      message: expect.stringContaining(String(first.port)),
    });
    await first.stop();
  });
});
