/**
 * Rolls a part: segments in, media bytes in their final form and a sample index out, with the little that the next part
 * must know. Owns the order of the steps and the scratch files; what is pending and where a part goes is the caller's.
 */
import { mkdir, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { encodeIndex, type Piece } from '../mp4/sample-index.ts';
import { makeFragments } from './fragment.ts';
import { learnFrom } from './remux-describe.ts';
import type { RemuxMemory } from './remux-payload.ts';
import { type Remuxed, remuxSlice, type TrackDescriptions } from './remux-slice.ts';
import { type JoinedSegments, joinSources, type SegmentSource } from './segment-memory.ts';
import { type ByteRange, sliceSamples } from './slice-samples.ts';
import { assembleSlice, planSlice, type RunCarry, type SliceInput, type SlicePlan } from './ts-carry.ts';

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
  /** The tracks of the run that our own remux may make (remux-describe.ts). */
  readonly descriptions?: TrackDescriptions;
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

/** To be disposed of when its media is not needed any more: the memory is used again. */
export interface RolledPart extends Disposable {
  /** Exactly the bytes to upload. In memory: a part has to be, for its checksum. */
  readonly media: Uint8Array;
  /** To be stored beside the part, for buildHead. */
  readonly index: Uint8Array;
  readonly state: RollState;
  readonly samples: number;
  /** What was left out or repaired, for the ledger. */
  readonly warnings: readonly string[];
  /** Who made each slice: ffmpeg, with the reason why it was not us, or our own remux. */
  readonly ways: readonly SliceWay[];
}

export type SliceWay = { readonly by: 'us' } | { readonly by: 'ffmpeg'; readonly why: string };

/** How many of the following segments are looked at for the end of what began in the slice. */
const LOOK_AHEAD = 3;

/** Throws the errors of lib/ffmpeg and lib/mp4. Repeating it with the same input gives the same bytes. */
export async function rollPart(options: RollOptions): Promise<RolledPart> {
  await mkdir(options.workDir, { recursive: true });
  using made = new DisposableStack();
  const slices: RolledSlice[] = [];
  const pieces: Piece[] = [];
  let state = options.state ?? { version: 1, runs: 0, end90k: 0, carry: null, lastDts: {} };
  let mediaBytes = 0;
  for (const slice of options.slices) {
    const rolled = made.use(await rollSlice(slice, state, options));
    state = rolled.state;
    slices.push(rolled);
    for (const piece of rolled.pieces) pieces.push(movedBy(piece, mediaBytes));
    mediaBytes += rolled.media.length;
  }
  const [only, ...others] = slices.map(({ media }) => media).filter((media) => media.length > 0);
  const part = {
    media: others.length > 0 ? Buffer.concat([only ?? EMPTY, ...others]) : (only ?? EMPTY),
    index: encodeIndex(pieces),
    state,
    samples: pieces.reduce((sum, piece) => sum + piece.sizes.length, 0),
    warnings: [...new Set(slices.flatMap(({ warnings }) => warnings))],
    ways: slices.flatMap(({ way }) => way ?? []),
  };
  const memory = made.move();
  return { ...part, [Symbol.dispose]: () => memory.dispose() };
}

const EMPTY = new Uint8Array();

/** To be disposed of when its media is not needed any more. */
interface RolledSlice extends Disposable {
  readonly state: RollState;
  readonly warnings: readonly string[];
  readonly media: Uint8Array;
  readonly pieces: readonly Piece[];
  /** Undefined where there was nothing to make. */
  readonly way: SliceWay | undefined;
}

async function rollSlice(slice: RunSlice, before: RollState, options: RollOptions): Promise<RolledSlice> {
  const isNew = slice.startsRun || before.carry === null;
  const run = isNew ? before.runs : before.runs - 1;
  const from = isNew || before.carry === null ? { start90k: before.end90k } : before.carry;
  const lastDts = isNew ? {} : before.lastDts;
  const descriptions = isNew ? {} : (before.descriptions ?? {});
  const { joined, plan } = await joinAndPlan(slice, from);
  using memory = new DisposableStack();
  memory.use(joined);
  const begun = { ...before, runs: run + 1, carry: plan.carry ?? null, lastDts, descriptions };
  const nothing = { warnings: plan.warnings, media: EMPTY, pieces: [], way: undefined, [Symbol.dispose]: () => {} };
  // A run that has not shown any stream yet has not begun.
  if (plan.carry === undefined) return { ...nothing, state: { ...begun, runs: run } };
  if (plan.streams.length === 0) return { ...nothing, state: begun };
  const input = { memory: joined.memory, tsBytes: joined.bytes.length };
  const ours = remuxSlice(input, plan, { run, lastDts, descriptions });
  const made: MadeSlice =
    'declined' in ours
      ? await byFfmpeg(input, plan, { run, lastDts }, options, ours.declined)
      : { ...ours, warnings: [], way: { by: 'us' }, descriptions };
  const held = memory.move();
  const end90k = Math.max(before.end90k, made.end90k);
  return {
    state: { ...begun, end90k, lastDts: made.lastDts, descriptions: made.descriptions },
    warnings: [...plan.warnings, ...made.warnings],
    media: made.media,
    pieces: made.pieces,
    way: made.way,
    [Symbol.dispose]: () => held.dispose(),
  };
}

interface MadeSlice extends Remuxed {
  readonly warnings: readonly string[];
  readonly way: SliceWay;
  /** For the next slices of the run. */
  readonly descriptions: TrackDescriptions;
}

async function byFfmpeg(
  input: RemuxMemory,
  plan: SlicePlan,
  context: { readonly run: number; readonly lastDts: Readonly<Record<string, number>> },
  options: RollOptions,
  why: string,
): Promise<MadeSlice> {
  const { ffmpegPath, workDir, timeoutMs, signal } = options;
  await using source = scratchFile(join(workDir, 'slice.ts'));
  await using output = scratchFile(join(workDir, 'slice.mp4'));
  const { chunks, streams } = assembleSlice(input.memory.subarray(0, input.tsBytes), plan);
  await writeChunks(source.path, chunks);
  const files = { inputPath: source.path, outputPath: output.path };
  const job = { ffmpegPath, ...files, streams, addTicks: plan.addTicks, timeoutMs };
  const made = await makeFragments(signal === undefined ? job : { ...job, signal });
  const bytes = await readFile(output.path);
  const { run, lastDts } = context;
  const samples = sliceSamples(bytes, { run, shiftSeconds: plan.shiftSeconds, streams: made.streams, lastDts });
  const media = keepRanges(bytes, samples.ranges);
  const learned = learnFrom(input, plan, { media, pieces: samples.pieces }, context);
  return {
    ...samples,
    media,
    warnings: made.warnings,
    way: { by: 'ffmpeg', why: 'declined' in learned ? learned.declined : why },
    descriptions: 'declined' in learned ? {} : learned.descriptions,
  };
}

/** The slice in memory, with as much of what follows as its end needs. */
async function joinAndPlan(
  slice: RunSlice,
  from: SliceInput['from'],
): Promise<{ joined: JoinedSegments; plan: SlicePlan }> {
  for (let count = 1; ; count++) {
    using memory = new DisposableStack();
    const joined = memory.use(await joinSources(slice.segments, slice.following.slice(0, count)));
    const plan = planSlice({ ts: joined.bytes, ownBytes: joined.ownBytes, from });
    if (plan.wantsMore && count < Math.min(slice.following.length, LOOK_AHEAD)) continue;
    memory.move();
    return { joined, plan };
  }
}

/** Removed at the end of its block, whatever happened to it. */
function scratchFile(path: string): AsyncDisposable & { readonly path: string } {
  return { path, [Symbol.asyncDispose]: () => rm(path, { force: true }) };
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
