/**
 * The short way to a file: everything staged is fetched to scratch, joined by one ffmpeg, uploaded. It is what a
 * recording shorter than a part takes, and the reference the engine is compared with.
 */
import type { Run } from '../capture/runs.ts';
import type { Lease } from './advance.ts';
import type { RecordingContext } from './context.ts';
import { settleFinalKey } from './final-key.ts';
import type { MadeFile } from './finish.ts';
import type { PlannedSegment } from './plan-file.ts';
import { withScratch } from './scratch.ts';
import { stageRuns } from './stage-runs.ts';

const TIMEOUT_MS = 600_000;

/** Makes the file of all runs and stores it at the recording's final key. */
export async function makeByShortWay(
  context: RecordingContext,
  lease: Lease,
  runs: ReadonlyArray<Run<PlannedSegment>>,
): Promise<MadeFile> {
  const ffmpeg = await context.ffmpeg();
  return withScratch(context, lease.recording, async (dir) => {
    const segments = runs.map((run) => run.segments.map((planned) => planned.segment));
    const joined = await context.media.joinShortWay({
      ffmpegPath: ffmpeg.path,
      dir,
      runs: await stageRuns(context, segments, dir, lease.signal),
      timeoutMs: TIMEOUT_MS,
      signal: lease.signal,
    });
    const key = await settleFinalKey(context, lease);
    const { etag } = await context.store.putFile(context.config.MINIO_BUCKET, key, joined.path, 'video/mp4');
    const { bytes: sizeBytes, durationMs, tracks, warnings } = joined;
    return { key, sizeBytes, etag, durationMs, facts: { engine: 'short-way', warnings, tracks } };
  });
}
