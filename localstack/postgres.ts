/**
 * Real PostgreSQL as a child process: initialised once, started, stopped, and tidied up after whatever killed the
 * last one. It owns the cluster, the role and the empty database; the schema is lib/platform/migrate.ts.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { chown, mkdir, readdir, readFile, readlink, realpath, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { hasCode, PostgresUnavailable } from './errors.ts';
import { freePort } from './ports.ts';
import {
  choosePostgresUser,
  commandAs,
  findPostgresBinaries,
  type PostgresBinaries,
  type PostgresUser,
} from './postgres-binaries.ts';

export interface PostgresOptions {
  /** Directory of the cluster; created and initialised when it is empty. */
  readonly dataDir: string;
  /** 0 asks for a free one. */
  readonly port?: number;
  /** Trades durability for speed (fsync off). Only for tests, whose data nobody wants back. */
  readonly fast?: boolean;
  /** Receives PostgreSQL's own log, line by line. */
  readonly log?: (line: string) => void;
}

export interface RunningPostgres {
  readonly port: number;
  /** For the service: the role that owns the database, not a superuser. */
  readonly url: string;
  readonly pid: number;
  /** Resolves when the server process has gone, by stop() or by itself. */
  readonly exited: Promise<void>;
  stop(): Promise<void>;
}

const ROLE = 'streaming_user';
const PASSWORD = 'streaming_pass';
const DATABASE = 'vod_db';
const START_TIMEOUT_MS = 30_000;
const READY = 'database system is ready to accept connections';

/** @throws {PostgresUnavailable} with the last lines of PostgreSQL's log */
export async function startPostgres(options: PostgresOptions): Promise<RunningPostgres> {
  const log = options.log ?? (() => {});
  const binaries = await findPostgresBinaries();
  const user = await prepareDataDir(options.dataDir);
  // Its processes are recognised by where they work, which the system tells without symlinks.
  const dataDir = await realpath(options.dataDir);
  await stopLeftover(dataDir, log);
  if (!(await exists(path.join(dataDir, 'PG_VERSION')))) await initialise(binaries, dataDir, user, log);
  for (let attempt = 1; ; attempt += 1) {
    const port = options.port || (await freePort());
    try {
      return await startServer(binaries, dataDir, user, port, options.fast ?? false, log);
    } catch (error) {
      // A port that was free a moment ago may be taken, and backends of a killed server need a moment to notice.
      const passing = /could not bind|shared memory block/.test(String(error));
      if (!passing || attempt === 5 || (options.port && /could not bind/.test(String(error)))) throw error;
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
  }
}

const exists = (file: string) =>
  stat(file).then(
    () => true,
    () => false,
  );

async function prepareDataDir(dataDir: string): Promise<PostgresUser | undefined> {
  const user = await choosePostgresUser(dataDir);
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  if (user) await chown(dataDir, user.uid, user.gid);
  return user;
}

async function initialise(
  binaries: PostgresBinaries,
  dataDir: string,
  user: PostgresUser | undefined,
  log: (line: string) => void,
): Promise<void> {
  // The superuser gets no password, and passwords are all that is let in over TCP: nobody can log in as it.
  const locale = ['--locale-provider=builtin', '--locale=C.UTF-8', '--encoding=UTF8'];
  const access = ['--username=postgres', '--auth-local=trust', '--auth-host=scram-sha-256'];
  try {
    await run([binaries.initdb, `--pgdata=${dataDir}`, '--no-sync', '--no-instructions', ...locale, ...access], '');
    const statements = `CREATE ROLE ${ROLE} LOGIN PASSWORD '${PASSWORD}'\nCREATE DATABASE ${DATABASE} OWNER ${ROLE}\n`;
    await run([binaries.postgres, '--single', '-D', dataDir, 'postgres'], statements);
  } catch (cause) {
    // Half a cluster would look like a whole one at the next start.
    await rm(dataDir, { recursive: true, force: true });
    throw cause;
  }

  async function run(command: readonly [string, ...string[]], input: string): Promise<void> {
    const child = await spawnAs(command, dataDir, user, binaries);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        output += chunk.toString();
        for (const line of chunk.toString().trimEnd().split('\n')) log(line);
      });
    }
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    if (code !== 0 || /\b(ERROR|FATAL|PANIC):/.test(output)) {
      throw new PostgresUnavailable(`Cannot initialise PostgreSQL in ${dataDir}: ${lastLines(output)}`);
    }
  }
}

async function spawnAs(
  command: readonly [string, ...string[]],
  dataDir: string,
  user: PostgresUser | undefined,
  binaries: PostgresBinaries,
): Promise<ChildProcess> {
  const as = await commandAs(user, command, [path.dirname(dataDir), path.dirname(binaries.postgres)]);
  const [file, ...args] = as.command;
  return spawn(file, args, {
    cwd: '/',
    // Its own process group: Ctrl-C in a terminal is ours to handle, in our order.
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' },
    ...(as.uid === undefined ? {} : { uid: as.uid, gid: as.gid }),
  });
}

function settings(port: number, fast: boolean): string[] {
  const values: Record<string, string | number> = {
    listen_addresses: '127.0.0.1',
    port,
    // TCP is all that anyone needs, and the path of a Unix socket may be too long.
    unix_socket_directories: '',
    max_connections: 200,
    shared_buffers: '64MB',
    timezone: 'UTC',
    log_timezone: 'UTC',
    ...(fast ? { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' } : {}),
  };
  return Object.entries(values).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

/**
 * PostgreSQL does not notice when its parent is killed. A shell beside it reads a pipe from us: at its end, by
 * stop() or by our death, it sends SIGINT, which is the fast shutdown. `$$` is the shell that becomes the server.
 */
const WATCHED = 'exec 3<&0; (cat <&3 >/dev/null 2>&1; kill -INT $$ 2>/dev/null) & exec "$@" </dev/null 3<&-';

async function startServer(
  binaries: PostgresBinaries,
  dataDir: string,
  user: PostgresUser | undefined,
  port: number,
  fast: boolean,
  log: (line: string) => void,
): Promise<RunningPostgres> {
  const command = [binaries.postgres, '-D', dataDir, ...settings(port, fast)];
  const child = await spawnAs(['/bin/sh', '-c', WATCHED, 'sh', ...command], dataDir, user, binaries);
  child.stdin?.on('error', () => {});
  const exited = new Promise<void>((resolve) => {
    child.once('error', () => resolve());
    child.once('exit', () => {
      child.stdin?.destroy();
      resolve();
    });
  });
  await untilReady(child, dataDir, log);
  return {
    port,
    url: `postgres://${ROLE}:${PASSWORD}@127.0.0.1:${port}/${DATABASE}`,
    pid: child.pid ?? 0,
    exited,
    stop: () => stopServer(child, exited),
  };
}

function untilReady(child: ChildProcess, dataDir: string, log: (line: string) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    let recent = '';
    const fail = (why: string) => {
      clearTimeout(timer);
      child.stdin?.destroy();
      reject(new PostgresUnavailable(`PostgreSQL did not start in ${dataDir} (${why}): ${lastLines(recent)}`));
    };
    const timer = setTimeout(() => fail(`nothing for ${START_TIMEOUT_MS / 1000} s`), START_TIMEOUT_MS);
    child.once('error', (error) => fail(error.message));
    child.once('exit', (code, signal) => fail(`it ended with ${signal ?? code}`));
    child.stdout?.resume();
    child.stderr?.on('data', (chunk: Buffer) => {
      const text = chunk.toString();
      for (const line of text.trimEnd().split('\n')) log(line);
      recent = (recent + text).slice(-4000);
      if (!recent.includes(READY)) return;
      clearTimeout(timer);
      resolve();
    });
  });
}

async function stopServer(child: ChildProcess, exited: Promise<void>): Promise<void> {
  const within = (ms: number) =>
    Promise.race([exited.then(() => true), new Promise<false>((resolve) => setTimeout(resolve, ms, false).unref())]);
  child.stdin?.end();
  // The checkpoint of a fast shutdown can be long on a slow disk; without it the next start replays the log.
  if (await within(1500)) return;
  child.kill('SIGQUIT');
  if (await within(500)) return;
  child.kill('SIGKILL');
  await exited;
}

/**
 * What a kill -9 leaves: a server that still runs, backends of one that was killed, or a lock file naming a process
 * that is another program by now (or a zombie that nobody reaps), at which PostgreSQL itself would refuse to start.
 * The lock file only goes when no process of the cluster is left, since it is what keeps two servers apart.
 */
async function stopLeftover(dataDir: string, log: (line: string) => void): Promise<void> {
  const lockFile = path.join(dataDir, 'postmaster.pid');
  // Without /proc (macOS) PostgreSQL's own judgement of its lock file has to do.
  if (!(await exists(lockFile)) || !(await exists('/proc/self/cwd'))) return;
  const escalation: readonly (readonly [NodeJS.Signals, number])[] = [
    ['SIGINT', 1500],
    ['SIGQUIT', 1000],
    ['SIGKILL', 2000],
  ];
  for (const [signal, waitMs] of escalation) {
    for (const pid of await serverProcesses(dataDir)) {
      log(`stopping PostgreSQL process ${pid}, left behind by an earlier run (${signal})`);
      signalProcess(pid, signal);
    }
    for (const deadline = Date.now() + waitMs; Date.now() < deadline; ) {
      if ((await serverProcesses(dataDir)).length === 0) return rm(lockFile, { force: true });
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }
  throw new PostgresUnavailable(`An earlier PostgreSQL still holds ${dataDir} and does not stop.`);
}

/** The server and its backends: they work in the data directory. Zombies have no directory any more. */
async function serverProcesses(dataDir: string): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      if ((await readlink(`/proc/${pid}/cwd`).catch(() => '')) !== dataDir) return false;
      return (await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')).trim() === 'postgres';
    }),
  );
  return pids.filter((_, index) => found[index]).map(Number);
}

function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!hasCode(error, 'ESRCH')) throw error;
  }
}

const lastLines = (text: string) => text.trim().split('\n').slice(-4).join(' | ') || 'it said nothing';
