/**
 * Scratch space of one job: `/tmp/recordings/{name}/`, empty at the start and gone at the end. The name is that of
 * the recording's final key without `.mp4` ({stream_key}, or {stream_key}-{started_at} of a later broadcast), so
 * that no two recordings ever share a folder.
 */
import { mkdir, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import type { RecordingContext } from './context.ts';
import type { Recording } from './recording.ts';

/** Above this share of the disk an operator is warned. */
const ALERT_SHARE = 0.8;

/** Runs `work` in the recording's scratch folder. */
export async function withScratch<Result>(
  context: RecordingContext,
  recording: Recording,
  work: (folder: string) => Promise<Result>,
): Promise<Result> {
  const folder = join(context.config.SCRATCH_DIR, basename(recording.objectKey, '.mp4'));
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  try {
    return await work(folder);
  } finally {
    // Now it is at its fullest.
    await warnWhenFull(context, recording);
    // A folder that cannot be removed is removed by the next job of this recording; the file is safe by then.
    await rm(folder, { recursive: true, force: true }).catch((error: unknown) => {
      context.logger.warn({ err: error, recording_id: recording.id }, 'Could not remove a scratch folder');
    });
  }
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

async function warnWhenFull(context: RecordingContext, recording: Recording): Promise<void> {
  const used = await scratchUse(context.config.SCRATCH_DIR);
  if (used === null || used <= ALERT_SHARE) return;
  context.logger.warn(
    { recording_id: recording.id, used_percent: Math.round(used * 100), folder: context.config.SCRATCH_DIR },
    'Scratch space is over 80 % full',
  );
}
