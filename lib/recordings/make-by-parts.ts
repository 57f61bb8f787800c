/**
 * The engine's way to a file: whatever is left is rolled, the head is built from the sample indexes of all parts, and
 * part 1 (head and held-back media) completes the upload. Nothing of the parts is read or written again, so that this
 * costs the tail and the head, however long the recording is.
 */
import { createHash } from 'node:crypto';
import { ObjectMissing, UploadMissing } from '../storage/errors.ts';
import type { Lease } from './advance.ts';
import type { RecordingContext } from './context.ts';
import { readEngineState } from './engine-state.ts';
import { StagedSegmentMissing, VerificationFailed } from './errors.ts';
import { settleFinalKey } from './final-key.ts';
import type { MadeFile } from './finish.ts';
import type { RecordingPart } from './part-repository.ts';
import type { Recording } from './recording.ts';
import { restartGeneration } from './remake.ts';
import { openUpload, rollNextPart } from './roll.ts';

export type PartsOutcome =
  | { readonly kind: 'made'; readonly file: MadeFile; readonly repeated: readonly number[] }
  /** Something to be begun anew or gone on with later; the reason is logged. */
  | { readonly kind: 'again'; readonly why: string };

/** Makes the file under the lease. @throws what rolling and storing throw; repeating it is safe */
export async function makeByParts(context: RecordingContext, lease: Lease): Promise<PartsOutcome> {
  for (;;) {
    const rolled = await rollNextPart(context, lease, true);
    if (rolled.kind === 'restarted') return { kind: 'again', why: 'the upload was lost' };
    if (lease.signal.aborted) return { kind: 'again', why: 'the time of this function is over' };
    if (rolled.kind === 'rolled') continue;
    if (rolled.plan.late.length > 0) {
      await restartGeneration(context, lease, `${rolled.plan.late.length} segments came after their place was written`);
      return { kind: 'again', why: 'late segments' };
    }
    const repeated = rolled.plan.repeated.map((segment) => segment.id);
    const file = await assemble(context, lease);
    return file ? { kind: 'made', file, repeated } : { kind: 'again', why: 'the upload was lost' };
  }
}

/** Puts the head in front and completes; null where the upload is gone and everything begins anew. */
async function assemble(context: RecordingContext, lease: Lease): Promise<MadeFile | null> {
  const recording = (await context.recordings.find(lease.recording.id)) ?? lease.recording;
  const parts = await context.parts.list(recording.id, recording.generation);
  const head = context.media.buildHead({
    parts: parts.map((part) => ({ index: part.sampleIndex, bytes: part.size })),
    createdMs: recording.startedAt.getTime(),
  });
  const first = Buffer.concat([head.bytes, await fetchHeld(context, parts)]);
  const sizeBytes = head.bytes.length + head.mediaBytes;
  const stored =
    parts.length === 1
      ? await storeWhole(context, lease, first)
      : await completeUpload(context, lease, recording, parts, first, sizeBytes);
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

async function fetchHeld(context: RecordingContext, parts: readonly RecordingPart[]): Promise<Uint8Array> {
  const held = parts[0];
  if (!held?.heldKey) throw new StagedSegmentMissing('The held-back first part has no key');
  try {
    const { bytes } = await context.store.get(
      context.config.MINIO_BUCKET,
      held.heldKey,
      context.config.SEGMENT_DOWNLOAD_TIMEOUT,
    );
    if (bytes.length === held.size) return bytes;
    throw new StagedSegmentMissing(`The held-back first part has ${bytes.length} bytes instead of ${held.size}`);
  } catch (error) {
    if (error instanceof ObjectMissing)
      throw new StagedSegmentMissing('The held-back first part is not in the store', { cause: error });
    throw error;
  }
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
  parts: readonly RecordingPart[],
  first: Uint8Array,
  sizeBytes: number,
): Promise<{ key: string; etag: string } | null> {
  const bucket = context.config.MINIO_BUCKET;
  const { key, uploadId } = await openUpload(context, lease, recording);
  try {
    const sent = await context.store.uploadPart(bucket, key, uploadId, 1, first);
    const rest = parts.slice(1).map((part) => ({ partNumber: part.partNumber, etag: part.etag ?? '' }));
    // What the finished object will look like is written down before: a Complete whose answer was lost is known by it.
    await context.recordings.mergeFacts(recording.id, lease.token, {
      completing: { uploadId, sizeBytes, etag: multipartEtag([sent, ...rest]) },
    });
    const { etag } = await context.store.completeUpload(bucket, key, uploadId, [sent, ...rest]);
    checkEtag(etag, multipartEtag([sent, ...rest]));
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
