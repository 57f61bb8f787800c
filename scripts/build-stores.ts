/**
 * `node scripts/run.mjs build-stores minio versitygw`: sees to it that the binaries are there, building what is missing
 * within STORES_BUILD_TIMEOUT seconds (600; 0 builds nothing). Exit code 0: all are there; 3: one is not, and a line
 * says why.
 */
import { type BuildOutcome, buildStore, findStoreBinary, hasGo, STORES, type StoreName } from './store-binaries.ts';

const names = process.argv.slice(2);
const unknown = names.find((name) => !Object.hasOwn(STORES, name));
if (names.length === 0 || unknown !== undefined) {
  console.error(`usage: build-stores ${Object.keys(STORES).join('|')} …`);
  process.exit(2);
}

const seconds = Number(process.env.STORES_BUILD_TIMEOUT || 600);
const deadline = performance.now() + (Number.isFinite(seconds) ? seconds : 600) * 1000;

async function provide(name: StoreName): Promise<BuildOutcome | null> {
  if (findStoreBinary(name)) return null;
  const { title, version, variable } = STORES[name];
  if (process.env[variable]) return { kind: 'not-built', why: `${variable} names no executable file` };
  if (!hasGo()) return { kind: 'not-built', why: `there is no Go toolchain to build it, and ${variable} is not set` };
  const left = deadline - performance.now();
  if (left <= 0) return { kind: 'not-built', why: 'it has not been built yet' };
  console.error(`Building ${title} ${version} (once; minutes) …`);
  return buildStore(name, left, process.env);
}

for (const name of names as StoreName[]) {
  const outcome = await provide(name);
  if (outcome?.kind !== 'not-built') continue;
  console.log(`${STORES[name].title} was not tested: ${outcome.why}`);
  process.exitCode = 3;
}
