/**
 * Drives the engine the way the finalizer does: parts rolled one after the other, each from what the part before left,
 * the head last. Owns no assertions.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type RollState,
  type RunSlice,
  rollPart,
  type SegmentSource,
  type SliceWay,
} from '../../../lib/ffmpeg/roll.ts';
import { buildHead, type Head, type HeadPart } from '../../../lib/mp4/head.ts';
import { ffmpegBinary } from '../../support/media/index.ts';

export interface EngineRun {
  readonly segments: readonly (string | Uint8Array)[];
  /** How many segments each part takes; the last number repeats. */
  readonly perPart?: readonly number[];
}

export interface EngineResult {
  readonly path: string;
  readonly head: Head;
  readonly parts: readonly HeadPart[];
  readonly states: readonly RollState[];
  readonly warnings: readonly string[];
  /** Who made each slice. */
  readonly ways: readonly SliceWay[];
}

/** Every slice of every run as a part of its own, or, with `joinRuns`, parts that hold the end of one and the next's start. */
export async function runEngine(
  dir: string,
  runs: readonly EngineRun[],
  options: { joinRuns?: boolean } = {},
): Promise<EngineResult> {
  const { path: ffmpegPath } = await ffmpegBinary();
  const slices = runs.flatMap(slicesOf);
  const groups = options.joinRuns === true ? pairs(slices) : slices.map((slice) => [slice]);
  const parts: HeadPart[] = [];
  const media: Uint8Array[] = [];
  const states: RollState[] = [];
  const warnings = new Set<string>();
  const ways: SliceWay[] = [];
  let state: RollState | undefined;
  for (const group of groups) {
    const workDir = await mkdtemp(join(tmpdir(), 'roll-'));
    // What is kept between parts is a row: it must survive being JSON.
    using part = await rollPart({ ffmpegPath, workDir, slices: group, state, timeoutMs: 60_000 });
    state = JSON.parse(JSON.stringify(part.state)) as RollState;
    states.push(state);
    parts.push({ index: part.index, bytes: part.media.length });
    media.push(Buffer.from(part.media));
    ways.push(...part.ways);
    for (const warning of part.warnings) warnings.add(warning);
    await rm(workDir, { recursive: true });
  }
  const head = buildHead({ parts });
  const path = join(dir, 'engine.mp4');
  await writeFile(path, Buffer.concat([head.bytes, ...media]));
  return { path, head, parts, states, warnings: [...warnings], ways };
}

function slicesOf(run: EngineRun): RunSlice[] {
  const sources = run.segments.map(
    (segment): SegmentSource => (typeof segment === 'string' ? { path: segment } : { bytes: segment }),
  );
  const counts = run.perPart ?? [1];
  const slices: RunSlice[] = [];
  for (let from = 0, part = 0; from < sources.length; part++) {
    const count = counts[Math.min(part, counts.length - 1)] ?? 1;
    const segments = sources.slice(from, from + count);
    slices.push({ startsRun: from === 0, segments, following: sources.slice(from + count, from + count + 3) });
    from += count;
  }
  return slices;
}

function pairs(slices: readonly RunSlice[]): RunSlice[][] {
  const grouped: RunSlice[][] = [];
  for (let at = 0; at < slices.length; at += 2) grouped.push(slices.slice(at, at + 2));
  return grouped;
}
