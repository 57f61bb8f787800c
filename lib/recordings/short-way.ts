/**
 * The short way to a file: everything staged is fetched to scratch, joined by one ffmpeg, uploaded. It is what a
 * short recording takes, the reference the engine is compared with, and the rebuild when an upload was lost.
 */
import { stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Run } from '../capture/runs.ts';
import { hardenedInput, runFfmpeg } from '../ffmpeg/run.ts';
import type { Lease } from './advance.ts';
import type { RecordingContext } from './context.ts';
import { settleFinalKey } from './final-key.ts';
import type { MadeFile } from './finish.ts';
import type { PlannedSegment } from './plan-file.ts';
import { withScratch } from './scratch.ts';
import { stageRuns } from './stage-runs.ts';

/** Makes the file of all runs and stores it at the recording's final key. */
export async function makeByShortWay(
  context: RecordingContext,
  lease: Lease,
  runs: ReadonlyArray<Run<PlannedSegment>>,
): Promise<MadeFile> {
  const ffmpeg = await context.ffmpeg();
  return withScratch(context, lease.recording, async (folder) => {
    const segments = runs.map((run) => run.segments.map((planned) => planned.segment));
    const paths = await stageRuns(context, segments, folder, lease.signal);
    const output = join(folder, 'output.mp4');
    const list = join(folder, 'segments.txt');
    await writeFile(list, paths.map((path) => `file '${basename(path)}'\n`).join(''));
    const { warnings } = await runFfmpeg({
      ffmpegPath: ffmpeg.path,
      args: [
        ...hardenedInput(list, 'concat', ['-safe', '0']),
        '-map',
        '0',
        '-c',
        'copy',
        '-movflags',
        '+faststart',
        output,
      ],
      cwd: folder,
      timeoutMs: 600_000,
      signal: lease.signal,
    });
    const { size } = await stat(output);
    const key = await settleFinalKey(context, lease);
    const { etag } = await context.store.putFile(context.config.MINIO_BUCKET, key, output, 'video/mp4');
    const durationMs = runs.reduce((sum, run) => sum + run.durationMs, 0);
    return { key, sizeBytes: size, etag, durationMs, facts: { engine: 'short-way', warnings } };
  });
}
