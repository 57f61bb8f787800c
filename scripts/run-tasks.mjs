/** The tasks of run.mjs that are more than one program: the tests and the checks. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const JEST_ENV = { NODE_OPTIONS: '--experimental-vm-modules --disable-warning=ExperimentalWarning' };
/** Time for jest to end after its last test. What keeps it longer is a leak, which must not hang a build. */
const END_MS = 15_000;

/** End-to-end tests that measure times. */
const TIMED = String.raw`/test/e2e/(lost|recording|restart)\.test\.ts$`;

/**
 * Runs the tests and ends with one line that counts them. Those that measure times get the machine for themselves, after
 * everything else.
 * @param {(args: string[], options?: object) => Promise<number>} run
 * @param {string[]} words arguments for jest; with any, there is one run
 */
export async function runTests(run, words) {
  const phases =
    words.length > 0
      ? [words]
      : [
          // `stores` wants real servers beside the embedded ones: `npm run test:minio`. Tests wait for their back ends a
          // third of the time: on two cores three workers are faster than two.
          ['--ignoreProjects', 'e2e', 'stores', '--maxWorkers=3'],
          ['--selectProjects', 'e2e', '--maxWorkers=2', `--testPathIgnorePatterns=${TIMED}`],
          ['--selectProjects', 'e2e', '--runInBand', `--testPathPatterns=${TIMED}`],
        ];
  const scratch = mkdtempSync(path.join(tmpdir(), 'recording-tests-'));
  const total = { passed: 0, failed: 0, skipped: 0 };
  let exitCode = 0;
  try {
    for (const [index, phase] of phases.entries()) {
      const file = path.join(scratch, `counts-${index}.json`);
      const code = await runJest(run, phase, file);
      const counts = readCounts(file);
      // Jest that died has counted nothing: that is no success.
      if (!counts) total.failed += 1;
      for (const name of Object.keys(total)) total[name] += counts?.[name] ?? 0;
      exitCode ||= code || (counts ? 0 : 1);
      if (code >= 128) break;
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : '';
  console.log(`tests: ${total.passed} passed, ${total.failed} failed${skipped}`);
  return exitCode;
}

/**
 * Runs the tests of real S3 servers, building the servers first where they are not there. One that cannot be had is said
 * in a line and is no failure.
 * @param {(args: string[], options?: object) => Promise<number>} run
 * @param {string[]} names of test/stores/
 * @param {string[]} words further arguments for jest
 */
export async function runStoreTests(run, names, words) {
  const present = [];
  for (const name of names) {
    const code = await run(['scripts/build-stores.ts', name]);
    if (code === 0) present.push(name);
    else if (code !== 3) return code;
  }
  if (present.length === 0) return 0;
  const paths = `--testPathPatterns=test/stores/(${present.join('|')})/`;
  // Each of them has servers and a recorder to run, and waits for them most of the time: two files at a time.
  return runTests(run, ['--selectProjects', 'stores', '--maxWorkers=2', paths, ...words]);
}

async function runJest(run, args, countsFile) {
  const reporters = ['--reporters=default', `--reporters=${path.join(import.meta.dirname, 'count-reporter.mjs')}`];
  /** @type {NodeJS.Timeout | undefined} */
  let watch;
  const onStart = (child) => {
    let since = 0;
    watch = setInterval(() => {
      if (!readCounts(countsFile)) return;
      since += 500;
      if (since < END_MS) return;
      console.error('Jest does not end: something that a test opened is still open. Stopping it.');
      child.kill('SIGKILL');
    }, 500);
  };
  // Words first: jest takes those after --reporters or --selectProjects for more of the same, and would run everything.
  const jest = ['node_modules/jest/bin/jest.js', ...args, '--passWithNoTests', ...reporters];
  const code = await run(jest, { env: { ...JEST_ENV, TEST_COUNTS_FILE: countsFile }, onStart });
  clearInterval(watch);
  return code;
}

function readCounts(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}

/** Everything that can be said without running the code; changes nothing. All of it runs, whatever fails. */
export async function runCheck(run) {
  const checks = {
    'format and lint': ['node_modules/@biomejs/biome/bin/biome', 'ci', '--error-on-warnings', '.'],
    types: ['node_modules/typescript/bin/tsc', '-p', '.'],
    'types of the dashboard': ['node_modules/typescript/bin/tsc', '-p', 'web'],
    'unused code': ['node_modules/knip/bin/knip.js', '--no-progress'],
    'direction of imports': [
      'node_modules/dependency-cruiser/bin/dependency-cruise.mjs',
      ...['--config', '.dependency-cruiser.cjs', '--output-type', 'err'],
      ...['functions', 'lib', 'localstack', 'scripts', 'test'],
    ],
  };
  const failed = [];
  for (const [name, args] of Object.entries(checks)) {
    console.log(`── ${name}`);
    if ((await run(args)) !== 0) failed.push(name);
  }
  console.log(failed.length === 0 ? 'check: all passed' : `check: failed: ${failed.join(', ')}`);
  return failed.length === 0 ? 0 : 1;
}
