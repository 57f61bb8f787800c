/**
 * How complete a recording is: pure arithmetic over the ledger's rows, their order and runs, for the report. Owns what
 * counts as complete; fetching, hashing and serving are the caller's.
 */
import { delta90k, ticksToMs } from './clock90k.ts';
import type { Gap, OrderedSegment, OrderRow } from './order.ts';
import type { Run, RunReason, RunSegment } from './runs.ts';
import type { SegmentProbe, TrackProbe } from './ts-probe.ts';

/** A row of the ledger that is not in the file. */
export interface LeftOutRow {
  readonly name: string;
  readonly number: number | null;
  readonly playlistSequence?: number | null;
  /** `unclaimed`: it may be of this broadcast or of another one. */
  readonly state: 'missing' | 'rejected' | 'late' | 'unclaimed';
  readonly reason: string | null;
  readonly modifiedAtMs: number | null;
}

export interface ReportInput<R extends ReportRow> {
  readonly ordered: readonly OrderedSegment<R>[];
  readonly gaps: readonly Gap[];
  readonly leftOut: readonly LeftOutRow[];
  readonly runs: readonly Run<RunSegment & { readonly row: R }>[];
  readonly startedAtMs: number;
  /** Null while it is being recorded: the report then speaks of what is captured so far. */
  readonly endedAtMs: number | null;
}

export interface ReportRow extends OrderRow {
  readonly probe: Pick<SegmentProbe, 'tracks' | 'firstDts90k' | 'endDts90k' | 'durationMs' | 'damage' | 'notes'>;
}

interface ReportGap {
  epoch: number;
  from: number;
  to: number;
  missing: number;
  /** Where in the recording it is: nothing is filled in, so this is a cut. */
  mediaAtMs: number;
  /** Real time between the end of the segment before and the beginning of the one after, RFC 3339; null at the end. */
  wallClockFrom: string;
  wallClockTo: string | null;
  /** By the timestamps, else by the clock, else by the usual length of a segment. */
  lengthMs: number;
  /** What the ledger says of the missing ones. */
  reasons: string[];
}

export interface CompletenessReport {
  /** Nothing is missing, left out or damaged, and the broadcast has ended. */
  complete: boolean;
  segments: { expected: number; captured: number; leftOut: number; damaged: number };
  leftOut: {
    name: string;
    number: number | null;
    state: LeftOutRow['state'];
    reason: string | null;
    at: string | null;
  }[];
  /** Captured, but not whole. */
  damaged: { name: string; number: number; notes: string[] }[];
  gaps: ReportGap[];
  runs: { reason: RunReason; mediaAtMs: number; durationMs: number; segments: number; wallClockGapMs: number | null }[];
  mediaDurationMs: number;
  wallClockDurationMs: number | null;
  /** Audio's first (last) presentation time minus video's: positive if the sound begins (ends) later. Null without both. */
  avOffsetMs: { start: number | null; end: number | null };
}

/** Computes the report. */
export function reportCompleteness<R extends ReportRow>(input: ReportInput<R>): CompletenessReport {
  const { ordered, gaps, leftOut, runs, startedAtMs, endedAtMs } = input;
  const offsets = mediaOffsets(ordered);
  const missing = gaps.reduce((sum, gap) => sum + gap.missing, 0);
  const expected = leftOut.filter((row) => row.state !== 'unclaimed');
  const outside = expected.filter((row) => !gaps.some((gap) => covers(gap, row)));
  const damaged = ordered.filter(({ row }) => isDamaged(row));
  return {
    complete: endedAtMs !== null && ordered.length > 0 && missing + leftOut.length + damaged.length === 0,
    segments: {
      expected: ordered.length + missing + outside.length,
      captured: ordered.length,
      leftOut: leftOut.length,
      damaged: damaged.length,
    },
    leftOut: leftOut.map(({ name, number, state, reason, modifiedAtMs }) => ({
      name,
      number,
      state,
      reason,
      at: rfc3339(modifiedAtMs),
    })),
    damaged: damaged.map(({ row, number }) => ({ name: row.name, number, notes: row.probe.notes })),
    gaps: gaps.map((gap) => describeGap(gap, ordered, offsets, leftOut)),
    runs: describeRuns(runs),
    mediaDurationMs: ordered.reduce((sum, { row }) => sum + row.probe.durationMs, 0),
    wallClockDurationMs: endedAtMs === null ? null : Math.max(0, endedAtMs - startedAtMs),
    avOffsetMs: { start: startOffset(ordered), end: endOffset(ordered) },
  };
}

/** Where in the recording each captured segment ends, by its id. */
function mediaOffsets<R extends ReportRow>(ordered: readonly OrderedSegment<R>[]): Map<number | string, number> {
  let at = 0;
  return new Map(
    ordered.map(({ row }) => {
      at += row.probe.durationMs;
      return [row.id, at];
    }),
  );
}

/** Lost bytes of a captured object. Lost packets that the encoder or its network lost before packaging count as well. */
function isDamaged({ probe: { damage } }: ReportRow): boolean {
  return Object.values(damage).some((count) => count > 0);
}

/** Gaps count media sequences or names' numbers. A left-out row with neither may be any of the missing ones. */
function covers(gap: Gap, { number, playlistSequence = null }: LeftOutRow): boolean {
  const known = [number, playlistSequence].filter((one) => one !== null);
  return known.length === 0 || known.some((one) => one >= gap.from && one <= gap.to);
}

function describeGap<R extends ReportRow>(
  gap: Gap,
  ordered: readonly OrderedSegment<R>[],
  offsets: ReadonlyMap<number | string, number>,
  leftOut: readonly LeftOutRow[],
): ReportGap {
  const before = ordered.find(({ row }) => row.id === gap.afterId)?.row;
  const after = ordered.find(({ row }) => row.id === gap.beforeId)?.row;
  const fromMs = before?.modifiedAtMs ?? 0;
  const toMs = after === undefined ? null : Math.max(fromMs, after.modifiedAtMs - after.probe.durationMs);
  const usualMs = (before?.probe.durationMs ?? 0) * gap.missing;
  const byClock = toMs === null ? usualMs : toMs - fromMs;
  return {
    epoch: gap.epoch,
    from: gap.from,
    to: gap.to,
    missing: gap.missing,
    mediaAtMs: offsets.get(gap.afterId) ?? 0,
    wallClockFrom: rfc3339(fromMs) ?? '',
    wallClockTo: rfc3339(toMs),
    lengthMs: gap.missingMs ?? (byClock > 0 ? byClock : usualMs),
    reasons: [
      ...new Set(
        leftOut.filter((row) => row.number !== null && covers(gap, row)).map((row) => row.reason ?? row.state),
      ),
    ],
  };
}

function describeRuns(runs: readonly Run[]): CompletenessReport['runs'] {
  let at = 0;
  return runs.map(({ reason, durationMs, segments, wallClockGapMs }) => {
    const run = { reason: reason ?? 'start', mediaAtMs: at, durationMs, segments: segments.length, wallClockGapMs };
    at += durationMs;
    return run;
  });
}

function startOffset<R extends ReportRow>(ordered: readonly OrderedSegment<R>[]): number | null {
  const first = ordered.find(({ row }) => bothTracks(row) !== null);
  const tracks = first === undefined ? null : bothTracks(first.row);
  return tracks === null ? null : ticksToMs(delta90k(tracks.video.minPts90k, tracks.audio.minPts90k));
}

function endOffset<R extends ReportRow>(ordered: readonly OrderedSegment<R>[]): number | null {
  const last = ordered.findLast(({ row }) => bothTracks(row) !== null);
  const tracks = last === undefined ? null : bothTracks(last.row);
  return tracks === null ? null : ticksToMs(delta90k(tracks.video.endPts90k, tracks.audio.endPts90k));
}

type Times = NonNullable<TrackProbe['times']>;

function bothTracks({ probe }: ReportRow): { video: Times; audio: Times } | null {
  const video = probe.tracks.find((track) => track.kind === 'video' && track.times !== null)?.times;
  const audio = probe.tracks.find((track) => track.kind === 'audio' && track.times !== null)?.times;
  return video && audio ? { video, audio } : null;
}

/** UTC to the second, as all public times. */
function rfc3339(ms: number | null): string | null {
  return ms === null ? null : `${new Date(Math.floor(ms / 1000) * 1000).toISOString().slice(0, 19)}Z`;
}
