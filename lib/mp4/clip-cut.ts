/**
 * Cuts a stretch out of a movie without touching its samples: from the key frame at or before the wanted start to the
 * last picture before the wanted end. Gives the sample index of the clip (its head is made by head.ts) and the bytes to
 * copy. Pure; reading and writing them is the caller's.
 */
import { type Extent, extentBytes, extentsOf } from './clip-extents.ts';
import { type SampleRange, sampleFrom } from './clip-sections.ts';
import { playingTracks, presentation, type SourceMovie, type SourceTrack } from './clip-source.ts';
import { Corrupt } from './errors.ts';
import type { TrackKind } from './sample-entry.ts';
import type { Piece } from './sample-index.ts';

export interface Cut {
  /** Where the clip begins in the movie. */
  readonly fromSeconds: number;
  readonly pieces: readonly Piece[];
  /** The bytes of the movie's file that are the clip's media, in order. */
  readonly extents: readonly Extent[];
  readonly mediaBytes: number;
}

export interface CutOptions {
  readonly startSeconds: number;
  readonly endSeconds: number;
  readonly kinds?: readonly TrackKind[];
  /** Bytes between samples of the clip that are copied along (they are never read again) to have fewer ranges. */
  readonly nearBytes: number;
}

/** Pictures are decoded at most so many places before they are shown (H.264 and HEVC: 16). */
const REORDER = 32;
/** Pictures that come or went this close to the start still decide where the clip begins. */
const NEAR_SECONDS = 1;

/**
 * Cuts; null where nothing plays between start and end.
 * @throws {Corrupt} where the movie's tables contradict themselves
 */
export function cutMovie(movie: SourceMovie, options: CutOptions): Cut | null {
  const { startSeconds, endSeconds, kinds = ['video', 'audio'] } = options;
  const tracks = movie.tracks.filter((track) => kinds.includes(track.kind));
  const lead = leadOf({ ...movie, tracks }, startSeconds);
  if (lead === null || endSeconds <= startSeconds) return null;
  const { track: leading, first } = lead;
  const fromUnits = presentation(leading, first);
  const fromSeconds = fromUnits / leading.timescale;
  const ranges = tracks
    .map((track) => rangeOf(track, track === leading ? first : null, fromSeconds, endSeconds))
    .filter((range) => range.end > range.first);
  if (ranges.length === 0) return null;
  const extents = extentsOf(allSamples(ranges), options.nearBytes);
  const place = placer(extents);
  const pieces = ranges.flatMap((range) => {
    const { track } = range;
    // The clip's clock is 0 where its first picture is shown.
    const zero = Math.round((fromUnits * track.timescale) / leading.timescale) - track.shift;
    return piecesOf(range, ordinalOf(tracks, track), tracks.indexOf(track), zero, place);
  });
  return { fromSeconds, pieces, extents, mediaBytes: extentBytes(extents) };
}

interface Lead {
  readonly track: SourceTrack;
  readonly first: number;
}

/** The track that decides where the clip begins, and its first sample: the sound where no picture is shown by then. */
function leadOf(movie: SourceMovie, startSeconds: number): Lead | null {
  const picture = leadOfKind(movie, 'video', startSeconds);
  if (picture && playsAt(picture, startSeconds)) return picture;
  const sound = leadOfKind(movie, 'audio', startSeconds);
  return sound && (picture === null || playsAt(sound, startSeconds)) ? sound : picture;
}

/** It is there, or a moment away: tracks rarely begin and end together. */
function playsAt({ track, first }: Lead, seconds: number): boolean {
  const end = track.samples.dts(track.samples.count) + track.shift;
  const from = presentation(track, first) - NEAR_SECONDS * track.timescale;
  return from <= seconds * track.timescale && seconds * track.timescale < end + NEAR_SECONDS * track.timescale;
}

function leadOfKind(movie: SourceMovie, kind: TrackKind, startSeconds: number): Lead | null {
  const candidates = playingTracks(movie, kind).toSorted(
    (a, b) => presentation(a, 0) / a.timescale - presentation(b, 0) / b.timescale,
  );
  const track = candidates.findLast((one) => presentation(one, 0) / one.timescale <= startSeconds) ?? candidates[0];
  if (track === undefined) return null;
  const wanted = startSeconds * track.timescale + 0.5;
  let first = track.samples.syncBefore(Math.min(track.samples.count - 1, sampleFrom(track, startSeconds)));
  while (first !== null && first > 0 && presentation(track, first) > wanted)
    first = track.samples.syncBefore(first - 1);
  if (first === null) for (const sync of track.samples.syncSamples()) return { track, first: sync };
  return first === null ? null : { track, first };
}

function rangeOf(track: SourceTrack, given: number | null, fromSeconds: number, endSeconds: number): SampleRange {
  const due = sampleFrom(track, fromSeconds);
  if (track.kind === 'audio') {
    // The frame that sounds at the start; what of it lies before is cut by the edit list.
    const early = due > 0 && track.samples.dts(due) + track.shift > fromSeconds * track.timescale + 0.5;
    return { track, first: given ?? (early ? due - 1 : due), end: sampleFrom(track, endSeconds) };
  }
  const first = given ?? firstSyncFrom(track, due);
  return { track, first, end: Math.max(first, lastShownBefore(track, first, endSeconds) + 1) };
}

function firstSyncFrom(track: SourceTrack, sample: number): number {
  const before = sample === 0 ? null : track.samples.syncBefore(sample - 1);
  for (const sync of track.samples.walk(before === null ? 0 : before + 1, track.samples.count)) {
    if (sync.sync && sync.number >= sample) return sync.number;
  }
  return track.samples.count;
}

/** The last sample, as decoded, that is shown before a time; all that it may depend on lies before it. */
function lastShownBefore(track: SourceTrack, first: number, endSeconds: number): number {
  const end = endSeconds * track.timescale - 0.5;
  const due = sampleFrom(track, endSeconds);
  let last = first - 1;
  for (const sample of track.samples.walk(Math.max(first, due - REORDER), due + REORDER)) {
    if (sample.dts + sample.offset + track.shift < end) last = sample.number;
  }
  return last;
}

/** Tracks that play one after the other are one of their kind; those to choose from are further ones. */
function ordinalOf(tracks: readonly SourceTrack[], track: SourceTrack): number {
  if (track.enabled) return 0;
  const others = tracks.filter((one) => one.kind === track.kind && !one.enabled);
  const someEnabled = tracks.some((one) => one.kind === track.kind && one.enabled);
  return others.indexOf(track) + (someEnabled ? 1 : 0);
}

function* allSamples(ranges: readonly SampleRange[]): Generator<{ position: number; size: number }> {
  for (const { track, first, end } of ranges) yield* track.samples.walk(first, end);
}

/** Where a position of the file lies in the joined extents. */
function placer(extents: readonly Extent[]): (position: number) => number {
  const starts: number[] = [];
  let total = 0;
  for (const { first, end } of extents) {
    starts.push(total);
    total += end - first;
  }
  let at = 0;
  return (position) => {
    // Samples of a track mostly follow each other: begin where the last one was.
    if (position < (extents[at]?.first ?? 0)) at = 0;
    while (at < extents.length && position > (extents[at]?.end ?? 0)) at++;
    const extent = extents[at];
    if (extent === undefined || position < extent.first) throw new Corrupt(`no extent holds position ${position}`);
    return (starts[at] ?? 0) + position - extent.first;
  };
}

/** The samples of a range as pieces, one a sample entry. */
function piecesOf(
  range: SampleRange,
  ordinal: number,
  position: number,
  zero: number,
  place: (position: number) => number,
): Piece[] {
  const { track } = range;
  return track.samples.entrySpans().flatMap((span): Piece[] => {
    const first = Math.max(range.first, span.first);
    const count = Math.min(range.end, span.end) - first;
    const entry = track.entries[span.entry];
    if (count <= 0) return [];
    if (entry === undefined) throw new Corrupt(`sample entry ${span.entry} of ${track.entries.length}`);
    const { kind, timescale, language, width, height } = track;
    const columns = readColumns(track, first, count, place);
    return [
      {
        kind,
        ordinal,
        position,
        timescale,
        language,
        width,
        height,
        entry,
        run: 0,
        ...columns,
        dts: columns.dts - zero,
      },
    ];
  });
}

type Columns = Pick<Piece, 'dts' | 'durations' | 'offsets' | 'sizes' | 'sync' | 'chunkOffsets' | 'chunkSamples'>;

function readColumns(track: SourceTrack, first: number, count: number, place: (position: number) => number): Columns {
  const durations = new Uint32Array(count);
  const offsets = new Int32Array(count);
  const sizes = new Uint32Array(count);
  const sync = new Uint8Array(count);
  const chunkOffsets: number[] = [];
  const chunkSamples: number[] = [];
  let expected = -1;
  let at = 0;
  for (const sample of track.samples.walk(first, first + count)) {
    durations[at] = sample.duration;
    offsets[at] = sample.offset;
    sizes[at] = sample.size;
    sync[at] = sample.sync ? 1 : 0;
    const position = place(sample.position);
    if (position === expected) chunkSamples[chunkSamples.length - 1] = (chunkSamples.at(-1) ?? 0) + 1;
    else {
      chunkOffsets.push(position);
      chunkSamples.push(1);
    }
    expected = position + sample.size;
    at++;
  }
  return {
    dts: track.samples.dts(first),
    durations,
    offsets,
    sizes,
    sync,
    chunkOffsets: Float64Array.from(chunkOffsets),
    chunkSamples: Uint32Array.from(chunkSamples),
  };
}
