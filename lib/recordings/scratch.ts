/**
 * Scratch space of one job: `/tmp/recordings/{name}/`, empty at the start and gone at the end. The name is that of
 * the recording's final key without `.mp4` ({stream_key}, or {stream_key}-{started_at} of a later broadcast), so
 * that no two recordings ever share a folder.
 */
import { mkdir, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { ScratchFull } from '../ffmpeg/errors.ts';
import type { RecordingContext } from './context.ts';
import type { Recording } from './recording.ts';

/** Above this share of the disk an operator is warned. */
const ALERT_SHARE = 0.8;

/** Runs `work` in the recording's scratch folder. */
export async function withScratch<Result>(
  context: RecordingContext,
  recording: Recording,
  work: (folder: string) => Promise<Result>,
  measure: typeof scratchUse = scratchUse,
): Promise<Result> {
  const folder = join(context.config.SCRATCH_DIR, basename(recording.objectKey, '.mp4'));
  try {
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    return await work(folder);
  } catch (error) {
    throw isDiskFull(error) ? new ScratchFull(error.message, { cause: error }) : error;
  } finally {
    // Now it is at its fullest.
    warnWhenFull(context, recording, await measure(context.config.SCRATCH_DIR));
    // A folder that cannot be removed is removed by the next job of this recording; the file is safe by then.
    await rm(folder, { recursive: true, force: true }).catch((error: unknown) => {
      context.logger.warn({ err: error, recording_id: recording.id }, 'Could not remove a scratch folder');
    });
  }
}

/** Of all that is written in a job, only this is written to a disk by ourselves; ffmpeg says it in its own way. */
function isDiskFull(error: unknown): error is { readonly message: string } {
  const code = (error as { code?: unknown } | null)?.code;
  return code === 'ENOSPC' || code === 'EDQUOT';
}

/** The share of the scratch disk that is used, 0 to 1; null where it cannot be told. */
export async function scratchUse(folder: string): Promise<number | null> {
  // Until the first recording made the folder, the disk is that of the one above.
  for (const path of [folder, dirname(folder), tmpdir()]) {
    const disk = await statfs(path).catch(() => null);
    if (disk && disk.blocks > 0) return 1 - disk.bavail / disk.blocks;
  }
  return null;
}

function warnWhenFull(context: RecordingContext, recording: Recording, used: number | null): void {
  if (used === null || used <= ALERT_SHARE) return;
  context.logger.warn(
    { recording_id: recording.id, used_percent: Math.round(used * 100), folder: context.config.SCRATCH_DIR },
    'Scratch space is over 80 % full',
  );
}
