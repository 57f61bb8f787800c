/**
 * Runs a task of package.json on the pinned Node of node_modules, installing the packages first where they are missing or
 * are not those of package-lock.json. Plain JavaScript without imports from packages, for whatever Node (20 or newer) the
 * machine has. What a task does is not decided here.
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { ensureInstalled, InstallError } from './install.mjs';
import { runCheck, runStoreTests, runTests } from './run-tasks.mjs';

const root = path.join(import.meta.dirname, '..');
const [task = '', ...words] = process.argv.slice(2);
const forwarded = ['SIGINT', 'SIGTERM', 'SIGHUP'];
/** @type {import('node:child_process').ChildProcess | undefined} */
let child;
let stopped = false;

for (const signal of forwarded) {
  process.on(signal, () => {
    stopped = true;
    child?.kill(signal);
  });
}

// npm that is killed outright cannot pass a signal on. Its end shows in who our parent is, or whose child the shell is
// that npm put between itself and us.
if (process.env.npm_lifecycle_event !== undefined) {
  const family = () => `${process.ppid} ${parentOf(process.ppid)}`;
  const before = family();
  setInterval(() => {
    if (family() === before) return;
    stopped = true;
    child?.kill('SIGTERM');
  }, 500).unref();
}

/** The parent of another process, where the system tells (Linux). */
function parentOf(pid) {
  try {
    return /^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  } catch {
    return undefined;
  }
}

/**
 * Runs a program to its end on the pinned Node, with the terminal as its own.
 * @param {string[]} args
 * @param {{ env?: Record<string, string>, watched?: boolean, onStart?: (child: import('node:child_process').ChildProcess) => void }} [options]
 *   watched: the program ends when this process is killed
 * @returns {Promise<number>} its exit code
 */
function run(args, { env = {}, watched = false, onStart } = {}) {
  if (stopped) return Promise.resolve(130);
  const started = spawn(node, args, {
    cwd: root,
    stdio: ['inherit', 'inherit', 'inherit', ...(watched ? ['ipc'] : [])],
    env: {
      ...process.env,
      PATH: `${path.join(root, 'node_modules/.bin')}${path.delimiter}${process.env.PATH}`,
      ...env,
    },
  });
  child = started;
  onStart?.(started);
  return new Promise((resolve) => {
    started.once('error', (error) => {
      console.error(`Cannot run ${node}: ${error.message}`);
      resolve(1);
    });
    started.once('exit', (code, signal) => resolve(code ?? 128 + signalNumber(signal)));
  });
}

const signalNumber = (signal) => ({ SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 })[signal] ?? 1;
/** Node announces with each start that parts of it are experimental; those that we use are chosen. */
const quiet = '--disable-warning=ExperimentalWarning';

/** As localstack/functions.ts has it, and for its reason: S3 and SQS are in this process. */
const heapForBodies = '--max-semi-space-size=2';

/** The dashboard is served from what this writes. */
const buildWeb = () => run([quiet, 'scripts/build-web.ts']);

/** @type {Record<string, () => Promise<number>>} */
const tasks = {
  start: async () =>
    (await buildWeb()) || run([quiet, heapForBodies, 'localstack/start.ts', ...words], { watched: true }),
  demo: () => run([quiet, 'scripts/demo.ts', ...words], { watched: true }),
  test: () => runTests(run, words),
  'test:unit': () => runTests(run, [...words, '--selectProjects', 'unit', 'property']),
  'test:integration': () => runTests(run, [...words, '--selectProjects', 'integration']),
  'test:e2e': () => runTests(run, [...words, '--selectProjects', 'e2e']),
  'test:minio': () => runStoreTests(run, ['minio'], words),
  'test:stores': () => runStoreTests(run, ['minio', 'versitygw'], words),
  check: () => runCheck(run),
  format: () => run(['node_modules/@biomejs/biome/bin/biome', 'check', '--write', ...words]),
  layer: () => run(['layers/ffmpeg/build.mjs', ...words]),
  package: async () => (await buildWeb()) || run(['node_modules/serverless/bin/serverless.js', 'package', ...words]),
};

/** Tasks that are one program of their own name need no line above. */
const script = [`scripts/${task}.ts`, `test/${task}/${task}.ts`].find((file) => existsSync(path.join(root, file)));
if (!Object.hasOwn(tasks, task) && !(script && /^[a-z-]+$/.test(task))) {
  console.error(`usage: node scripts/run.mjs ${Object.keys(tasks).join('|')} [arguments]`);
  process.exit(2);
}

let node = process.execPath;
try {
  node = await ensureInstalled(root);
} catch (error) {
  if (!(error instanceof InstallError)) throw error;
  console.error(`✖ ${error.message}`);
  process.exit(1);
}
process.exitCode = await (tasks[task] ?? (() => run([quiet, script ?? '', ...words], { watched: true })))();
