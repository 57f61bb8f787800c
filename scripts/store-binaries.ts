/**
 * The real S3 servers of `npm run test:stores`: which versions, where a binary of them may be, and building one with the
 * Go toolchain into a cache outside the checkout. Starting them is test/support/stores/.
 */
import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants, mkdirSync, mkdtempSync, renameSync, rmSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';

export type StoreName = 'minio' | 'versitygw';

interface StoreSource {
  readonly title: string;
  /** What `go install` is given. */
  readonly package: string;
  readonly version: string;
  /** The variable that names a binary, before any other place is looked at. */
  readonly variable: string;
}

export const STORES: Readonly<Record<StoreName, StoreSource>> = {
  minio: {
    title: 'MinIO',
    package: 'github.com/minio/minio',
    // The last commit of the archived repository. Its release tags are no versions to a Go module proxy: they do not
    // begin with "v", so that `go install …@RELEASE…` works only where the repository itself can be reached.
    version: 'v0.0.0-20260212201848-7aac2a2c5b7c',
    variable: 'MINIO_BINARY',
  },
  versitygw: {
    title: 'VersityGW',
    package: 'github.com/versity/versitygw/cmd/versitygw',
    version: 'v1.8.0',
    variable: 'VERSITYGW_BINARY',
  },
};

type Environment = Readonly<Record<string, string | undefined>>;

/** Kept between runs, and of no one checkout. */
function cacheFolder(env: Environment): string {
  return path.join(env.XDG_CACHE_HOME || path.join(env.HOME || homedir(), '.cache'), 'recording-service', 'bin');
}

/** The version is in the name: another pinned version is another file. */
function cachedBinary(name: StoreName, env: Environment): string {
  return path.join(cacheFolder(env), `${name}-${STORES[name].version}`);
}

/** The binary of a server, or null: the one that its variable names, the pinned one of the cache, one on PATH. */
export function findStoreBinary(name: StoreName, env: Environment = process.env): string | null {
  const named = env[STORES[name].variable];
  if (named) return isExecutable(named) ? named : null;
  const onPath = (env.PATH ?? '').split(path.delimiter).map((folder) => path.join(folder, name));
  return [cachedBinary(name, env), ...onPath].find(isExecutable) ?? null;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return path.isAbsolute(file) && statSync(file).isFile();
  } catch {
    return false;
  }
}

export function hasGo(): boolean {
  return spawnSync('go', ['version'], { stdio: 'ignore' }).status === 0;
}

export type BuildOutcome =
  | { readonly kind: 'built'; readonly path: string }
  | { readonly kind: 'not-built'; readonly why: string };

/**
 * Builds a server's pinned version into the cache. What the time was too short for is gone on with by the next build:
 * Go keeps every package that it has compiled.
 */
export async function buildStore(name: StoreName, timeoutMs: number, env: Environment): Promise<BuildOutcome> {
  const target = cachedBinary(name, env);
  let folder: string;
  try {
    mkdirSync(path.dirname(target), { recursive: true });
    // Beside the target, so that moving it there is one step: two builds at once do not meet half a binary.
    folder = mkdtempSync(`${target}.making-`);
  } catch (error) {
    return { kind: 'not-built', why: `the cache ${path.dirname(target)} cannot be written: ${String(error)}` };
  }
  try {
    const { package: source, version } = STORES[name];
    const result = await runGo(['install', `${source}@${version}`], folder, timeoutMs, env);
    if (result !== null) return { kind: 'not-built', why: result };
    renameSync(path.join(folder, name), target);
    return { kind: 'built', path: target };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Null where it succeeded, otherwise why it did not, in one line. */
function runGo(args: readonly string[], folder: string, timeoutMs: number, env: Environment): Promise<string | null> {
  return new Promise((resolve) => {
    const started = performance.now();
    const go = spawn('go', args, {
      cwd: folder,
      env: { ...env, GOBIN: folder, GOWORK: 'off', CGO_ENABLED: '0' },
      stdio: ['ignore', 'ignore', 'pipe'],
      // A group of its own: the compilers that it has started have to end with it.
      detached: true,
    });
    let tail = '';
    go.stderr.setEncoding('utf8').on('data', (text: string) => {
      tail = (tail + text).slice(-2000);
    });
    const seconds = () => Math.round((performance.now() - started) / 1000);
    let late = false;
    const stop = () => {
      late = true;
      try {
        if (go.pid !== undefined) process.kill(-go.pid, 'SIGTERM');
      } catch {
        // It has ended meanwhile.
      }
    };
    const deadline = setTimeout(stop, timeoutMs);
    process.once('SIGTERM', stop).once('SIGINT', stop);
    go.once('error', () => {
      clearTimeout(deadline);
      resolve('Go cannot be run');
    });
    go.once('close', (code) => {
      clearTimeout(deadline);
      process.off('SIGTERM', stop).off('SIGINT', stop);
      if (code === 0) resolve(null);
      else if (late) resolve(`its build was not done after ${seconds()} s; the next one goes on from there`);
      else resolve(`its build failed: ${lastLine(tail)}`);
    });
  });
}

const lastLine = (text: string): string => text.trim().split('\n').at(-1)?.slice(0, 300) ?? '';
