/**
 * Reads one file below the root and nothing else: no link is followed, nothing but a plain file is read, and only as
 * long as it stays what the listing said it was. Whoever may write into the folder gets no other file uploaded.
 */
import { constants } from 'node:fs';
import { type FileHandle, lstat, open, realpath } from 'node:fs/promises';
import { join } from 'node:path';

/** More is no segment, and it has to fit into memory, here and where it is captured. */
export const FILE_LIMIT = 256 * 1024 * 1024;

export interface FileState {
  readonly size: number;
  readonly mtimeMs: number;
  /** Tells a file from another one of the same name. */
  readonly inode: string;
}

/** The state of a plain file; null for everything else, links too, and where there is none. */
export async function stateOf(folder: string, name: string): Promise<FileState | null> {
  try {
    const stats = await lstat(join(folder, name));
    return stats.isFile() ? toState(stats) : null;
  } catch (error) {
    if (isGone(error)) return null;
    throw error;
  }
}

/**
 * The bytes of a file that is still as `expected`; null where it has changed or gone.
 * @param folder without links in it
 */
export async function readUnchanged(folder: string, name: string, expected: FileState): Promise<Uint8Array | null> {
  let handle: FileHandle;
  try {
    // Non-blocking: a named pipe put in the file's place would be waited for for ever.
    handle = await open(join(folder, name), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (isGone(error) || (error as NodeJS.ErrnoException).code === 'ELOOP') return null;
    throw error;
  }
  try {
    // A folder on the way that became a link since it was listed leads elsewhere.
    if ((await realpath(folder)) !== folder || !(await isStill(handle, expected))) return null;
    const bytes = Buffer.allocUnsafe(expected.size);
    let filled = 0;
    while (filled < bytes.length) {
      const { bytesRead } = await handle.read(bytes, filled, bytes.length - filled, filled);
      if (bytesRead === 0) return null;
      filled += bytesRead;
    }
    return (await isStill(handle, expected)) ? bytes : null;
  } catch (error) {
    if (isGone(error)) return null;
    throw error;
  } finally {
    await handle.close();
  }
}

async function isStill(handle: FileHandle, expected: FileState): Promise<boolean> {
  const stats = await handle.stat();
  const state = toState(stats);
  return (
    stats.isFile() &&
    state.size === expected.size &&
    state.mtimeMs === expected.mtimeMs &&
    state.inode === expected.inode
  );
}

function toState(stats: { size: number; mtimeMs: number; dev: number; ino: number }): FileState {
  return { size: stats.size, mtimeMs: stats.mtimeMs, inode: `${stats.dev}:${stats.ino}` };
}

export function isGone(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR', 'ESTALE'].includes((error as NodeJS.ErrnoException).code ?? '');
}
