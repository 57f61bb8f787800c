/**
 * Captures one segment object: GET, check, find its recording, keep it in staging, write its ledger row. Running it
 * twice writes the same staged object and finds the row there.
 *
 *   live-segments/{key}  ──GET──►  probe  ──►  whose is it?  ──PUT──►  .staging/…  ──INSERT──►  ledger
 *   The row comes last: a row without bytes cannot exist, bytes without a row are found again by the next sweep.
 */
import { SegmentNoProgramError, SegmentRejected } from '../capture/errors.ts';
import { type ObjectKey, parseObjectKey } from '../capture/segment-name.ts';
import { type ProbeOptions, probeSegment, type SegmentProbe, usableBytes } from '../capture/ts-probe.ts';
import { withoutRepetitions } from '../capture/ts-sync.ts';
import { withoutStreamKey } from '../platform/logging.ts';
import { ObjectMissing, ObjectTooLarge } from '../storage/errors.ts';
import { stagedSegmentKey } from '../storage/keys.ts';
import type { FetchedObject } from '../storage/object-store.ts';
import { SpareMemory } from '../storage/spare-memory.ts';
import { nowOf, type RecordingContext } from './context.ts';
import { findOwner } from './find-owner.ts';
import type { SegmentState } from './ledger-rows.ts';
import type { Recording } from './recording.ts';
import { reopenForLateSegment } from './remake.ts';
import type { AddedSegment } from './segment-repository.ts';

/**
 * Ten seconds of 100 Mbit/s. One object of any size in the bucket must not take down the function that looks at it, and
 * with it the recordings of all others.
 */
const MAX_SEGMENT_BYTES = 128 * 1024 * 1024;

type SegmentKey = Extract<ObjectKey, { kind: 'segment' }>;

export type CaptureOutcome =
  /** It is in the ledger now; `state` is null where it had been before. */
  | { readonly kind: 'stored'; readonly recordingId: string; readonly state: SegmentState | null }
  | { readonly kind: 'absent' }
  /** Whose it is, or what is in it, shows when the others are captured; nothing was done. */
  | { readonly kind: 'unsure' }
  /** A recording has begun, ended or gone on since the candidates were read; nothing was done. Read them again. */
  | { readonly kind: 'stale' }
  | { readonly kind: 'ignored'; readonly why: string };

/**
 * Captures the object of a key.
 * @param candidates recordings of the stream key that may take segments
 * @param guesses whether it is settled where that is not sure: the likeliest recording takes it, or it is rejected; else it
 *   is left where it is
 * @throws {StorageUnavailable} {StorageAccessDenied} {DatabaseUnavailable} nothing is lost; call again
 */
export async function captureSegment(
  context: RecordingContext,
  candidates: readonly Recording[],
  key: string,
  guesses: boolean,
): Promise<CaptureOutcome> {
  const parsed = parseObjectKey(key);
  if (parsed.kind !== 'segment') return { kind: 'ignored', why: 'not a segment' };
  if (candidates.length === 0) return { kind: 'ignored', why: 'no recording of this stream key takes segments' };
  const shown = withoutStreamKey(parsed.name, parsed.streamKey);
  context.logger.info({ recording_id: candidates.at(-1)?.id }, `📥 Downloading segment: ${shown}`);
  const memory = spare.take();
  const found = await fetch(context, key, memory);
  if (!found) return { kind: 'absent' };
  const outcome = await keep(context, candidates, parsed, key, found, guesses);
  // Not after an error: a request that was given up may still hold it.
  spare.giveBack(memory, found.fetched.bytes.length);
  return outcome;
}

const spare = new SpareMemory();

async function keep(
  context: RecordingContext,
  candidates: readonly Recording[],
  parsed: SegmentKey,
  key: string,
  { fetched, refusal }: Found,
  guesses: boolean,
): Promise<CaptureOutcome> {
  const verdict = refusal ?? (await judge(context, candidates, fetched.bytes));
  const owner = await findOwner(context, candidates, { key, number: parsed.number, fetched, probe: verdict.probe });
  if ('ignore' in owner) return { kind: 'ignored', why: owner.ignore };
  if (!guesses && (!owner.isSure || verdict.wantsTables)) return { kind: 'unsure' };
  // In the ledger already: nothing came, and what counts from the last segment does not begin again.
  if (owner.isCaptured) return { kind: 'stored', recordingId: owner.recordingId, state: null };
  const added = await store(context, candidates, owner.recordingId, parsed, key, fetched, verdict);
  if (added === 'stale') return { kind: 'stale' };
  if (added === 'known') return { kind: 'stored', recordingId: owner.recordingId, state: null };
  await afterCapture(context, owner.recordingId, added, verdict, parsed);
  return { kind: 'stored', recordingId: owner.recordingId, state: added.state };
}

interface Found {
  readonly fetched: FetchedObject;
  /** Where it is none that can be looked at. */
  readonly refusal?: Verdict;
}

/** Null where there is no such object. Its bytes may lie in `memory`. */
async function fetch(context: RecordingContext, key: string, memory: Uint8Array): Promise<Found | null> {
  const { LIVE_BUCKET, SEGMENT_DOWNLOAD_TIMEOUT } = context.config;
  try {
    const fetched = await context.store.get(LIVE_BUCKET, key, SEGMENT_DOWNLOAD_TIMEOUT, memory, MAX_SEGMENT_BYTES);
    return { fetched };
  } catch (error) {
    if (error instanceof ObjectMissing) return null;
    if (!(error instanceof ObjectTooLarge)) throw error;
    const refusal = { probe: null, keep: new Uint8Array(), reason: `SEGMENT_TOO_LARGE: ${error.message}` };
    return { fetched: error.object, refusal };
  }
}

interface Verdict {
  readonly probe: SegmentProbe | null;
  /** What is kept: the whole packets of a usable segment (others would break the joining), a rejected one as it came. */
  readonly keep: Uint8Array;
  /** Why it was rejected, or what is damaged in it; null where it is whole. */
  readonly reason: string | null;
  /** It may be readable with the tables of a neighbour, and none is captured yet. */
  readonly wantsTables?: boolean;
}

async function judge(context: RecordingContext, candidates: readonly Recording[], bytes: Uint8Array): Promise<Verdict> {
  try {
    return accept(bytes);
  } catch (error) {
    if (!(error instanceof SegmentRejected)) throw error;
    if (!(error instanceof SegmentNoProgramError)) return reject(bytes, error);
    // A segment that was cut without its tables is readable with those of its neighbour.
    const known = await lastTracks(context, candidates);
    if (!known) return { ...reject(bytes, error), wantsTables: true };
    try {
      return accept(bytes, { knownPids: known });
    } catch (second) {
      if (second instanceof SegmentRejected) return reject(bytes, second);
      throw second;
    }
  }
}

/** Throws as probeSegment does. */
function accept(bytes: Uint8Array, options: ProbeOptions = {}): Verdict {
  const probe = probeSegment(bytes, options);
  const { damage, notes } = probe;
  const reason = notes.length > 0 ? notes.join('; ') : null;
  if (damage.repeatedPackets === 0) return { probe, keep: usableBytes(bytes, probe), reason };
  const keep = withoutRepetitions(usableBytes(bytes, probe));
  return { probe: { ...probeSegment(keep, options), damage, notes }, keep, reason };
}

function reject(bytes: Uint8Array, error: SegmentRejected): Verdict {
  return { probe: null, keep: bytes, reason: `${error.code}: ${error.message}` };
}

async function lastTracks(
  context: RecordingContext,
  candidates: readonly Recording[],
): Promise<SegmentProbe['tracks'] | null> {
  const newest = candidates.at(-1);
  return newest ? ((await context.segments.findLastProbe(newest.id))?.tracks ?? null) : null;
}

async function store(
  context: RecordingContext,
  candidates: readonly Recording[],
  recordingId: string,
  parsed: SegmentKey,
  key: string,
  fetched: FetchedObject,
  verdict: Verdict,
): Promise<AddedSegment | 'known' | 'stale'> {
  const { keep, probe, reason } = verdict;
  // Bytes that carry no media are kept too: an operator who wants to know what the packager wrote finds it there.
  const stagedKey = keep.length > 0 ? stagedSegmentKey(recordingId, key, fetched.etag) : null;
  if (stagedKey) await context.store.put(context.config.MINIO_BUCKET, stagedKey, keep, 'video/mp2t');
  return context.segments.add(
    {
      recordingId,
      sourceKey: key,
      sourceEtag: fetched.etag,
      modifiedAt: new Date(fetched.modifiedAtMs),
      nameNumber: parsed.number,
      stagedKey,
      size: keep.length,
      reason,
      firstDts90k: probe?.firstDts90k ?? null,
      endDts90k: probe?.endDts90k ?? null,
      durationMs: Math.round(probe?.durationMs ?? 0),
      probe,
    },
    verdict.probe ? 'captured' : 'rejected',
    candidates,
    nowOf(context),
  );
}

async function afterCapture(
  context: RecordingContext,
  recordingId: string,
  added: AddedSegment,
  verdict: Verdict,
  parsed: SegmentKey,
): Promise<void> {
  if (added.state === 'rejected') {
    context.logger.warn(
      { recording_id: recordingId, segment: withoutStreamKey(parsed.name, parsed.streamKey), reason: verdict.reason },
      'Segment rejected; it is left out of the recording',
    );
  }
  if (added.state === 'late') await reopenForLateSegment(context, recordingId);
  // Whoever holds the lease meets the row by itself: before it wants to complete, or when it looks for the next part.
  if (added.state !== 'captured' || added.leased) return;
  if (added.processing) await context.queues.requestAdvance(recordingId, `segment:${added.id}`);
  else if (added.openBytes >= context.config.PART_SIZE)
    await context.queues.requestAdvance(recordingId, `roll:${added.parts}`);
}
