/**
 * Whose a segment object is: what the ledgers, the events and the clocks say of it, brought before the judgement of
 * lib/capture/broadcast.ts. Owns the facts and whose clock they are on.
 */
import { assignSegment, type Candidate } from '../capture/broadcast.ts';
import type { SegmentProbe } from '../capture/ts-probe.ts';
import { databaseIsAheadMs } from '../platform/database.ts';
import type { FetchedObject } from '../storage/object-store.ts';
import { findCapturedAround } from './captured-around.ts';
import type { RecordingContext } from './context.ts';
import { capturesSinceMs, type Recording } from './recording.ts';
import { isSameWrite } from './segment-repository.ts';

export interface FetchedSegment {
  readonly key: string;
  readonly number: number | null;
  readonly fetched: FetchedObject;
  readonly probe: SegmentProbe | null;
}

export type Owner =
  | { readonly recordingId: string; readonly isSure: boolean; readonly isCaptured: boolean }
  | { readonly ignore: string };

/** @param candidates recordings of the stream key that may take segments */
export async function findOwner(
  context: RecordingContext,
  candidates: readonly Recording[],
  segment: FetchedSegment,
): Promise<Owner> {
  const { key, number, fetched, probe } = segment;
  const known = await context.segments.findSources([{ key, etag: fetched.etag }]);
  const taken = known.filter((row) => isSameWrite(row, { key, ...fetched }));
  const mine = taken.find((row) => candidates.some((candidate) => candidate.id === row.recordingId));
  if (mine) return { recordingId: mine.recordingId, isSure: true, isCaptured: true };
  if (taken.length > 0) return { ignore: 'the object belongs to an earlier recording of this stream key' };
  // What was captured only matters where there is a choice, or a question whether it is still this broadcast.
  const hasChoice = candidates.length > 1 || candidates.some((one) => one.endHeardAt !== null);
  const storeIsAheadMs =
    (fetched.clockOffsetMs ?? 0) - (hasChoice ? await databaseIsAheadMs(context.db, context.clock) : 0);
  // Which broadcast it is of says the time at which it was written: it may have waited for its upload.
  const storedAtMs = fetched.modifiedAtMs - storeIsAheadMs;
  const modifiedAtMs = Math.min(storedAtMs, fetched.writtenAtMs ?? storedAtMs);
  // A recording that was cut at its greatest length has no late rest: what follows continues it exactly, and is the next's.
  const open = candidates.filter(
    (one) => one.endSource !== 'max-duration' || modifiedAtMs <= (one.endHeardAt?.getTime() ?? 0),
  );
  const described = await Promise.all(
    open.map((candidate) => describeCandidate(context, candidate, hasChoice ? segment : null, storeIsAheadMs)),
  );
  const assignment = assignSegment(
    {
      key,
      etag: fetched.etag,
      modifiedAtMs,
      number,
      firstDts90k: probe?.firstDts90k ?? null,
      endDts90k: probe?.endDts90k ?? null,
      ...(probe ? { durationMs: probe.durationMs } : {}),
    },
    described,
    { clockSlackMs: context.config.CLOCK_SLACK, endGraceMs: context.config.LATE_SEGMENT_WINDOW },
  );
  return 'ignore' in assignment ? assignment : { ...assignment, isCaptured: false };
}

/**
 * A recording as the assignment sees it. Its times are on the database's clock: a start that was told for the future is when we
 * heard of it, and an end is when we heard of it, since what comes after that belongs to nobody else.
 */
async function describeCandidate(
  context: RecordingContext,
  candidate: Recording,
  segment: FetchedSegment | null,
  storeIsAheadMs: number,
): Promise<Candidate> {
  const times = {
    id: candidate.id,
    status: candidate.status,
    startedAtMs: capturesSinceMs(candidate),
    endedAtMs: candidate.endHeardAt?.getTime() ?? null,
    toldEndMs: candidate.endedAt?.getTime() ?? null,
  };
  if (segment === null) return { ...times, lastNumber: null, lastEndDts90k: null };
  const { key, number, probe } = segment;
  const captured = await findCapturedAround(context.db, candidate.id, {
    key,
    number,
    firstDts90k: probe?.firstDts90k ?? null,
    endDts90k: probe?.endDts90k ?? null,
  });
  const onOneClock = (at: Date | null) => (at ? at.getTime() - storeIsAheadMs : null);
  return {
    ...times,
    lastNumber: captured.last?.number ?? null,
    lastEndDts90k: captured.last?.endDts90k ?? null,
    lastModifiedAtMs: onOneClock(captured.last?.modifiedAt ?? null),
    near: captured.near.map(({ modifiedAt, ...one }) => ({ ...one, modifiedAtMs: onOneClock(modifiedAt) ?? 0 })),
  };
}
