/**
 * Captures one segment object: GET, check, find its recording, keep it in staging, write its ledger row. Running it
 * twice writes the same staged object and finds the row there.
 *
 *   live-segments/{key}  ──GET──►  probe  ──►  whose is it?  ──PUT──►  .staging/…  ──INSERT──►  ledger
 *   The row comes last: a row without bytes cannot exist, bytes without a row are found again by the next sweep.
 */
import { assignSegment } from '../capture/broadcast.ts';
import { SegmentRejected } from '../capture/errors.ts';
import { type ObjectKey, parseObjectKey } from '../capture/segment-name.ts';
import { probeSegment, type SegmentProbe, summariseProbe } from '../capture/ts-probe.ts';
import { ObjectMissing } from '../storage/errors.ts';
import { stagedSegmentKey } from '../storage/keys.ts';
import type { FetchedObject } from '../storage/object-store.ts';
import { nowOf, type RecordingContext } from './context.ts';
import type { Recording } from './recording.ts';
import { reopenForLateSegment } from './remake.ts';
import type { SegmentState } from './segment-repository.ts';

type SegmentKey = Extract<ObjectKey, { kind: 'segment' }>;

export type CaptureOutcome =
  /** It is in the ledger now; `state` is null where it had been before. */
  | { readonly kind: 'stored'; readonly recordingId: string; readonly state: SegmentState | null }
  | { readonly kind: 'absent' }
  | { readonly kind: 'ignored'; readonly why: string };

/**
 * Captures the object of a key.
 * @param candidates recordings of the stream key that may take segments
 * @throws {StorageUnavailable} {StorageAccessDenied} {DatabaseUnavailable} nothing is lost; call again
 */
export async function captureSegment(context: RecordingContext, candidates: readonly Recording[], key: string): Promise<CaptureOutcome> {
  const parsed = parseObjectKey(key);
  if (parsed.kind !== 'segment') return { kind: 'ignored', why: 'not a segment' };
  if (candidates.length === 0) return { kind: 'ignored', why: 'no recording of this stream key takes segments' };
  context.logger.info({ recording_id: candidates.at(-1)?.id }, `📥 Downloading segment: ${parsed.name}`);
  let fetched: FetchedObject;
  try {
    fetched = await context.store.get(context.config.LIVE_BUCKET, key, context.config.SEGMENT_DOWNLOAD_TIMEOUT);
  } catch (error) {
    if (error instanceof ObjectMissing) return { kind: 'absent' };
    throw error;
  }
  const verdict = judge(fetched.bytes);
  const owner = await findOwner(context, candidates, parsed, key, fetched, verdict.probe);
  if ('ignore' in owner) return { kind: 'ignored', why: owner.ignore };
  const state = await store(context, owner.recordingId, parsed, key, fetched, verdict);
  await afterCapture(context, owner.recordingId, state, verdict, parsed);
  return { kind: 'stored', recordingId: owner.recordingId, state };
}

interface Verdict {
  readonly probe: SegmentProbe | null;
  /** Why it was rejected, or what is damaged in it; null where it is whole. */
  readonly reason: string | null;
}

function judge(bytes: Uint8Array): Verdict {
  try {
    const probe = probeSegment(bytes);
    return { probe, reason: summariseProbe(probe).note };
  } catch (error) {
    if (error instanceof SegmentRejected) return { probe: null, reason: `${error.code}: ${error.message}` };
    throw error;
  }
}

async function findOwner(
  context: RecordingContext,
  candidates: readonly Recording[],
  parsed: SegmentKey,
  key: string,
  fetched: FetchedObject,
  probe: SegmentProbe | null,
): Promise<{ recordingId: string } | { ignore: string }> {
  const taken = await context.segments.findSources([{ key, etag: fetched.etag }]);
  const mine = taken.find((row) => candidates.some((candidate) => candidate.id === row.recordingId));
  if (mine) return { recordingId: mine.recordingId };
  if (taken.length > 0) return { ignore: 'the object belongs to an earlier recording of this stream key' };
  const described = await Promise.all(
    candidates.map(async (candidate) => ({
      id: candidate.id,
      status: candidate.status,
      startedAtMs: candidate.startedAt.getTime(),
      endedAtMs: candidate.endedAt?.getTime() ?? null,
      // What the last segment was only matters where there is a choice.
      ...(candidates.length > 1 ? await context.segments.findLast(candidate.id) : { lastNumber: null, lastEndDts90k: null }),
    })),
  );
  return assignSegment(
    {
      key,
      etag: fetched.etag,
      modifiedAtMs: fetched.modifiedAtMs - (fetched.clockOffsetMs ?? 0),
      number: parsed.number,
      firstDts90k: probe && summariseProbe(probe).firstDts90k,
    },
    described,
    { clockSlackMs: context.config.CLOCK_SLACK },
  );
}

async function store(
  context: RecordingContext,
  recordingId: string,
  parsed: SegmentKey,
  key: string,
  fetched: FetchedObject,
  verdict: Verdict,
): Promise<SegmentState | null> {
  // Bytes that carry no media are kept too: an operator who wants to know what the packager wrote finds it there.
  const stagedKey = fetched.bytes.length > 0 ? stagedSegmentKey(recordingId, key, fetched.etag) : null;
  if (stagedKey) await context.store.put(context.config.MINIO_BUCKET, stagedKey, fetched.bytes, 'video/mp2t');
  const summary = verdict.probe && summariseProbe(verdict.probe);
  return context.segments.add(
    {
      recordingId,
      sourceKey: key,
      sourceEtag: fetched.etag,
      modifiedAt: new Date(fetched.modifiedAtMs),
      nameNumber: parsed.number,
      stagedKey,
      size: fetched.bytes.length,
      reason: verdict.reason,
      firstDts90k: summary?.firstDts90k ?? null,
      endDts90k: summary?.endDts90k ?? null,
      durationMs: summary?.durationMs ?? 0,
      probe: verdict.probe,
    },
    verdict.probe ? 'captured' : 'rejected',
    nowOf(context),
  );
}

async function afterCapture(context: RecordingContext, recordingId: string, state: SegmentState | null, verdict: Verdict, parsed: SegmentKey): Promise<void> {
  if (state === 'rejected') {
    context.logger.warn({ recording_id: recordingId, segment: parsed.name, reason: verdict.reason }, 'Segment rejected; it is left out of the recording');
  }
  if (state === 'late') await reopenForLateSegment(context, recordingId);
  if (state !== 'captured') return;
  const open = await context.segments.openWork(recordingId);
  if (open.processing) await context.queues.requestAdvance(recordingId, `segment:${open.newestId}`);
  else if (open.bytes >= context.config.PART_SIZE) await context.queues.requestAdvance(recordingId, `roll:${open.parts}`);
}
