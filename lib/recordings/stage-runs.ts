/** Fetches staged segments: one, or all of some runs into files of a scratch folder. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ObjectMissing } from '../storage/errors.ts';
import type { FetchedObject } from '../storage/object-store.ts';
import type { RecordingContext } from './context.ts';
import { StagedSegmentMissing } from './errors.ts';
import type { LedgerSegment } from './ledger-rows.ts';

const AT_ONCE = 6;

/**
 * Writes the segments of each run as `segment-{n}.ts` and returns their paths, run by run.
 * @throws {StagedSegmentMissing} where a staged object of the ledger is gone; {StorageUnavailable}
 */
export async function stageRuns(
  context: RecordingContext,
  runs: ReadonlyArray<readonly LedgerSegment[]>,
  folder: string,
  signal: AbortSignal,
): Promise<string[][]> {
  let count = 0;
  const files = runs.map((segments) =>
    segments.map((segment) => {
      count += 1;
      return { segment, path: join(folder, `segment-${String(count).padStart(6, '0')}.ts`) };
    }),
  );
  const pending = files.flat();
  const worker = async () => {
    for (let file = pending.shift(); file; file = pending.shift()) {
      signal.throwIfAborted();
      await writeFile(file.path, (await fetchStaged(context, file.segment)).bytes);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return files.map((run) => run.map((file) => file.path));
}

/** One staged segment's bytes, in `memory` where they fit. @throws {StagedSegmentMissing} {StorageUnavailable} */
export async function fetchStaged(
  context: RecordingContext,
  segment: LedgerSegment,
  memory?: Uint8Array,
): Promise<FetchedObject> {
  const { MINIO_BUCKET, SEGMENT_DOWNLOAD_TIMEOUT } = context.config;
  try {
    if (!segment.stagedKey) throw new ObjectMissing(`Segment ${segment.id} was never staged`);
    const fetched = await context.store.get(MINIO_BUCKET, segment.stagedKey, SEGMENT_DOWNLOAD_TIMEOUT, memory);
    if (fetched.bytes.length === segment.size) return fetched;
    throw new StagedSegmentMissing(
      `Staged segment ${segment.id} has ${fetched.bytes.length} bytes, the ledger says ${segment.size}`,
    );
  } catch (error) {
    if (!(error instanceof ObjectMissing)) throw error;
    throw new StagedSegmentMissing(`Staged segment ${segment.id} is not in the store`, { cause: error });
  }
}
