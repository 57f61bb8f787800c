/**
 * Groups ordered segments into runs: segments whose timestamps continue, to be joined byte-wise and read by one demuxer.
 * Owns the decision where a run ends, for a whole recording and piece by piece; what a run becomes is the engine's.
 *
 * A boundary continues the run if, for every audio and video track that both sides have, the next unit comes after the
 * last one, and at least one track carries on where it was due. Per track, because audio and video are cut at different
 * times; one track is enough, because a picture may pause (variable frame rate) while the sound goes on. All
 * differences are taken across the 33-bit wrap, which therefore continues a run.
 *
 *   forward step of the best track     plain boundary   after a tag, a new epoch or a missing number
 *   ≤ 50 ms                            same run         same run: nothing is lost and nothing was set anew
 *   ≤ 500 ms                           same run         new run
 *   more, or any track going back      new run          new run
 *
 * So an EXT-X-DISCONTINUITY, a restart or a hole in the numbers over media that continues exactly does not break, and a
 * lost segment does (its length is noted as a gap, not filled). A change of the tracks or of a decoder configuration
 * always breaks: a demuxer would not notice it in time.
 */
import { delta90k, ticksToMs } from './clock90k.ts';
import type { SegmentProbe, TrackProbe } from './ts-probe.ts';

/** Variable frame rates and a lost frame make the estimated end of a track this wrong at most. */
const TOLERANCE_90K = 45_000;
/** Less than two frames of film: rounding, not a hole. */
const EXACT_90K = 4500;
/** A pausing picture may be this far behind the sound; more is a new clock. */
const PAUSE_90K = 10 * 90_000;

export type RunReason = 'start' | 'epoch' | 'discontinuity-tag' | 'gap' | 'timestamp-jump' | 'codec-change';

export interface RunSegment {
  readonly epoch: number;
  readonly number: number;
  /** Segments are missing before this one, as {@link orderSegments} found. */
  readonly afterGap: boolean;
  /** EXT-X-DISCONTINUITY before this segment. */
  readonly discontinuity: boolean;
  /** When the packager finished it. */
  readonly modifiedAtMs: number;
  readonly probe: Pick<SegmentProbe, 'tracks' | 'firstDts90k' | 'endDts90k' | 'durationMs'>;
}

/** Where a track stands at the end of what is planned. */
interface TrackTail {
  pid: number;
  streamType: number;
  codec: string;
  fingerprint: string | null;
  /** Null until the track had its first unit. */
  lastDts90k: number | null;
  endDts90k: number | null;
}

/** The state after the last planned segment, as JSON: what the next segment is compared with. */
export interface RunTail {
  version: 1;
  epoch: number;
  number: number;
  modifiedAtMs: number;
  tracks: TrackTail[];
}

export interface Run<S extends RunSegment = RunSegment> {
  /** Why it began; null if it goes on with the run that the given tail was in. */
  readonly reason: RunReason | null;
  readonly segments: S[];
  /** Of the first segment's primary track, raw. */
  readonly firstDts90k: number;
  /** The media of its segments, by their primary track. */
  readonly durationMs: number;
  /** The step of the timestamps to this run, milliseconds, by its least jumping track; null if there is none before. */
  readonly jumpMs: number | null;
  /** Real time in which nothing was recorded before this run; null for the first. */
  readonly wallClockGapMs: number | null;
}

/** Plans all runs, or with the tail of what is committed, those of the segments that follow. */
export function planRuns<S extends RunSegment>(
  segments: readonly S[],
  committed: RunTail | null = null,
): { runs: Run<S>[]; tail: RunTail | null } {
  const runs: Run<S>[] = [];
  let tail = committed;
  for (const segment of segments) {
    const reason = tail === null ? 'start' : breakBefore(tail, segment);
    const current = runs.at(-1);
    if (reason === null && current !== undefined) {
      current.segments.push(segment);
      runs[runs.length - 1] = { ...current, durationMs: current.durationMs + segment.probe.durationMs };
    } else {
      runs.push(beginRun(reason, tail, segment));
    }
    tail = advanceTail(reason === null ? tail : null, segment);
  }
  return { runs, tail };
}

/** Why a new run begins with this segment; null if it continues. */
export function breakBefore(tail: RunTail, segment: RunSegment): RunReason | null {
  const tracks = mediaTracks(segment);
  const steps = stepsOf(tail.tracks, tracks);
  const restarted = segment.epoch !== tail.epoch;
  const suspicious: RunReason | null = restarted
    ? 'epoch'
    : segment.discontinuity
      ? 'discontinuity-tag'
      : segment.afterGap
        ? 'gap'
        : null;
  if (!carriesOn(steps, suspicious === null ? TOLERANCE_90K : EXACT_90K)) return suspicious ?? 'timestamp-jump';
  return sameDecoders(tail.tracks, tracks) ? null : 'codec-change';
}

interface TrackStep {
  /** From the end that was due to the first unit. */
  fromEnd90k: number;
  /** From the last unit to the first one: must be positive. */
  fromLast90k: number;
}

function mediaTracks(segment: RunSegment): TrackProbe[] {
  return segment.probe.tracks.filter((track) => track.kind !== 'data');
}

function stepsOf(before: readonly TrackTail[], tracks: readonly TrackProbe[]): TrackStep[] {
  const byPid = new Map(before.map((track) => [track.pid, track]));
  return tracks.flatMap(({ pid, times }) => {
    const last = byPid.get(pid);
    if (times === null || last === undefined || last.lastDts90k === null || last.endDts90k === null) return [];
    return [
      {
        fromEnd90k: delta90k(last.endDts90k, times.firstDts90k),
        fromLast90k: delta90k(last.lastDts90k, times.firstDts90k),
      },
    ];
  });
}

function carriesOn(steps: readonly TrackStep[], tolerance90k: number): boolean {
  if (steps.some((step) => step.fromLast90k <= 0 || step.fromEnd90k > PAUSE_90K)) return false;
  return steps.some((step) => Math.abs(step.fromEnd90k) <= tolerance90k);
}

/** The same PIDs with the same types, and no configuration that is known on both sides and differs. */
function sameDecoders(before: readonly TrackTail[], tracks: readonly TrackProbe[]): boolean {
  if (before.length !== tracks.length) return false;
  return tracks.every((track) => {
    const last = before.find(({ pid }) => pid === track.pid);
    if (last === undefined || last.streamType !== track.streamType || last.codec !== track.codec) return false;
    return last.fingerprint === null || track.fingerprint === null || last.fingerprint === track.fingerprint;
  });
}

function beginRun<S extends RunSegment>(reason: RunReason | null, tail: RunTail | null, segment: S): Run<S> {
  const { firstDts90k, durationMs } = segment.probe;
  const steps = tail === null ? [] : stepsOf(tail.tracks, mediaTracks(segment)).map((step) => step.fromEnd90k);
  const least = steps.toSorted((a, b) => Math.abs(a) - Math.abs(b))[0];
  return {
    reason,
    segments: [segment],
    firstDts90k,
    durationMs,
    jumpMs: least === undefined ? null : ticksToMs(least),
    wallClockGapMs: tail === null ? null : Math.max(0, segment.modifiedAtMs - durationMs - tail.modifiedAtMs),
  };
}

/** A track without units in this segment keeps what it had before, so that it is compared when it comes back. */
function advanceTail(before: RunTail | null, segment: RunSegment): RunTail {
  const tracks = mediaTracks(segment).map(({ pid, streamType, codec, fingerprint, times }): TrackTail => {
    const last = before?.tracks.find((track) => track.pid === pid);
    return {
      pid,
      streamType,
      codec,
      fingerprint: fingerprint ?? last?.fingerprint ?? null,
      lastDts90k: times?.lastDts90k ?? last?.lastDts90k ?? null,
      endDts90k: times?.endDts90k ?? last?.endDts90k ?? null,
    };
  });
  return { version: 1, epoch: segment.epoch, number: segment.number, modifiedAtMs: segment.modifiedAtMs, tracks };
}
