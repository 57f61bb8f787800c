/**
 * Divides what a movie plays by itself into sections in which neither a track nor a decoder configuration changes: each
 * can be fragments behind one `moov`. Owns which samples belong to which section; fragments are clip-plan.ts.
 */
import { equalEntries } from './clip-entries.ts';
import { playingTracks, presentation, type SourceMovie, type SourceTrack } from './clip-source.ts';
import type { TrackKind } from './sample-entry.ts';

/** Consecutive samples of one track. */
export interface SampleRange {
  readonly track: SourceTrack;
  readonly first: number;
  /** Exclusive. */
  readonly end: number;
}

/** What a decoder needs for a section: one sample entry of each track. */
export interface Layout {
  readonly members: ReadonlyArray<{ readonly track: SourceTrack; readonly entry: number }>;
}

export interface Section {
  /** Number of its layout. */
  readonly layout: number;
  readonly ranges: readonly SampleRange[];
}

interface Span extends SampleRange {
  readonly entry: number;
  /** Seconds of presentation. */
  readonly from: number;
  readonly to: number;
}

/** Changes of picture and sound this close to each other are one change. */
const SAME_CHANGE_SECONDS = 1;

/** The sections in order, and their layouts. Most movies have one of each. */
export function divideMovie(
  movie: SourceMovie,
  kinds: readonly TrackKind[] = ['video', 'audio'],
): { sections: Section[]; layouts: Layout[] } {
  const lanes = kinds.map((kind) => spansOf(playingTracks(movie, kind))).filter((lane) => lane.length > 0);
  const changes = mergeClose(lanes.flatMap((lane) => lane.slice(1).map((span) => span.from)));
  const layouts: Layout[] = [];
  const sections: Section[] = [];
  for (let index = 0; index <= changes.length; index++) {
    const from = changes[index - 1] ?? Number.NEGATIVE_INFINITY;
    const to = changes[index] ?? Number.POSITIVE_INFINITY;
    const chosen = lanes.flatMap((lane) => {
      const span = longestIn(lane, from, to);
      return span === null ? [] : [{ span, range: rangeIn(span, from, to) }];
    });
    const ranges = chosen.map(({ range }) => range).filter((range) => range.end > range.first);
    if (ranges.length === 0) continue;
    const members = chosen.map(({ span }) => ({ track: span.track, entry: span.entry }));
    sections.push({ layout: layoutNumber(layouts, { members }), ranges });
  }
  return { sections, layouts };
}

function spansOf(tracks: readonly SourceTrack[]): Span[] {
  const spans = tracks.flatMap((track) => {
    const equal = equalEntries(track.entries, track.kind);
    const found: Span[] = [];
    for (const { entry, first, end } of track.samples.entrySpans()) {
      const to = (track.samples.dts(end) + track.shift) / track.timescale;
      const before = found.at(-1);
      if (before !== undefined && before.entry === equal[entry]) found[found.length - 1] = { ...before, end, to };
      else
        found.push({
          track,
          entry: equal[entry] ?? entry,
          first,
          end,
          from: presentation(track, first) / track.timescale,
          to,
        });
    }
    return found;
  });
  return spans.sort((a, b) => a.from - b.from);
}

function mergeClose(times: readonly number[]): number[] {
  const merged: number[] = [];
  for (const time of times.toSorted((a, b) => a - b)) {
    const before = merged.at(-1);
    if (before === undefined || time - before > SAME_CHANGE_SECONDS) merged.push(time);
  }
  return merged;
}

/** The span that plays most of the time; null where none does. */
function longestIn(lane: readonly Span[], from: number, to: number): Span | null {
  let best: Span | null = null;
  let most = 0;
  for (const span of lane) {
    const overlap = Math.min(span.to, to) - Math.max(span.from, from);
    if (overlap > most) [best, most] = [span, overlap];
  }
  return best;
}

/** Where the span begins or ends close to the section, it does so with it: no sample is lost at a change. */
function rangeIn(span: Span, from: number, to: number): SampleRange {
  const { track, first, end } = span;
  const startsHere = span.from >= from - SAME_CHANGE_SECONDS;
  const endsHere = span.to <= to + 2 * SAME_CHANGE_SECONDS;
  return {
    track,
    first: startsHere ? first : Math.max(first, sampleFrom(track, from)),
    end: endsHere ? end : Math.min(end, sampleFrom(track, to)),
  };
}

/** The first sample that is decoded at or after a time of presentation (the number of samples behind the last). */
export function sampleFrom(track: SourceTrack, seconds: number): number {
  // Half a unit against rounding: the time was a sample's own a moment ago.
  const dts = seconds * track.timescale - track.shift - 0.5;
  const sample = track.samples.sampleAt(dts);
  return track.samples.dts(sample) >= dts ? sample : sample + 1;
}

function layoutNumber(layouts: Layout[], layout: Layout): number {
  const known = layouts.findIndex(
    ({ members }) =>
      members.length === layout.members.length &&
      members.every((member, at) => {
        const other = layout.members[at];
        return member.track === other?.track && member.entry === other.entry;
      }),
  );
  return known >= 0 ? known : layouts.push(layout) - 1;
}
