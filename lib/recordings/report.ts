/**
 * The completeness report of a recording, from its ledger: what was expected, what is there, what is left out and why.
 * The arithmetic is lib/capture/completeness.ts; this file reads the rows and gives the result the API's names.
 */
import { type CompletenessReport, type LeftOutRow, reportCompleteness } from '../capture/completeness.ts';
import type { OrderedSegment } from '../capture/order.ts';
import type { RunSegment } from '../capture/runs.ts';
import { numberInName } from '../capture/segment-name.ts';
import type { SegmentProbe } from '../capture/ts-probe.ts';
import { withoutStreamKey } from '../platform/logging.ts';
import type { RecordingContext } from './context.ts';
import { RecordingNotFound } from './errors.ts';
import type { LedgerSegment } from './ledger-rows.ts';
import { type OrderableSegment, orderLedger, planLedgerRuns } from './plan-file.ts';
import { remembered } from './playback-memory.ts';
import { findFileHash, ledgerState } from './playback-repository.ts';
import type { Recording, RecordingStatus, UnclaimedObject } from './recording.ts';
import { findUnclaimed } from './unclaimed.ts';

type ReportedRow = OrderableSegment & { readonly probe: SegmentProbe };

/** A report as the API gives it. Times of media are milliseconds from the beginning of the recording. */
export interface PublicReport {
  recording_id: string;
  status: RecordingStatus;
  complete: boolean;
  segments: { expected: number; captured: number; left_out: number; damaged: number };
  left_out: CompletenessReport['leftOut'];
  damaged: CompletenessReport['damaged'];
  gaps: Array<{
    from: number;
    to: number;
    missing: number;
    media_at_ms: number;
    wall_clock_from: string;
    wall_clock_to: string | null;
    length_ms: number;
    reasons: string[];
  }>;
  runs: Array<{
    reason: string;
    media_at_ms: number;
    duration_ms: number;
    segments: number;
    wall_clock_gap_ms: number | null;
  }>;
  reconnects: Array<{ ended_at: string; resumed_at: string }>;
  media_duration_ms: number;
  wall_clock_duration_ms: number | null;
  av_offset_ms: { start: number | null; end: number | null };
  sha256: string | null;
  failure: { code: string; message: string } | null;
  warnings: string[];
}

/**
 * Reports on a recording in whatever state it is; before its end the report speaks of what is captured so far.
 * @throws {RecordingNotFound}
 */
export async function reportRecording(context: RecordingContext, recordingId: string): Promise<PublicReport> {
  const recording = await context.recordings.find(recordingId);
  if (!recording) throw new RecordingNotFound(`There is no recording ${recordingId}`);
  const [state, unclaimed] = await Promise.all([
    ledgerState(context.db, recordingId),
    findUnclaimed(context.segments, recording),
  ]);
  const others = unclaimed.map(({ key, etag }) => `${key}:${etag}`).join();
  const signature = `${state}/${recording.endedAt?.getTime()}/${recording.startedAt.getTime()}/${others}`;
  // Of a long recording this reads tens of megabytes of probes: once for each state of the ledger is enough.
  const report = await remembered(context.db, 'report', recordingId, signature, async () =>
    computeReport(recording, await context.segments.list(recordingId), unclaimed),
  );
  return present(recording, report, await findFileHash(context.db, recordingId));
}

/**
 * The report of these rows. Pure.
 * @param unclaimed what came after the end and nobody has: nothing tells that it is not of this broadcast
 */
export function computeReport(
  recording: Pick<Recording, 'streamKey' | 'startedAt' | 'endedAt'>,
  rows: readonly LedgerSegment[],
  unclaimed: readonly UnclaimedObject[],
): CompletenessReport {
  const order = orderLedger(rows);
  const { streamKey } = recording;
  const nameOf = (key: string) =>
    withoutStreamKey(key.startsWith(`${streamKey}/`) ? key.slice(streamKey.length + 1) : key, streamKey);
  const ordered = order.ordered.flatMap((entry): OrderedSegment<ReportedRow>[] => {
    const { probe } = entry.row.segment;
    return probe ? [{ ...entry, row: { ...entry.row, name: nameOf(entry.row.name), probe } }] : [];
  });
  const rowOf = new Map(ordered.map(({ row }) => [row.segment.id, row]));
  const runs = planLedgerRuns(order.ordered).runs.map((run) => ({
    ...run,
    segments: run.segments.flatMap((planned): Array<RunSegment & { row: ReportedRow }> => {
      const row = rowOf.get(planned.segment.id);
      return row ? [{ ...planned, row }] : [];
    }),
  }));
  return reportCompleteness({
    ordered,
    gaps: order.gaps,
    leftOut: [
      ...rows.flatMap((row) => leftOutRow(row, nameOf)),
      ...unclaimed.map((object) => unclaimedRow(object, nameOf(object.key))),
    ],
    runs,
    startedAtMs: recording.startedAt.getTime(),
    endedAtMs: recording.endedAt?.getTime() ?? null,
  });
}

/** The names are without the stream key: it is a credential. Media that came twice is not left out, it is there. */
function leftOutRow(row: LedgerSegment, nameOf: (key: string) => string): LeftOutRow[] {
  if (row.state === 'captured' || row.reason?.startsWith('DUPLICATE')) return [];
  return [
    {
      name: nameOf(row.sourceKey),
      number: row.nameNumber,
      playlistSequence: row.playlistSequence,
      state: row.state,
      reason: row.reason,
      modifiedAtMs: row.modifiedAt?.getTime() ?? null,
    },
  ];
}

function unclaimedRow({ modifiedAtMs }: UnclaimedObject, name: string): LeftOutRow {
  const reason = 'UNCLAIMED: it came after the end, and nothing tells whose it is; it stays in live-segments';
  return { name, number: numberInName(name), state: 'unclaimed', reason, modifiedAtMs };
}

function present(recording: Recording, report: CompletenessReport, sha256: string | null): PublicReport {
  const { segments, avOffsetMs } = report;
  return {
    recording_id: recording.id,
    status: recording.status,
    // A file that is not there yet, or could not be made, is not complete whatever the ledger says.
    complete: report.complete && recording.status === 'completed',
    segments: {
      expected: segments.expected,
      captured: segments.captured,
      left_out: segments.leftOut,
      damaged: segments.damaged,
    },
    left_out: report.leftOut,
    damaged: report.damaged,
    gaps: report.gaps.map((gap) => ({
      from: gap.from,
      to: gap.to,
      missing: gap.missing,
      media_at_ms: gap.mediaAtMs,
      wall_clock_from: gap.wallClockFrom,
      wall_clock_to: gap.wallClockTo,
      length_ms: gap.lengthMs,
      reasons: gap.reasons,
    })),
    runs: report.runs.map((run) => ({
      reason: run.reason,
      media_at_ms: run.mediaAtMs,
      duration_ms: run.durationMs,
      segments: run.segments,
      wall_clock_gap_ms: run.wallClockGapMs,
    })),
    reconnects: (recording.facts.reconnects ?? []).map(({ endedAt, resumedAt }) => ({
      ended_at: endedAt,
      resumed_at: resumedAt,
    })),
    media_duration_ms: report.mediaDurationMs,
    wall_clock_duration_ms: report.wallClockDurationMs,
    av_offset_ms: avOffsetMs,
    sha256,
    failure:
      recording.status === 'failed' && recording.failureCode
        ? { code: recording.failureCode, message: publicMessage(recording.failureCode, recording.failureMessage) }
        : null,
    warnings: [...(recording.facts.warnings ?? [])],
  };
}

/** Errors of our own say on purpose what they say; of any other, only the log tells. */
export function publicMessage(code: string, message: string | null): string {
  return code === 'UNEXPECTED' ? 'An unexpected error; the log has it' : (message ?? '');
}
