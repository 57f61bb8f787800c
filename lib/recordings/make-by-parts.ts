/**
 * The engine's way to a file: whatever is left is rolled, the head is built from the sample indexes of all parts, and
 * part 1 (the head, with the media that was held back for it while it is short) completes the upload. Nothing else is
 * read or written again, so that this costs the tail and the head, however long the recording is.
 */
import { createHash } from 'node:crypto';
import { UploadMissing } from '../storage/errors.ts';
import type { UploadedPart } from '../storage/object-store.ts';
import type { Lease } from './advance.ts';
import type { RecordingContext } from './context.ts';
import { readEngineState } from './engine-state.ts';
import { StagedSegmentMissing, VerificationFailed } from './errors.ts';
import { settleFinalKey } from './final-key.ts';
import type { MadeFile } from './finish.ts';
import { GrowingHead, type StoredPart } from './growing-head.ts';
import { fetchHeld, partsBehind } from './held-part.ts';
import type { Recording } from './recording.ts';
import { restartGeneration } from './remake.ts';
import { restartIfMisplaced } from './reorder.ts';
import { openUpload, rollNextPart } from './roll.ts';

export type PartsOutcome =
  | { readonly kind: 'made'; readonly file: MadeFile; readonly repeated: readonly number[] }
  | Again;

/** Something to be begun anew or gone on with later; the reason is logged. */
interface Again {
  readonly kind: 'again';
  readonly why: string;
}

/** Makes the file under the lease. @throws what rolling and storing throw; repeating it is safe */
export async function makeByParts(context: RecordingContext, lease: Lease): Promise<PartsOutcome> {
  const { id, generation } = (await context.recordings.find(lease.recording.id)) ?? lease.recording;
  const head = new GrowingHead(context.parts, id, generation);
  // Beside the tail, which waits for the store most of the time.
  const early = head.catchUp();
  early.catch(() => undefined);
  try {
    const tail = await rollTail(context, lease);
    if (tail.kind === 'again') return tail;
    await early;
    await head.catchUp();
    const file = await assemble(context, lease, head);
    return file ? { kind: 'made', file, repeated: tail.repeated } : { kind: 'again', why: 'the upload was lost' };
  } finally {
    await Promise.allSettled([early]);
  }
}

/** Rolls whatever is left. */
async function rollTail(
  context: RecordingContext,
  lease: Lease,
): Promise<Again | { readonly kind: 'rolled'; readonly repeated: readonly number[] }> {
  const again = (why: string): Again => ({ kind: 'again', why });
  for (;;) {
    const rolled = await rollNextPart(context, lease, true);
    if (rolled.kind === 'restarted') return again('the upload was lost');
    if (lease.signal.aborted) return again('the time of this function is over');
    if (rolled.kind === 'rolled') continue;
    if (rolled.plan.late.length > 0) {
      await restartGeneration(context, lease, `${rolled.plan.late.length} segments came after their place was written`);
      return again('late segments');
    }
    if (await restartIfMisplaced(context, lease)) return again('another order');
    return { kind: 'rolled', repeated: rolled.plan.repeated.map((segment) => segment.id) };
  }
}

/** Puts the head in front and completes; null where the upload is gone and everything begins anew. */
async function assemble(context: RecordingContext, lease: Lease, growing: GrowingHead): Promise<MadeFile | null> {
  const recording = (await context.recordings.find(lease.recording.id)) ?? lease.recording;
  const { parts } = growing;
  const [held] = parts;
  const room = held?.etag === null ? held.size : 0;
  const head = growing.build({ createdMs: recording.startedAt.getTime(), room });
  if (!held) throw new StagedSegmentMissing('The recording has no first part');
  const sizeBytes = head.bytes.length + head.mediaBytes;
  const { listed, heldApart } = partsBehind(parts, head.bytes.length, context.config.PART_SIZE);
  const first = heldApart ? head.bytes : await withHeld(context, head.bytes, held);
  const stored =
    parts.length === 1
      ? await storeWhole(context, lease, first)
      : await completeUpload(context, lease, recording, first, listed, sizeBytes);
  if (!stored) {
    await restartGeneration(context, lease, 'the multipart upload is gone');
    return null;
  }
  const state = readEngineState(recording.engineState);
  return {
    ...stored,
    sizeBytes,
    durationMs: head.durationMs,
    facts: { engine: 'parts', parts: parts.length, warnings: state?.warnings ?? [], tracks: head.tracks },
  };
}

/** The head and the held-back media in one stretch of memory, as they are sent. */
async function withHeld(context: RecordingContext, head: Uint8Array, held: StoredPart): Promise<Uint8Array> {
  const bytes = head.length + held.size;
  const hasRoom = head.byteOffset + bytes <= head.buffer.byteLength;
  const first = hasRoom ? new Uint8Array(head.buffer, head.byteOffset, bytes) : new Uint8Array(bytes);
  if (!hasRoom) first.set(head);
  await fetchHeld(context, held, first.subarray(head.length));
  return first;
}

/** A recording of a single part needs no multipart upload. */
async function storeWhole(
  context: RecordingContext,
  lease: Lease,
  bytes: Uint8Array,
): Promise<{ key: string; etag: string }> {
  const key = await settleFinalKey(context, lease);
  return { key, ...(await context.store.put(context.config.MINIO_BUCKET, key, bytes, 'video/mp4')) };
}

async function completeUpload(
  context: RecordingContext,
  lease: Lease,
  recording: Recording,
  first: Uint8Array,
  behind: readonly UploadedPart[],
  sizeBytes: number,
): Promise<{ key: string; etag: string } | null> {
  const bucket = context.config.MINIO_BUCKET;
  const { key, uploadId } = await openUpload(context, lease, recording);
  try {
    const all = [await context.store.uploadPart(bucket, key, uploadId, 1, first), ...behind];
    const expected = multipartEtag(all);
    // What the finished object will look like is written down before: a Complete whose answer was lost is known by it.
    await context.leases.mergeFacts(recording.id, lease.token, {
      completing: { uploadId, sizeBytes, etag: expected },
    });
    const { etag } = await context.store.completeUpload(bucket, key, uploadId, all);
    checkEtag(etag, expected);
    return { key, etag };
  } catch (error) {
    if (!(error instanceof UploadMissing)) throw error;
    return findCompleted(context, recording.id, key, uploadId);
  }
}

/** An upload that is gone may have been completed by a call whose answer never came. */
async function findCompleted(
  context: RecordingContext,
  recordingId: string,
  key: string,
  uploadId: string,
): Promise<{ key: string; etag: string } | null> {
  const fresh = await context.recordings.find(recordingId);
  const expected = fresh?.facts.completing;
  const stored = await context.store.head(context.config.MINIO_BUCKET, key);
  if (!stored || expected?.uploadId !== uploadId || stored.size !== expected.sizeBytes) return null;
  return expected.etag === null || stored.etag === expected.etag ? { key, etag: stored.etag } : null;
}

/** The ETag of a multipart object: the MD5 of its parts' MD5s, and their number. Null where ETags are no MD5s. */
function multipartEtag(parts: ReadonlyArray<{ readonly etag: string }>): string | null {
  if (!parts.every((part) => /^[0-9a-f]{32}$/.test(part.etag))) return null;
  const digest = createHash('md5');
  for (const part of parts) digest.update(Buffer.from(part.etag, 'hex'));
  return `${digest.digest('hex')}-${parts.length}`;
}

/** A store whose ETags are the usual digests tells by it whether it joined the very parts that were sent. */
function checkEtag(etag: string, expected: string | null): void {
  if (expected === null || !/^[0-9a-f]{32}-\d+$/.test(etag) || etag === expected) return;
  throw new VerificationFailed('The finished object is not made of the parts that were sent: its ETag differs');
}
