/**
 * Joins local segments into one file with the engine: parts rolled one by one, then the head. For runs the concat
 * demuxer cannot join, and for a rebuild in a scratch space that only holds the result twice.
 */
import { createReadStream, createWriteStream } from 'node:fs';
import { appendFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { buildHead, type HeadPart } from '../mp4/head.ts';
import { NothingCarried } from './errors.ts';
import { type RollState, type RunSlice, rollPart } from './roll.ts';

export interface EngineJoinOptions {
  readonly ffmpegPath: string;
  readonly dir: string;
  readonly runs: readonly (readonly string[])[];
  readonly outputPath: string;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  /** Bytes of segments a part; 16 MiB. */
  readonly partBytes?: number;
}

/** Writes the finished file; answers with the warnings. Throws NothingCarried, and as rollPart and buildHead do. */
export async function joinByEngine(options: EngineJoinOptions): Promise<readonly string[]> {
  const workDir = join(options.dir, 'engine');
  const mediaPath = join(options.dir, 'engine-media.bin');
  const parts: HeadPart[] = [];
  const warnings = new Set<string>();
  let state: RollState | undefined;
  await writeFile(mediaPath, '');
  try {
    for (const slice of await slices(options.runs, options.partBytes ?? 16 * 2 ** 20)) {
      const { ffmpegPath, timeoutMs, signal } = options;
      const job = { ffmpegPath, timeoutMs, workDir, state, slices: [slice] };
      using part = await rollPart(signal === undefined ? job : { ...job, signal });
      for (const warning of part.warnings) warnings.add(warning);
      state = part.state;
      parts.push({ index: part.index, bytes: part.media.length });
      await appendFile(mediaPath, part.media);
    }
    if (parts.every(({ bytes }) => bytes === 0)) throw new NothingCarried([...warnings]);
    await writeFile(options.outputPath, buildHead({ parts }).bytes);
    await pipeline(createReadStream(mediaPath), createWriteStream(options.outputPath, { flags: 'a' }));
  } finally {
    await rm(mediaPath, { force: true });
    await rm(workDir, { recursive: true, force: true });
  }
  return [...warnings];
}

async function slices(runs: readonly (readonly string[])[], partBytes: number): Promise<RunSlice[]> {
  const all: RunSlice[] = [];
  for (const run of runs) {
    let from = 0;
    let bytes = 0;
    for (const [at, path] of run.entries()) {
      bytes += (await stat(path)).size;
      if (bytes < partBytes && at + 1 < run.length) continue;
      const toSource = (segment: string) => ({ path: segment });
      all.push({
        startsRun: from === 0,
        segments: run.slice(from, at + 1).map(toSource),
        following: run.slice(at + 1, at + 4).map(toSource),
      });
      from = at + 1;
      bytes = 0;
    }
  }
  return all;
}
