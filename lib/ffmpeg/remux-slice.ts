/**
 * Our own remux of a slice: samples copied out of the transport stream without a process, a file or a second read. It
 * knows plain streams only, and only tracks that ffmpeg has described before and made equal samples of (roll.ts); all
 * else it declines. Owns the order of the media bytes and the index of the samples.
 */
import type { Piece } from '../mp4/sample-index.ts';
import { audioFraming, eachFrame } from './remux-audio.ts';
import { Declined, PayloadReader, type RemuxMemory } from './remux-payload.ts';
import { afterFrame, toTimescale } from './remux-times.ts';
import { SAMPLE_SLACK, unitRules, writeSample } from './remux-video.ts';
import { endsOf } from './slice-samples.ts';
import type { PlannedStream, SlicePlan } from './ts-carry.ts';
import { PACKET } from './ts-packets.ts';
import type { ElementaryStream } from './ts-program.ts';
import type { PesStart } from './ts-scan.ts';

/** A track as ffmpeg described it. JSON of a few hundred bytes. */
export interface TrackDescription {
  /** What the program map says of the stream. */
  readonly config: string;
  /** What the headers of its frames say; empty for pictures. */
  readonly signature: string;
  /** The parameter sets, base64; none for sound. */
  readonly sets: readonly string[];
  /** Sample entry, base64. */
  readonly entry: string;
  readonly timescale: number;
  readonly language: string;
  readonly width: number;
  readonly height: number;
  /** How long a frame of sound lasts, in units of the timescale; 0 for pictures. */
  readonly frame: number;
}

/** By PID. */
export type TrackDescriptions = Readonly<Record<string, TrackDescription>>;

export interface Remuxed {
  /** In the memory that was given. */
  readonly media: Uint8Array;
  readonly pieces: readonly Piece[];
  readonly end90k: number;
  readonly lastDts: Readonly<Record<string, number>>;
}

export interface RemuxContext {
  readonly run: number;
  readonly lastDts: Readonly<Record<string, number>>;
  readonly descriptions: TrackDescriptions;
}

/** About as much of each track lies together in the file. */
const CHUNK_TICKS = 90_000;

/** The samples of the slice, or why they are ffmpeg's to make. Reads the stream only; its memory's room is written to. */
export function remuxSlice(
  input: RemuxMemory,
  plan: SlicePlan,
  context: RemuxContext,
): Remuxed | { readonly declined: string } {
  try {
    const from = Math.ceil(input.tsBytes / 16) * 16;
    const tracks = plan.streams.map((stream) => openTrack(input, plan, stream, context));
    const to = writeChunks(input, tracks, from);
    const pieces = tracks.map((track) => toPiece(track, context.run));
    const pids = tracks.map(({ stream }) => stream.cut.stream.pid);
    return { media: input.memory.subarray(from, to), pieces, ...endsOf(pieces, pids, context.lastDts) };
  } catch (error) {
    if (error instanceof Declined) return { declined: error.message };
    throw error;
  }
}

/** A track while its samples are written. Times in units of its timescale, on the recording's clock. */
interface Track {
  readonly stream: PlannedStream;
  readonly description: TrackDescription;
  /** Writes the samples of one PES packet to `at`; answers with their end. */
  readonly write: (start: PesStart, to: number, at: number) => number;
  /** When a PES packet's first sample is decoded, 90 kHz. */
  readonly at90k: (start: PesStart) => number;
  /** How long the last sample lasts. */
  readonly tail: () => number;
  readonly dts: number[];
  readonly offsets: number[];
  readonly sizes: number[];
  readonly sync: number[];
  readonly chunkOffsets: number[];
  readonly chunkSamples: number[];
  /** How many PES packets are written. */
  done: number;
}

/** What must stay as it was for a description to hold, besides headers and parameter sets in the stream itself. */
export function configOf({ streamType, name, descriptors }: ElementaryStream): string {
  return `${streamType} ${name} ${descriptors}`;
}

function openTrack(input: RemuxMemory, plan: SlicePlan, stream: PlannedStream, context: RemuxContext): Track {
  const { cut } = stream;
  const description = context.descriptions[cut.stream.pid];
  if (description?.config !== configOf(cut.stream)) throw new Declined('a stream that is not described yet');
  if (cut.taken > 0 || cut.takenBefore > 0) throw new Declined('a frame that crosses the ends of the slice');
  const columns = { dts: [], offsets: [], sizes: [], sync: [], chunkOffsets: [], chunkSamples: [] };
  const track = { stream, description, ...columns, done: 0 };
  const shift = plan.shiftSeconds * description.timescale;
  const writer = { input, plan, shift };
  return cut.kind === 'video' ? videoTrack(track, writer, context.lastDts[cut.stream.pid]) : audioTrack(track, writer);
}

interface Writer {
  readonly input: RemuxMemory;
  readonly plan: SlicePlan;
  /** The slice's clock behind the recording's, in units of the timescale. */
  readonly shift: number;
}

type Columns = Omit<Track, 'write' | 'at90k' | 'tail'>;

function videoTrack(columns: Columns, { input, plan, shift }: Writer, dtsBefore: number | undefined): Track {
  const { stream, description } = columns;
  const { cut } = stream;
  const sets = new Set(description.sets);
  if (unitRules(cut.stream.streamType) === undefined || description.timescale !== 90_000)
    throw new Declined(`${cut.stream.name}, which is left to ffmpeg`);
  if (!cut.setsBefore.every((unit) => sets.has(unit))) throw new Declined('parameter sets of another configuration');
  const reader = new PayloadReader(input, cut.stream.pid);
  return {
    ...columns,
    at90k: (start) => plan.onSlice(start.dts),
    write: (start, to, at) => {
      const from = at + SAMPLE_SLACK;
      const end = reader.gather(start.packet, to, from);
      const zeroFollows = input.memory[reader.dataOf(to) + 2] === 0;
      const { streamType } = cut.stream;
      const sample = writeSample(input.memory, { from, to: end, at, streamType, sets, zeroFollows });
      const dts = plan.onSlice(start.dts);
      const offset = plan.onSlice(start.pts) - dts;
      if (offset < 0) throw new Declined('a picture shown before it is decoded');
      add(columns, { dts: dts + shift, offset, size: sample.end - at, sync: sample.sync });
      return sample.end;
    },
    tail: () => {
      const last = columns.dts.at(-1) ?? 0;
      if (cut.next !== undefined) return plan.onSlice(cut.next.dts) + shift - last;
      const before = columns.dts.at(-2) ?? dtsBefore;
      if (before === undefined || before >= last) throw new Declined('a picture that stands alone');
      return last - before;
    },
  };
}

function audioTrack(columns: Columns, { input, plan, shift }: Writer): Track {
  const { stream, description } = columns;
  const { cut } = stream;
  const framing = audioFraming(cut.stream.name);
  const { timescale, frame } = description;
  // Above 90 kHz ffmpeg smooths the times (av_rescale_delta).
  if (framing === undefined || frame === 0 || timescale > 90_000)
    throw new Declined(`${cut.stream.name}, which is left to ffmpeg`);
  const matches = framing.matcherOf(description.signature);
  const reader = new PayloadReader(input, cut.stream.pid);
  return {
    ...columns,
    at90k: (start) => plan.onSlice(start.pts),
    write: (start, to, at) => {
      const end = reader.gather(start.packet, to, at);
      let out = at;
      // The stream's own clock, or a whole number of periods of the rounding away from it.
      let ticks = plan.onSlice(start.pts) - plan.addTicks;
      eachFrame(input.memory, { from: at, to: end }, framing, matches, (from, to) => {
        input.memory.copyWithin(out, from, to);
        out += to - from;
        const dts = toTimescale(ticks + plan.addTicks, timescale) + shift;
        add(columns, { dts, offset: 0, size: to - from, sync: true });
        ticks = afterFrame(ticks, frame, timescale);
      });
      return out;
    },
    tail: () => frame,
  };
}

function add(
  columns: Columns,
  sample: { readonly dts: number; readonly offset: number; readonly size: number; readonly sync: boolean },
): void {
  const last = columns.dts.at(-1);
  if (last !== undefined && sample.dts <= last) throw new Declined('decoding times that do not increase');
  if (sample.size === 0) throw new Declined('an empty sample');
  columns.dts.push(sample.dts);
  columns.offsets.push(sample.offset);
  columns.sizes.push(sample.size);
  columns.sync.push(sample.sync ? 1 : 0);
}

/** Second by second, and in each all tracks one behind the other. Answers with the end. */
function writeChunks(input: RemuxMemory, tracks: readonly Track[], from: number): number {
  let at = from;
  for (;;) {
    const waiting = tracks.filter((track) => track.done < track.stream.cut.own);
    const [first] = waiting.map(nextOf).toSorted((a, b) => a - b);
    if (first === undefined) return at;
    for (const track of waiting) at = writeChunk(input, track, first + CHUNK_TICKS, at, from);
  }
}

function nextOf(track: Track): number {
  const start = track.stream.cut.starts[track.done];
  return start === undefined ? Number.POSITIVE_INFINITY : track.at90k(start);
}

function writeChunk(input: RemuxMemory, track: Track, until: number, from: number, base: number): number {
  const { starts, own } = track.stream.cut;
  const before = track.sizes.length;
  let at = from;
  while (track.done < own && nextOf(track) < until) {
    const start = starts[track.done];
    if (start === undefined) break;
    const to = starts[track.done + 1]?.packet ?? input.tsBytes / PACKET;
    at = track.write(start, to, at);
    track.done += 1;
  }
  const samples = track.sizes.length - before;
  if (samples > 0) {
    track.chunkOffsets.push(from - base);
    track.chunkSamples.push(samples);
  }
  return at;
}

function toPiece(track: Track, run: number): Piece {
  const { stream, description, dts } = track;
  const end = (dts.at(-1) ?? 0) + track.tail();
  const { timescale, language, width, height } = description;
  return {
    run,
    kind: stream.cut.kind,
    ordinal: stream.ordinal,
    position: stream.position,
    timescale,
    language,
    width,
    height,
    entry: Buffer.from(description.entry, 'base64'),
    dts: dts[0] ?? 0,
    durations: Uint32Array.from(dts, (at, i) => (dts[i + 1] ?? end) - at),
    offsets: Int32Array.from(track.offsets),
    sizes: Uint32Array.from(track.sizes),
    sync: Uint8Array.from(track.sync),
    chunkOffsets: Float64Array.from(track.chunkOffsets),
    chunkSamples: Uint32Array.from(track.chunkSamples),
  };
}
