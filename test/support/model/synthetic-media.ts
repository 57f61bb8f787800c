/**
 * A media engine for synthetic segments, without ffmpeg: frames become samples as they stand. Owns only what ffmpeg
 * does otherwise; index, head and tables are lib/mp4's, so that what comes out is an MP4 and is read back as one.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RolledPart, RollState, SegmentSource } from '../../../lib/ffmpeg/roll.ts';
import { buildHead } from '../../../lib/mp4/head.ts';
import { summariseMovie } from '../../../lib/mp4/movie-summary.ts';
import { encodeIndex, type Piece } from '../../../lib/mp4/sample-index.ts';
import type { MediaEngine } from '../../../lib/recordings/media-engine.ts';
import { pieceOf } from '../media/pieces.ts';
import { readTables } from '../media/read-tables.ts';
import { FRAME_90K, type Frame, markOf, readFrames } from './synthetic-segment.ts';

/** Where a run stands between two parts: a time stamp, and the same instant on the recording's clock. */
interface Anchor {
  readonly raw90k: number;
  readonly clock90k: number;
}

export const syntheticMedia: MediaEngine = {
  async rollPart({ slices, state: before }): Promise<RolledPart> {
    const media: Uint8Array[] = [];
    const pieces: Piece[] = [];
    let state = before ?? { version: 1, runs: 0, end90k: 0, carry: null, lastDts: {} };
    for (const slice of slices) {
      const segments: Uint8Array[] = [];
      for (const source of slice.segments) segments.push(await readSource(source));
      // The real engine looks at the beginning of what follows.
      for (const source of slice.following.slice(0, 1)) await readSource(source);
      const at = media.reduce((sum, bytes) => sum + bytes.length, 0);
      const rolled = roll(segments, slice.startsRun, state, at);
      media.push(...segments);
      pieces.push(rolled.piece);
      state = rolled.state;
    }
    const samples = pieces.reduce((sum, piece) => sum + piece.sizes.length, 0);
    const made = { media: Buffer.concat(media), index: encodeIndex(pieces), state, samples, warnings: [], ways: [] };
    return { ...made, [Symbol.dispose]: () => {} };
  },
  async joinShortWay({ dir, runs }) {
    const segments = await Promise.all(runs.map((run) => Promise.all(run.map((path) => readFile(path)))));
    const bytes = joinRuns(segments);
    const path = join(dir, 'output.mp4');
    await writeFile(path, bytes);
    return { ...summariseMovie(bytes), path, bytes: bytes.length, way: 'concat', warnings: [] };
  },
};

async function readSource(source: SegmentSource): Promise<Uint8Array> {
  if ('bytes' in source) return source.bytes;
  return 'read' in source ? source.read(new Uint8Array(source.size)) : readFile(source.path);
}

/** All runs as one file, made in one go: what parts have to come to as well. */
export function joinRuns(runs: readonly (readonly Uint8Array[])[]): Uint8Array {
  const pieces: Piece[] = [];
  let state: RollState = { version: 1, runs: 0, end90k: 0, carry: null, lastDts: {} };
  let at = 0;
  for (const run of runs) {
    const rolled = roll(run, true, state, at);
    pieces.push(rolled.piece);
    state = rolled.state;
    at += run.reduce((sum, bytes) => sum + bytes.length, 0);
  }
  const head = buildHead({ parts: [{ index: encodeIndex(pieces), bytes: at }] });
  return Buffer.concat([head.bytes, ...runs.flat()]);
}

function roll(
  segments: readonly Uint8Array[],
  startsRun: boolean,
  before: RollState,
  at: number,
): { piece: Piece; state: RollState } {
  const frames: Frame[] = segments.flatMap(readFrames);
  const first = frames[0];
  if (!first) throw new Error('a slice without a frame');
  // The column is written and read back by whichever engine made it.
  const carried = before.carry as unknown as Anchor | null;
  if (!startsRun && !carried) throw new Error('a slice continues a run that was never begun');
  const anchor = startsRun || !carried ? { raw90k: first.dts90k, clock90k: before.end90k } : carried;
  const times = frames.map((frame) => anchor.clock90k + sinceRaw(anchor.raw90k, frame.dts90k));
  const end90k = (times.at(-1) ?? 0) + FRAME_90K;
  const samples = frames.map((frame, index) => ({
    size: frame.bytes.length,
    sync: frame.sync,
    duration: (times[index + 1] ?? end90k) - (times[index] ?? 0),
  }));
  const runs = startsRun ? before.runs + 1 : before.runs;
  const piece = pieceOf(samples, { start: at, run: runs - 1, dts: times[0] ?? 0, perChunk: samples.length });
  const state = { version: 1, runs, end90k, carry: anchor as unknown as RollState['carry'], lastDts: {} } as const;
  return { piece, state };
}

/** Ticks from one time stamp to a later one, across the wrap. */
function sinceRaw(from: number, to: number): number {
  const wrap = 2 ** 33;
  const step = (((to - from) % wrap) + wrap) % wrap;
  return step > wrap / 2 ? step - wrap : step;
}

/** What a file of synthetic segments shows: each frame as `segment#frame @ time`, in the order of its samples. */
export function readMovie(file: Uint8Array): { readonly id: string; readonly frame: number; readonly dts: number }[] {
  const [track, ...others] = readTables(file);
  if (!track || others.length > 0) throw new Error(`a file of ${others.length + (track ? 1 : 0)} tracks`);
  return track.samples.map(({ at, size, dts }) => ({ ...markOf(file.subarray(at, at + size)), dts }));
}
