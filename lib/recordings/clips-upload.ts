/**
 * Stores a file that consists of a head and of ranges of another file: in one request where it is small, else part by
 * part, going on where an earlier round stopped. Memory: a few parts, whatever the length.
 */
import type { Extent } from '../mp4/clip-extents.ts';
import type { UploadedPart } from '../storage/object-store.ts';
import type { CutRepository, CutRow } from './clips-repository.ts';
import { nowOf, type RecordingContext } from './context.ts';
import type { ByteSource } from './playback-bytes.ts';
import { MediaReplaced } from './playback-errors.ts';

const PART_BYTES = 16 * 1024 * 1024;
const MOST_PARTS = 10_000;
const PARTS_AT_ONCE = 2;
const READS_AT_ONCE = 8;
/** Longer than any part takes. */
const LEASE_MS = 120_000;

/** The file that is to be stored. */
export interface Joined {
  readonly head: Uint8Array;
  readonly extents: readonly Extent[];
  readonly source: ByteSource;
  readonly size: number;
}

export interface UploadWork {
  readonly cuts: CutRepository;
  readonly cut: CutRow;
  readonly contentType: string;
  /** No new part begins after this, but the first one. */
  readonly until: number;
}

/** Stores it; false where time was up before the end, and the next round goes on. */
export async function storeJoined(context: RecordingContext, joined: Joined, work: UploadWork): Promise<boolean> {
  const bucket = context.config.MINIO_BUCKET;
  const { cut, contentType } = work;
  if (joined.size <= PART_BYTES) {
    const bytes = await readJoined(joined, 0, joined.size);
    await requireUnchanged(joined.source);
    await context.store.put(bucket, cut.objectKey, bytes, contentType);
    return true;
  }
  const partBytes = Math.max(PART_BYTES, Math.ceil(joined.size / MOST_PARTS));
  const { uploadId, parts } = await openUpload(context, joined, work);
  const done = new Map(parts.map((part) => [part.partNumber, part]));
  const missing = Array.from({ length: Math.ceil(joined.size / partBytes) }, (_, at) => at + 1).filter(
    (number) => !done.has(number),
  );
  let begun = 0;
  const worker = async () => {
    for (let number = missing.shift(); number !== undefined; number = missing.shift()) {
      // One at least: every round comes further, however long its tables took.
      if (begun > 0 && context.clock.now() >= work.until) {
        missing.unshift(number);
        return;
      }
      begun += 1;
      const bytes = await readJoined(joined, (number - 1) * partBytes, Math.min(joined.size, number * partBytes));
      done.set(number, await context.store.uploadPart(bucket, cut.objectKey, uploadId, number, bytes));
      await work.cuts.saveProgress(
        cut.id,
        { uploadId, sourceEtag: joined.source.etag, parts: inOrder(done) },
        nowOf(context, LEASE_MS),
      );
    }
  };
  await Promise.all(Array.from({ length: PARTS_AT_ONCE }, worker));
  if (missing.length > 0) return false;
  await requireUnchanged(joined.source);
  await context.store.completeUpload(bucket, cut.objectKey, uploadId, inOrder(done));
  return true;
}

/** The bytes are all of one file: a recording that is made anew takes the place of the one that is read. */
async function requireUnchanged(source: ByteSource): Promise<void> {
  if (!(await source.isUnchanged())) throw new MediaReplaced('The recording was made anew meanwhile');
}

/** The upload of an earlier round, if it read the same bytes as this one would. */
async function openUpload(
  context: RecordingContext,
  joined: Joined,
  { cuts, cut, contentType }: UploadWork,
): Promise<{ uploadId: string; parts: readonly UploadedPart[] }> {
  const bucket = context.config.MINIO_BUCKET;
  if (cut.uploadId !== null) {
    if (cut.sourceEtag === joined.source.etag) return { uploadId: cut.uploadId, parts: cut.parts };
    await context.store.abortUpload(bucket, cut.objectKey, cut.uploadId);
  }
  const uploadId = await context.store.createUpload(bucket, cut.objectKey, contentType);
  await cuts.saveProgress(cut.id, { uploadId, sourceEtag: joined.source.etag, parts: [] }, nowOf(context, LEASE_MS));
  return { uploadId, parts: [] };
}

const inOrder = (parts: ReadonlyMap<number, UploadedPart>): UploadedPart[] =>
  [...parts.values()].sort((a, b) => a.partNumber - b.partNumber);

/** Bytes `from` up to `to` of the joined file. */
async function readJoined(joined: Joined, from: number, to: number): Promise<Uint8Array> {
  const out = Buffer.alloc(to - from);
  const reads: Array<{ at: number; first: number; end: number }> = [];
  out.set(joined.head.subarray(Math.min(from, joined.head.length), Math.min(to, joined.head.length)));
  let start = joined.head.length;
  for (const { first, end } of joined.extents) {
    const stop = start + end - first;
    const [low, high] = [Math.max(from, start), Math.min(to, stop)];
    if (low < high) reads.push({ at: low - from, first: first + low - start, end: first + high - start });
    if (stop >= to) break;
    start = stop;
  }
  const worker = async () => {
    for (let read = reads.shift(); read !== undefined; read = reads.shift()) {
      out.set(await joined.source.read(read.first, read.end), read.at);
    }
  };
  await Promise.all(Array.from({ length: Math.min(READS_AT_ONCE, reads.length) }, worker));
  return out;
}
