/**
 * Rolls a part: segments in, media bytes in their final form and a sample index out, with the little that the next part
 * must know. Owns the order of the steps and the scratch files; what is pending and where a part goes is the caller's.
 */
import { mkdir, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { encodeIndex, type Piece } from '../mp4/sample-index.ts';
import { makeFragments } from './fragment.ts';
import { joinSources, type SegmentSource } from './segment-memory.ts';
import { type ByteRange, sliceSamples } from './slice-samples.ts';
import { planSlice, type RunCarry, type Slice, type SliceInput } from './ts-carry.ts';

export type { SegmentSource } from './segment-memory.ts';

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
  /** An empty directory of the caller's; it is left empty. */
  readonly workDir: string;
  readonly slices: readonly RunSlice[];
  readonly state: RollState | undefined;
  /** For each call of ffmpeg. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

export interface RolledPart {
  /** Exactly the bytes to upload. In memory: a part has to be, for its checksum. */
  readonly media: Uint8Array;
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
  const media: Uint8Array[] = [];
  const pieces: Piece[] = [];
  const warnings = new Set<string>();
  let state = options.state ?? { version: 1, runs: 0, end90k: 0, carry: null, lastDts: {} };
  let mediaBytes = 0;
  for (const slice of options.slices) {
    const rolled = await rollSlice(slice, state, options);
    for (const warning of rolled.warnings) warnings.add(warning);
    state = rolled.state;
    for (const piece of rolled.pieces) pieces.push(movedBy(piece, mediaBytes));
    media.push(rolled.media);
    mediaBytes += rolled.media.length;
  }
  const samples = pieces.reduce((sum, piece) => sum + piece.sizes.length, 0);
  const [only = new Uint8Array()] = media;
  return {
    media: media.length > 1 ? Buffer.concat(media) : only,
    index: encodeIndex(pieces),
    state,
    samples,
    warnings: [...warnings],
  };
}

interface RolledSlice {
  readonly state: RollState;
  readonly warnings: readonly string[];
  readonly media: Uint8Array;
  readonly pieces: readonly Piece[];
}

const NOTHING = { media: new Uint8Array(), pieces: [] } as const;

async function rollSlice(slice: RunSlice, before: RollState, options: RollOptions): Promise<RolledSlice> {
  const isNew = slice.startsRun || before.carry === null;
  const run = isNew ? before.runs : before.runs - 1;
  const from = isNew || before.carry === null ? { start90k: before.end90k } : before.carry;
  const lastDts = isNew ? {} : before.lastDts;
  const { workDir } = options;
  await using input = scratchFile(join(workDir, 'slice.ts'));
  await using output = scratchFile(join(workDir, 'slice.mp4'));
  const plan = await writeSlice(slice, from, input.path);
  const begun = { ...before, runs: run + 1, carry: plan.carry ?? null, lastDts };
  // A run that has not shown any stream yet has not begun.
  if (plan.carry === undefined) return { state: { ...begun, runs: run }, warnings: plan.warnings, ...NOTHING };
  if (plan.streams.length === 0) return { state: begun, warnings: plan.warnings, ...NOTHING };
  const { ffmpegPath, timeoutMs, signal } = options;
  const files = { inputPath: input.path, outputPath: output.path };
  const job = { ffmpegPath, ...files, streams: plan.streams, addTicks: plan.addTicks, timeoutMs };
  const made = await makeFragments(signal === undefined ? job : { ...job, signal });
  const bytes = await readFile(output.path);
  const samples = sliceSamples(bytes, { run, shiftSeconds: plan.shiftSeconds, streams: made.streams, lastDts });
  return {
    state: { ...begun, end90k: Math.max(before.end90k, samples.end90k), lastDts: samples.lastDts },
    warnings: [...plan.warnings, ...made.warnings],
    media: keepRanges(bytes, samples.ranges),
    pieces: samples.pieces,
  };
}

/** Removed at the end of its block, whatever happened to it. */
function scratchFile(path: string): AsyncDisposable & { readonly path: string } {
  return { path, [Symbol.asyncDispose]: () => rm(path, { force: true }) };
}

/** Plans the slice and writes what ffmpeg is to read of it. The segments' bytes are in memory here and nowhere else. */
async function writeSlice(slice: RunSlice, from: SliceInput['from'], path: string): Promise<Omit<Slice, 'chunks'>> {
  for (let count = 1; ; count++) {
    using joined = await joinSources(slice.segments, slice.following.slice(0, count));
    const { chunks, ...plan } = planSlice({ ts: joined.bytes, ownBytes: joined.ownBytes, from });
    if (plan.wantsMore && count < Math.min(slice.following.length, LOOK_AHEAD)) continue;
    await writeChunks(path, chunks);
    return plan;
  }
}

async function writeChunks(path: string, chunks: readonly Uint8Array[]): Promise<void> {
  const file = await open(path, 'w');
  try {
    const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    const { bytesWritten } = await file.writev([...chunks]);
    // A full disk can cut a vectored write short without an error; the next write then says why.
    if (bytesWritten < bytes) await file.writeFile(Buffer.concat(chunks).subarray(bytesWritten));
  } finally {
    await file.close();
  }
}

/** Moves what is kept together, in the same memory. */
function keepRanges(bytes: Uint8Array, ranges: readonly ByteRange[]): Uint8Array {
  let kept = 0;
  for (const { from, to } of ranges) {
    bytes.copyWithin(kept, from, to);
    kept += to - from;
  }
  return bytes.subarray(0, kept);
}

function movedBy(piece: Piece, bytes: number): Piece {
  return { ...piece, chunkOffsets: piece.chunkOffsets.map((offset) => offset + bytes) };
}
