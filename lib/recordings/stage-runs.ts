/** Fetches staged segments into one file a run, joined byte-wise in order. */
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { ObjectMissing } from '../storage/errors.ts';
import type { FetchedObject } from '../storage/object-store.ts';
import type { RecordingContext } from './context.ts';
import { StagedSegmentMissing } from './errors.ts';
import type { LedgerSegment } from './segment-repository.ts';

/** Segments fetched ahead of the one that is being written. */
const AHEAD = 6;

/**
 * Writes `run-{n}.ts` files into the folder and returns their paths, one a run.
 * @throws {StagedSegmentMissing} where a staged object of the ledger is gone; {StorageUnavailable}
 */
export async function stageRuns(
  context: RecordingContext,
  runs: ReadonlyArray<readonly LedgerSegment[]>,
  folder: string,
  signal: AbortSignal,
): Promise<string[]> {
  const paths: string[] = [];
  for (const [index, segments] of runs.entries()) {
    const path = join(folder, `run-${index}.ts`);
    await pipeline(fetchInOrder(context, segments), createWriteStream(path), { signal });
    paths.push(path);
  }
  return paths;
}

/** The bytes of segments, in order, a few fetched ahead. */
export async function* fetchInOrder(
  context: RecordingContext,
  segments: readonly LedgerSegment[],
): AsyncGenerator<Uint8Array> {
  const ahead: Array<Promise<FetchedObject>> = [];
  let next = 0;
  const fill = () => {
    while (ahead.length < AHEAD && next < segments.length) {
      const segment = segments[next];
      next += 1;
      if (!segment) continue;
      const fetched = fetchStaged(context, segment);
      // A failure is met when its turn comes; until then it must not count as unhandled.
      fetched.catch(() => undefined);
      ahead.push(fetched);
    }
  };
  fill();
  for (let fetched = ahead.shift(); fetched; fetched = ahead.shift()) {
    fill();
    yield (await fetched).bytes;
  }
}

async function fetchStaged(context: RecordingContext, segment: LedgerSegment): Promise<FetchedObject> {
  const { MINIO_BUCKET, SEGMENT_DOWNLOAD_TIMEOUT } = context.config;
  try {
    if (!segment.stagedKey) throw new ObjectMissing(`Segment ${segment.id} was never staged`);
    const fetched = await context.store.get(MINIO_BUCKET, segment.stagedKey, SEGMENT_DOWNLOAD_TIMEOUT);
    if (fetched.bytes.length !== segment.size) {
      throw new StagedSegmentMissing(
        `Staged segment ${segment.id} has ${fetched.bytes.length} bytes, the ledger says ${segment.size}`,
      );
    }
    return fetched;
  } catch (error) {
    if (error instanceof ObjectMissing)
      throw new StagedSegmentMissing(`Staged segment ${segment.id} is not in the store`, { cause: error });
    throw error;
  }
}
