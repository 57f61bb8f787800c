/**
 * `npm run bench`: how long it takes from a stream's end to its MP4, for streams of several lengths, and what it costs.
 * Owns the run: source, store, one length after the other, and what is printed and written to bench-out/.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { ffmpegBinary } from '../support/media/tools.ts';
import { BENCH_USAGE, type BenchArguments, parseBenchArguments } from './bench-arguments.ts';
import { plotBench } from './bench-plot.ts';
import { type BenchResult, formatLength, judge, type LengthResult } from './bench-results.ts';
import type { StoreFunctions } from './bench-store.ts';
import { benchTable, verdictLines } from './bench-table.ts';
import type { WorkerFunctions } from './bench-worker.ts';
import { type BenchSettings, measureLength } from './measure-length.ts';
import { startRemote } from './remote-process.ts';
import { beginning, makeSource } from './stream-source.ts';

const ROOT = join(import.meta.dirname, '../..');

/** Runs the benchmark in a folder of its own, which is gone afterwards. */
export async function runBench(options: BenchArguments, say: (line: string) => void): Promise<BenchResult> {
  const folder = await mkdtemp(join(options.folder ?? tmpdir(), 'recording-bench-'));
  try {
    const longest = Math.max(...options.lengthsSeconds);
    say(`Making a stream of ${formatLength(longest)} at ${(options.bitsPerSecond / 1e6).toFixed(1)} Mbit/s …`);
    const source = await makeSource(join(folder, 'source'), longest, options.bitsPerSecond);
    const env = { BENCH_FOLDER: join(folder, 'store'), BENCH_FAST: String(options.fast) };
    const store = await startRemote<StoreFunctions>(join(import.meta.dirname, 'bench-store.ts'), env);
    try {
      const settings = await settle(options, folder, await store.call.environment(), say);
      const lengths: LengthResult[] = [];
      for (const seconds of options.lengthsSeconds.toSorted((a, b) => a - b)) {
        say(`${formatLength(seconds)}:`);
        lengths.push(await measureLength(settings, seconds, beginning(source, seconds)));
      }
      return await describe(options, lengths);
    } finally {
      await store.stop();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function settle(
  options: BenchArguments,
  folder: string,
  storeEnv: Readonly<Record<string, string>>,
  say: (line: string) => void,
): Promise<BenchSettings> {
  const env = {
    ...storeEnv,
    SCRATCH_DIR: join(folder, 'scratch'),
    PART_SIZE: String(options.partSizeBytes),
    LOG_LEVEL: process.env.BENCH_LOG_LEVEL ?? 'error',
    DB_POOL_MAX: '4',
  };
  const worker = await startRemote<WorkerFunctions>(join(import.meta.dirname, 'bench-worker.ts'), env);
  await worker.call.migrate(join(ROOT, 'migrations'));
  await worker.stop();
  const { window, shortWayUpToSeconds, profile } = options;
  return { folder, env, window, shortWayUpToSeconds, profile, say };
}

async function describe(options: BenchArguments, lengths: readonly LengthResult[]): Promise<BenchResult> {
  return {
    at: new Date().toISOString(),
    machine: `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}`,
    ffmpeg: (await ffmpegBinary()).version,
    node: process.version,
    bitsPerSecond: options.bitsPerSecond,
    partSizeBytes: options.partSizeBytes,
    window: options.window,
    lengths,
  };
}

async function main(): Promise<number> {
  const parsed = parseBenchArguments(process.argv.slice(2));
  if (parsed.kind !== 'run') {
    console.log(parsed.kind === 'help' ? BENCH_USAGE : `${parsed.problem}\n\n${BENCH_USAGE}`);
    return parsed.kind === 'help' ? 0 : 2;
  }
  const result = await runBench(parsed.options, (line) => console.log(line));
  console.log(`\n${benchTable(result)}\n\n${verdictLines(judge(result)).join('\n')}`);
  const out = join(ROOT, 'bench-out');
  await mkdir(out, { recursive: true });
  await writeFile(join(out, 'bench.json'), `${JSON.stringify(result, null, 2)}\n`);
  await writeFile(join(out, 'bench.svg'), plotBench(result));
  console.log('\nWritten: bench-out/bench.json, bench-out/bench.svg');
  return 0;
}

if (import.meta.main) process.exitCode = await main();
