/**
 * Rolls a part: segments in, media bytes in their final form and a sample index out, with the little that the next part
 * must know. Owns the order of the steps and the scratch files; what is pending and where a part goes is the caller's.
 */
import { mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { encodeIndex, type Piece } from '../mp4/sample-index.ts';
import { makeFragments } from './fragment.ts';
import { type SliceSamples, sliceSamples } from './slice-samples.ts';
import { planSlice, type RunCarry, type Slice, type SliceInput } from './ts-carry.ts';
import { aligned } from './ts-packets.ts';

/** A segment: a file, or bytes already in memory. */
export type SegmentSource = { readonly path: string } | { readonly bytes: Uint8Array };

/** Consecutive segments of one run. */
export interface RunSlice {
  /** True when these are the first of their run. */
  readonly startsRun: boolean;
  readonly segments: readonly SegmentSource[];
  /**
   * What follows in the same run, to be rolled later; only its beginning is read, almost always of the first one. Empty
   * means that the run ends with this slice: while a recording is live, keep the newest segment back.
   */
  readonly following: readonly SegmentSource[];
}

/** Between two parts. JSON of a few hundred bytes; undefined before the first part. */
export interface RollState {
  readonly version: 1;
  /** Runs begun so far. */
  readonly runs: number;
  /** Where the next run would begin on the recording's clock, 90 kHz: the latest end of any track. */
  readonly end90k: number;
  readonly carry: RunCarry | null;
  readonly lastDts: Readonly<Record<string, number>>;
}

export interface RollOptions {
  readonly ffmpegPath: string;
  /** An empty directory of the caller's; the media file is left in it, all else is removed. */
  readonly workDir: string;
  readonly slices: readonly RunSlice[];
  readonly state: RollState | undefined;
  /** For each call of ffmpeg. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

export interface RolledPart {
  /** Exactly the bytes to upload. */
  readonly mediaPath: string;
  readonly mediaBytes: number;
  /** To be stored beside the part, for buildHead. */
  readonly index: Uint8Array;
  readonly state: RollState;
  readonly samples: number;
  /** What was left out or repaired, for the ledger. */
  readonly warnings: readonly string[];
}

/** How many of the following segments are looked at for the end of what began in the slice. */
const LOOK_AHEAD = 3;

/** Throws the errors of lib/ffmpeg and lib/mp4. Repeating it with the same input gives the same bytes. */
export async function rollPart(options: RollOptions): Promise<RolledPart> {
  await mkdir(options.workDir, { recursive: true });
  const mediaPath = join(options.workDir, 'media.bin');
  const media = await open(mediaPath, 'w');
  const pieces: Piece[] = [];
  const warnings = new Set<string>();
  let state = options.state ?? { version: 1, runs: 0, end90k: 0, carry: null, lastDts: {} };
  let mediaBytes = 0;
  try {
    for (const slice of options.slices) {
      const rolled = await rollSlice(slice, state, options);
      for (const warning of rolled.warnings) warnings.add(warning);
      state = rolled.state;
      if (rolled.fragments === undefined) continue;
      for (const piece of rolled.fragments.samples.pieces) pieces.push(movedBy(piece, mediaBytes));
      for (const { from, to } of rolled.fragments.samples.ranges) {
        await media.writeFile(rolled.fragments.bytes.subarray(from, to));
        mediaBytes += to - from;
      }
    }
  } finally {
    await media.close();
  }
  const samples = pieces.reduce((sum, piece) => sum + piece.sizes.length, 0);
  return { mediaPath, mediaBytes, index: encodeIndex(pieces), state, samples, warnings: [...warnings] };
}

interface RolledSlice {
  readonly state: RollState;
  readonly warnings: readonly string[];
  readonly fragments: { readonly bytes: Uint8Array; readonly samples: SliceSamples } | undefined;
}

async function rollSlice(slice: RunSlice, before: RollState, options: RollOptions): Promise<RolledSlice> {
  const isNew = slice.startsRun || before.carry === null;
  const run = isNew ? before.runs : before.runs - 1;
  const from = isNew || before.carry === null ? { start90k: before.end90k } : before.carry;
  const lastDts = isNew ? {} : before.lastDts;
  const plan = await planWithEnough(slice, from);
  const begun = { ...before, runs: run + 1, carry: plan.carry ?? null, lastDts };
  // A run that has not shown any stream yet has not begun.
  if (plan.carry === undefined)
    return { state: { ...begun, runs: run }, warnings: plan.warnings, fragments: undefined };
  if (plan.streams.length === 0) return { state: begun, warnings: plan.warnings, fragments: undefined };
  const made = await fragmentsOf(plan, options);
  const samples = sliceSamples(made.bytes, { run, shiftSeconds: plan.shiftSeconds, streams: made.streams, lastDts });
  return {
    state: { ...begun, end90k: Math.max(before.end90k, samples.end90k), lastDts: samples.lastDts },
    warnings: [...plan.warnings, ...made.warnings],
    fragments: { bytes: made.bytes, samples },
  };
}

async function planWithEnough(slice: RunSlice, from: SliceInput['from']): Promise<Slice> {
  const bytes = await joined(slice.segments);
  for (let count = 1; ; count++) {
    const following = await joined(slice.following.slice(0, count));
    const plan = planSlice({ bytes, following, from });
    if (!plan.wantsMore || count >= Math.min(slice.following.length, LOOK_AHEAD)) return plan;
  }
}

async function joined(segments: readonly SegmentSource[]): Promise<Uint8Array> {
  const read = await Promise.all(
    segments.map(async (segment) => ('path' in segment ? await readFile(segment.path) : segment.bytes)),
  );
  return Buffer.concat(read.map(aligned));
}

async function fragmentsOf(plan: Slice, options: RollOptions) {
  const inputPath = join(options.workDir, 'slice.ts');
  const outputPath = join(options.workDir, 'slice.mp4');
  try {
    await writeFile(inputPath, plan.ts);
    const { ffmpegPath, timeoutMs, signal } = options;
    const job = { ffmpegPath, inputPath, outputPath, streams: plan.streams, addTicks: plan.addTicks, timeoutMs };
    const made = await makeFragments(signal === undefined ? job : { ...job, signal });
    return { ...made, bytes: await readFile(outputPath) };
  } finally {
    await rm(inputPath, { force: true });
    await rm(outputPath, { force: true });
  }
}

function movedBy(piece: Piece, bytes: number): Piece {
  return { ...piece, chunkOffsets: piece.chunkOffsets.map((offset) => offset + bytes) };
}
