/**
 * Makes node_modules what package-lock.json says, and does by hand what install scripts would have done: npm runs none of
 * them here, since newer ones refuse to, and since one of them downloads from a place that not every machine may reach.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** The message is for the user. */
export class InstallError extends Error {}

/**
 * @param {string} root
 * @returns {Promise<string>} the path of the Node to run everything on
 */
export async function ensureInstalled(root) {
  const stamp = path.join(root, 'node_modules', '.recording-service-install');
  const wanted = createHash('sha256')
    .update(readFileSync(path.join(root, 'package-lock.json')))
    .digest('hex');
  const node = path.join(root, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
  const isDone = () => readText(stamp) === wanted && existsSync(node);
  if (isDone()) return node;
  const release = await lock(root);
  try {
    if (isDone()) return node;
    if (!matchesLock(root)) installPackages(root);
    makeExecutable(root);
    const pinned = ensureNode(root, node);
    // Packages that somebody else installed may be read-only for us: then this is repeated, which costs little.
    tryTo(() => writeFileSync(stamp, wanted));
    return pinned;
  } finally {
    release();
  }
}

const readText = (file) => tryTo(() => readFileSync(file, 'utf8'));
const readJson = (file) => tryTo(() => JSON.parse(readFileSync(file, 'utf8')));

function tryTo(work) {
  try {
    return work();
  } catch {
    return undefined;
  }
}

/** True when what is installed (npm keeps a list of it) is what the lock file names; optional packages may be missing. */
function matchesLock(root) {
  const locked = readJson(path.join(root, 'package-lock.json'))?.packages ?? {};
  const installed = readJson(path.join(root, 'node_modules', '.package-lock.json'))?.packages;
  if (!installed) return false;
  return Object.entries(locked).every(([location, entry]) => {
    if (location === '' || entry.link) return true;
    const present = installed[location];
    return present ? present.version === entry.version : Boolean(entry.optional || entry.devOptional);
  });
}

function installPackages(root) {
  console.error('Installing packages (once; about a minute) …');
  const npm = npmCommand();
  const common = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  // `ci` is exact, and gives up where a registry lacks an optional package of another platform; `install` passes it over.
  for (const command of [['ci'], ['install', '--no-save']]) {
    const args = [...npm.args, ...command, ...common];
    const { status } = spawnSync(npm.file, args, { cwd: root, stdio: ['ignore', 2, 2], shell: npm.shell });
    if (status === 0) return;
  }
  throw new InstallError('npm could not install the packages; its messages are above.');
}

/** The npm that started us, if there is one; it need not be on PATH. */
function npmCommand() {
  const cli = process.env.npm_execpath;
  if (cli?.endsWith('.js') && existsSync(cli)) return { file: process.execPath, args: [cli], shell: false };
  return { file: 'npm', args: [], shell: process.platform === 'win32' };
}

/** Binaries that come without their executable bit. */
function makeExecutable(root) {
  const { platform, arch } = process;
  for (const name of ['ffmpeg', 'ffprobe']) {
    const file = path.join(root, 'node_modules', `@${name}-installer`, `${platform}-${arch}`, name);
    const mode = tryTo(() => statSync(file).mode);
    if (mode !== undefined && (mode & 0o111) === 0) tryTo(() => chmodSync(file, 0o755));
  }
}

/** The package `node` fetches the binary of this platform by an install script of its own. */
function ensureNode(root, node) {
  const folder = path.join(root, 'node_modules', 'node');
  const version = `v${readJson(path.join(folder, 'package.json'))?.version}`;
  if (versionOf(node) === version) return node;
  console.error(`Installing Node ${version} into node_modules …`);
  // It calls npm by name, so npm has to be on its PATH, and it works in its own directory.
  const env = {
    ...process.env,
    npm_config_ignore_scripts: 'true',
    npm_config_audit: 'false',
    npm_config_fund: 'false',
  };
  for (const name of Object.keys(env)) {
    // A prefix or a workspace of the npm that started us is not that of this package.
    if (/^npm_(config_(local_prefix|prefix|global_prefix)|package_|lifecycle_)/.test(name)) delete env[name];
  }
  spawnSync(process.execPath, ['installArchSpecificPackage.js'], { cwd: folder, env, stdio: ['ignore', 2, 2] });
  if (versionOf(node) === version) return node;
  const [major = 0] = process.versions.node.split('.').map(Number);
  if (major >= 24) {
    console.error(`Node ${version} could not be installed; going on with ${process.version}.`);
    return process.execPath;
  }
  throw new InstallError(`Node ${version} could not be installed, and ${process.version} is too old to go on with.`);
}

function versionOf(node) {
  return tryTo(() =>
    execFileSync(node, ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim(),
  );
}

/** One installation at a time, when two tasks are started on a fresh clone. */
async function lock(root) {
  const directory = path.join(root, '.cache', 'install.lock');
  const owner = path.join(directory, 'pid');
  tryTo(() => mkdirSync(path.dirname(directory), { recursive: true }));
  for (let waits = 0; ; waits += 1) {
    try {
      mkdirSync(directory);
      writeFileSync(owner, String(process.pid));
      return () => rmSync(directory, { recursive: true, force: true });
    } catch (error) {
      // A read-only checkout can only be used as it is.
      if (error.code !== 'EEXIST') return () => {};
    }
    const pid = Number(readText(owner));
    // A moment for the owner to write its number; then a lock of nobody is taken over.
    if (waits > 4 && !isAlive(pid)) rmSync(directory, { recursive: true, force: true });
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

function isAlive(pid) {
  if (!(pid > 0)) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
