/**
 * `node scripts/run.mjs build-stores minio versitygw`: sees to it that the binaries are there, building what is missing
 * within STORES_BUILD_TIMEOUT seconds (600). Exit code 0: all are there; 3: one is not, and a line says why.
 */
import { buildStore, findStoreBinary, STORES, type StoreName } from './store-binaries.ts';

const names = process.argv.slice(2);
const unknown = names.find((name) => !Object.hasOwn(STORES, name));
if (names.length === 0 || unknown !== undefined) {
  console.error(`usage: build-stores ${Object.keys(STORES).join('|')} …`);
  process.exit(2);
}

const seconds = Number(process.env.STORES_BUILD_TIMEOUT || 600);
const deadline = performance.now() + (Number.isFinite(seconds) ? seconds : 600) * 1000;

for (const name of names as StoreName[]) {
  if (findStoreBinary(name)) continue;
  const { title, version, variable } = STORES[name];
  const left = deadline - performance.now();
  const named = process.env[variable];
  if (named || left <= 0) {
    console.log(`${title} was not tested: ${named ? `${variable} names no executable file` : 'it has not been built'}`);
    process.exitCode = 3;
    continue;
  }
  console.error(`Building ${title} ${version} (once; minutes) …`);
  const outcome = await buildStore(name, left, process.env);
  if (outcome.kind === 'built') continue;
  console.log(`${title} was not tested: ${outcome.why}`);
  process.exitCode = 3;
}
