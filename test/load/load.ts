/**
 * `npm run load`: many live streams at once on this machine, through the real HTTP, S3 and SQS of the embedded stack.
 * Owns the run from what was typed to what is printed; it is bounded in time and stays on loopback.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeSource } from '../bench/stream-source.ts';
import { LOAD_USAGE, type LoadArguments, parseLoadArguments } from './load-arguments.ts';
import { isClean, type LoadResult, loadTable } from './load-results.ts';
import { runLoad } from './load-run.ts';

const OUT = join(import.meta.dirname, '../../bench-out');

/** Makes the stream that all of them send, and runs the load. */
export async function load(options: LoadArguments, say: (line: string) => void): Promise<LoadResult> {
  const folder = await mkdtemp(join(tmpdir(), 'recording-load-source-'));
  try {
    const { segmentSeconds } = options;
    const source = await makeSource(folder, options.seconds, options.kbits * 1000, segmentSeconds);
    const durationMs = segmentSeconds * 1000;
    return await runLoad(options, { segments: source.segments.map((path) => ({ path, durationMs })) }, say);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function main(): Promise<number> {
  const parsed = parseLoadArguments(process.argv.slice(2));
  if (parsed.kind !== 'run') {
    console.log(parsed.kind === 'help' ? LOAD_USAGE : `${parsed.problem}\n\n${LOAD_USAGE}`);
    return parsed.kind === 'help' ? 0 : 2;
  }
  const result = await load(parsed.options, (line) => console.log(line));
  console.log(`\n${loadTable(result)}\n`);
  await mkdir(OUT, { recursive: true });
  await writeFile(join(OUT, 'load.json'), `${JSON.stringify(result, null, 2)}\n`);
  console.log(isClean(result) ? 'Nothing lost, nothing stuck.' : 'Something was lost or is stuck: see above.');
  return isClean(result) ? 0 : 1;
}

if (import.meta.main) process.exitCode = await main();
