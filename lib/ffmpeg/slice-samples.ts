/**
 * Turns the fragments of one slice into pieces of the sample index, with only the bytes that are samples. Owns which
 * samples are the slice's own and how long each lasts; pure, over the fragments' bytes.
 */
import { Corrupt } from '../mp4/errors.ts';
import { type FragmentRun, type InitTrack, readFragments } from '../mp4/reader.ts';
import { normaliseEntry } from '../mp4/sample-entry.ts';
import type { Piece } from '../mp4/sample-index.ts';
import { setRules } from './parameter-sets.ts';
import type { SliceStream } from './ts-carry.ts';

/** Media bytes to keep, from one position up to another, in order. */
export interface ByteRange {
  readonly from: number;
  readonly to: number;
}

export interface SliceSamples {
  /** Chunk positions count from the first kept byte. */
  readonly pieces: readonly Piece[];
  readonly ranges: readonly ByteRange[];
  /** The latest end of the slice's tracks on the recording's clock, 90 kHz, rounded up. */
  readonly end90k: number;
  /** By PID: the decoding time of the last sample, for the duration of one that stands alone. */
  readonly lastDts: Readonly<Record<string, number>>;
}

export interface SliceContext {
  readonly run: number;
  readonly shiftSeconds: number;
  readonly streams: readonly SliceStream[];
  readonly lastDts: Readonly<Record<string, number>>;
}

interface Sample {
  readonly dts: number;
  readonly offset: number;
  readonly at: number;
  readonly size: number;
  readonly sync: boolean;
  /** Number of the fragment run it came in: one chunk each. */
  readonly chunk: number;
}

interface OwnSamples {
  readonly samples: readonly Sample[];
  /** How long the last one lasts. */
  readonly tail: number;
}

/** Throws lib/mp4's errors when the fragments are not what ffmpeg writes. */
export function sliceSamples(fragments: Uint8Array, context: SliceContext): SliceSamples {
  const { tracks, runs } = readFragments(fragments);
  if (tracks.length !== context.streams.length) {
    throw new Corrupt(`${tracks.length} tracks of ${context.streams.length} streams`);
  }
  const own = tracks.map((track, at) => {
    const stream = context.streams[at];
    if (stream === undefined || stream.kind !== track.kind) throw new Corrupt(`track ${track.id} is ${track.kind}`);
    return { track, stream, ...ownSamples(fragments, track, stream, runs, context) };
  });
  const { ranges, place } = compact(own.flatMap(({ samples }) => samples));
  const filled = own.filter(({ samples }) => samples.length > 0);
  const pieces = filled.map(({ track, stream, samples, tail }) =>
    toPiece(track, stream, { samples, tail }, context.run, place),
  );
  const pids = filled.map(({ stream }) => stream.stream.pid);
  return { pieces, ranges, ...endsOf(pieces, pids, context.lastDts) };
}

function ownSamples(
  bytes: Uint8Array,
  track: InitTrack,
  stream: SliceStream,
  runs: readonly FragmentRun[],
  context: SliceContext,
): OwnSamples {
  const shift = context.shiftSeconds * track.timescale;
  const all: Sample[] = [];
  let told = 0;
  for (const [chunk, run] of runs.entries()) {
    if (run.trackId !== track.id) continue;
    let dts = run.dts + shift;
    let at = run.offset;
    for (const [i, size] of run.sizes.entries()) {
      all.push({ dts, offset: run.offsets[i] ?? 0, at, size, sync: run.sync[i] ?? false, chunk });
      told = run.durations[i] ?? 0;
      dts += told;
      at += size;
    }
  }
  const end = stream.kind === 'video' && stream.endDts !== undefined ? stream.endDts : undefined;
  const limit = end === undefined ? Number.POSITIVE_INFINITY : Math.round((end * track.timescale) / 90_000) + shift;
  const foreign = all.findIndex((sample) => sample.dts >= limit);
  const samples = withoutPrefix(bytes, foreign < 0 ? all : all.slice(0, foreign), stream);
  const tail = tailOf(samples, all[foreign]?.dts, told, stream, context.lastDts[stream.stream.pid]);
  return { samples, tail };
}

/**
 * The duration of the last sample: up to the next one, where it is known. Where nothing follows, a picture lasts as long
 * as the one before it, whatever part it fell into: ffmpeg's guess depends on how much it has seen. Sound lasts as long
 * as its frame.
 */
function tailOf(
  samples: readonly Sample[],
  nextDts: number | undefined,
  told: number,
  stream: SliceStream,
  dtsBefore: number | undefined,
): number {
  const last = samples.at(-1)?.dts;
  if (last === undefined) return 0;
  if (nextDts !== undefined) return nextDts - last;
  const before = samples.at(-2)?.dts ?? dtsBefore;
  return stream.kind === 'audio' || before === undefined || before >= last ? told : last - before;
}

/** Takes off the parameter sets that were put before the first access unit, if the sample does begin with them. */
function withoutPrefix(bytes: Uint8Array, samples: readonly Sample[], stream: SliceStream): readonly Sample[] {
  const [first, ...rest] = samples;
  if (first === undefined || stream.prefix.length === 0) return samples;
  const prefix = setRules(stream.stream.streamType)?.asSample(stream.prefix) ?? Buffer.of();
  const head = bytes.subarray(first.at, first.at + prefix.length);
  if (first.size <= prefix.length || Buffer.compare(head, prefix) !== 0) return samples;
  return [{ ...first, at: first.at + prefix.length, size: first.size - prefix.length }, ...rest];
}

/** Keeps the bytes of samples only; `place` tells where a position of the fragments has gone. */
function compact(samples: readonly Sample[]): { ranges: ByteRange[]; place: (at: number) => number } {
  const sorted = samples.toSorted((a, b) => a.at - b.at);
  const ranges: { from: number; to: number }[] = [];
  const places = new Map<number, number>();
  let kept = 0;
  for (const sample of sorted) {
    const open = ranges.at(-1);
    if (open !== undefined && open.to === sample.at) open.to += sample.size;
    else ranges.push({ from: sample.at, to: sample.at + sample.size });
    places.set(sample.at, kept);
    kept += sample.size;
  }
  return { ranges, place: (at) => places.get(at) ?? 0 };
}

function toPiece(
  track: InitTrack,
  stream: SliceStream,
  { samples, tail }: OwnSamples,
  run: number,
  place: (at: number) => number,
): Piece {
  const starts = samples.flatMap((sample, at) => (at === 0 || samples[at - 1]?.chunk !== sample.chunk ? [at] : []));
  return {
    run,
    kind: track.kind,
    ordinal: stream.ordinal,
    position: stream.position,
    timescale: track.timescale,
    language: track.language,
    width: track.width,
    height: track.height,
    entry: normaliseEntry(track.entry, track.kind),
    dts: samples[0]?.dts ?? 0,
    durations: Uint32Array.from(samples, (sample, at) => (samples[at + 1]?.dts ?? sample.dts + tail) - sample.dts),
    offsets: Int32Array.from(samples, (sample) => sample.offset),
    sizes: Uint32Array.from(samples, (sample) => sample.size),
    sync: Uint8Array.from(samples, (sample) => (sample.sync ? 1 : 0)),
    chunkOffsets: Float64Array.from(starts, (at) => place(samples[at]?.at ?? 0)),
    chunkSamples: Uint32Array.from(starts, (at, i) => (starts[i + 1] ?? samples.length) - at),
  };
}

/** Where the pieces of a slice end, for the slice and the run behind it; `pids` are theirs. */
export function endsOf(
  pieces: readonly Piece[],
  pids: readonly number[],
  before: Readonly<Record<string, number>>,
): Pick<SliceSamples, 'end90k' | 'lastDts'> {
  const lastDts: Record<string, number> = { ...before };
  let end90k = Number.NEGATIVE_INFINITY;
  for (const [at, { durations, offsets, dts: first, timescale }] of pieces.entries()) {
    let dts = first;
    let last = first;
    for (const [sample, duration] of durations.entries()) {
      last = dts;
      dts += duration;
      end90k = Math.max(end90k, Math.ceil(((dts + (offsets[sample] ?? 0)) * 90_000) / timescale));
    }
    lastDts[pids[at] ?? 0] = last;
  }
  return { end90k, lastDts };
}
