/**
 * Plans a movie as fragments for HTTP live streaming: a few seconds each, beginning where decoding can begin. Pure, and
 * cheap: it reads the tables of key frames and sizes, not of every sample. Bytes of fragments are clip-fragment.ts.
 */
import { divideMovie, type Layout, type SampleRange, type Section, sampleFrom } from './clip-sections.ts';
import { presentation, type SourceMovie } from './clip-source.ts';
import type { TrackKind } from './sample-entry.ts';

export interface Fragment {
  /** Seconds from the beginning of the movie. */
  readonly startSeconds: number;
  readonly durationSeconds: number;
  /** Number of its layout in the plan. */
  readonly layout: number;
  readonly ranges: readonly SampleRange[];
}

export interface FragmentPlan {
  readonly fragments: readonly Fragment[];
  readonly layouts: readonly Layout[];
  /** Whole seconds added to all times in fragments: decoding may begin before the presentation does. */
  readonly leadSeconds: number;
}

export interface PlanOptions {
  readonly targetSeconds: number;
  /** A fragment of more media bytes is divided, where it must be between key frames. */
  readonly mostBytes: number;
  readonly kinds?: readonly TrackKind[];
}

/** Nothing stays together for longer than so many times the target: sparse key frames, a picture that pauses. */
const LONGEST = 10;
const MOST_PIECES = 4096;

interface Piece {
  readonly start: number;
  readonly layout: number;
  readonly ranges: readonly SampleRange[];
}

/** Plans all fragments of a movie. A movie without samples has none. */
export function planFragments(movie: SourceMovie, options: PlanOptions): FragmentPlan {
  const { sections, layouts } = divideMovie(movie, options.kinds);
  const pieces = sections.flatMap((section) => planSection(section, options));
  const end = movie.durationSeconds;
  const divided = pieces.flatMap((piece, at) => divideHeavy(piece, pieces[at + 1]?.start ?? end, options));
  const fragments = divided.map(({ start, layout, ranges }, at): Fragment => {
    const from = at === 0 ? 0 : start;
    const to = divided[at + 1]?.start ?? end;
    return { startSeconds: from, durationSeconds: Math.max(0.001, to - from), layout, ranges };
  });
  const earliest = Math.min(0, ...movie.tracks.map((track) => track.shift / track.timescale));
  return { fragments, layouts, leadSeconds: Math.ceil(-earliest) };
}

/** Cuts a section at key frames of its picture, or of its sound where there is none. */
function planSection(section: Section, options: PlanOptions): Piece[] {
  const lead = section.ranges.find((range) => range.track.kind === 'video') ?? section.ranges[0];
  if (lead === undefined) return [];
  const cuts = chooseCuts(lead, options);
  return cuts.map(({ sample, seconds }, at): Piece => {
    const next = cuts[at + 1];
    const ranges = section.ranges.map((range) => {
      const first = at === 0 ? range.first : range === lead ? sample : boundary(range, seconds);
      const end = next === undefined ? range.end : range === lead ? next.sample : boundary(range, next.seconds);
      return { track: range.track, first, end };
    });
    return { start: seconds, layout: section.layout, ranges: ranges.filter((range) => range.end > range.first) };
  });
}

function boundary(range: SampleRange, seconds: number): number {
  return Math.min(range.end, Math.max(range.first, sampleFrom(range.track, seconds)));
}

/** The samples of the leading track that fragments begin with; the first one always. */
function chooseCuts(lead: SampleRange, options: PlanOptions): Array<{ sample: number; seconds: number }> {
  const { track } = lead;
  if (track.samples.allSync) return cutAnywhere(lead, options.targetSeconds);
  const secondsOf = (sample: number) => presentation(track, sample) / track.timescale;
  const cuts = [{ sample: lead.first, seconds: secondsOf(lead.first) }];
  let start = cuts[0]?.seconds ?? 0;
  let candidate: { sample: number; seconds: number } | null = null;
  let bytes = 0;
  let counted = lead.first;
  const cut = (at: { sample: number; seconds: number }) => {
    cuts.push(at);
    start = at.seconds;
    bytes = 0;
    candidate = null;
  };
  for (const sample of track.samples.syncSamples()) {
    if (sample <= lead.first) continue;
    if (sample >= lead.end) break;
    const before = bytes;
    for (; counted < sample; counted++) bytes += track.samples.size(counted);
    // The group that ends here made it too heavy: it begins a fragment of its own.
    if (candidate !== null && bytes > options.mostBytes) {
      const group = bytes - before;
      cut(candidate);
      bytes = group;
    }
    candidate = { sample, seconds: secondsOf(sample) };
    if (candidate.seconds - start >= options.targetSeconds - 0.05) cut(candidate);
  }
  return cuts;
}

/** Sound, and pictures of key frames only: every so many seconds. */
function cutAnywhere(lead: SampleRange, targetSeconds: number): Array<{ sample: number; seconds: number }> {
  const secondsOf = (sample: number) => presentation(lead.track, sample) / lead.track.timescale;
  const cuts = [{ sample: lead.first, seconds: secondsOf(lead.first) }];
  for (let sample = lead.first; ; ) {
    const next = sampleFrom(lead.track, (cuts.at(-1)?.seconds ?? 0) + targetSeconds);
    sample = Math.max(sample + 1, next);
    if (sample >= lead.end) return cuts;
    cuts.push({ sample, seconds: secondsOf(sample) });
  }
}

/** Divides what is too heavy or too long by time, key frames or not; a single sample is never divided. */
function divideHeavy(piece: Piece, end: number, options: PlanOptions): Piece[] {
  const length = end - piece.start;
  const bytes = piece.ranges.reduce((sum, range) => sum + bytesOf(range), 0);
  const longest = options.targetSeconds * LONGEST;
  if (bytes <= options.mostBytes && length <= longest) return [piece];
  let pieces = [piece];
  for (let count = Math.max(2, Math.ceil(bytes / options.mostBytes), Math.ceil(length / longest)); ; count *= 2) {
    pieces = divideByTime(piece, length, Math.min(count, MOST_PIECES));
    const heaviest = Math.max(...pieces.map(({ ranges }) => ranges.reduce((sum, range) => sum + bytesOf(range), 0)));
    if (heaviest <= options.mostBytes || count >= MOST_PIECES || pieces.length < count / 2) return pieces;
  }
}

function divideByTime(piece: Piece, length: number, count: number): Piece[] {
  const pieces: Piece[] = [];
  for (let at = 0; at < count; at++) {
    const from = piece.start + (length * at) / count;
    const to = piece.start + (length * (at + 1)) / count;
    const ranges = piece.ranges
      .map((range) => ({
        track: range.track,
        first: at === 0 ? range.first : boundary(range, from),
        end: at === count - 1 ? range.end : boundary(range, to),
      }))
      .filter((range) => range.end > range.first);
    if (ranges.length > 0) pieces.push({ start: from, layout: piece.layout, ranges });
  }
  return pieces;
}

function bytesOf({ track, first, end }: SampleRange): number {
  let bytes = 0;
  for (let sample = first; sample < end; sample++) bytes += track.samples.size(sample);
  return bytes;
}
