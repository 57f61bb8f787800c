/**
 * What a process costs: CPU of itself and of the children it has waited for, its peak memory, and the peak of a scratch
 * folder. Reads /proc, where there is one; elsewhere the figures that need it are null.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** The kernel reports CPU times of processes in hundredths of a second, whatever its own clock. */
const TICK_MS = 10;

export interface ProcessUsage {
  readonly ownCpuMs: number;
  /** Of children that have ended; null where it cannot be known. */
  readonly childCpuMs: number | null;
  /** Greatest resident size of this process alone. */
  readonly peakBytes: number;
}

/** Of the calling process, since its start. */
export function usageOfThisProcess(): ProcessUsage {
  const { user, system } = process.cpuUsage();
  return { ownCpuMs: (user + system) / 1000, childCpuMs: childCpuMs(), peakBytes: peakBytes() };
}

function childCpuMs(): number | null {
  const text = read('/proc/self/stat');
  if (text === null) return null;
  // The name, in parentheses, may hold spaces; cutime and cstime are fields 16 and 17 of proc_pid_stat(5).
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[13]) + Number(fields[14])) * TICK_MS;
}

/** VmHWM, not ru_maxrss: that one carries over what the parent was before exec. */
function peakBytes(): number {
  const kilobytes = /^VmHWM:\s+(\d+) kB/m.exec(read('/proc/self/status') ?? '')?.[1];
  return (kilobytes === undefined ? process.resourceUsage().maxRSS : Number(kilobytes)) * 1024;
}

export interface Peaks {
  /** Of the process and its children together, as far as sampling sees it. */
  readonly treeBytes: number;
  readonly scratchBytes: number;
}

/** Samples a process with its children, and a folder, until it is stopped. */
export function watchPeaks(pid: number, folder: string, everyMs = 15): { stop(): Peaks } {
  let treeBytes = 0;
  let scratchBytes = 0;
  const look = () => {
    treeBytes = Math.max(treeBytes, residentOfTree(pid));
    scratchBytes = Math.max(scratchBytes, bytesBelow(folder));
  };
  const timer = setInterval(look, everyMs);
  return {
    stop: () => {
      clearInterval(timer);
      look();
      return { treeBytes, scratchBytes };
    },
  };
}

/** A child that is still what its parent is, between fork and exec, only shares the parent's pages. */
function residentOfTree(pid: number, parentName = ''): number {
  const status = read(`/proc/${pid}/status`) ?? '';
  const name = /^Name:\s+(.*)$/m.exec(status)?.[1] ?? '';
  if (name === parentName) return 0;
  const kilobytes = Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? '0');
  const children = (read(`/proc/${pid}/task/${pid}/children`) ?? '').split(' ').filter((word) => word !== '');
  return kilobytes * 1024 + children.reduce((sum, child) => sum + residentOfTree(Number(child), name), 0);
}

/** As `du --apparent-size` counts; what vanishes meanwhile counts nothing. */
function bytesBelow(folder: string): number {
  let bytes = 0;
  try {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      bytes += entry.isDirectory() ? bytesBelow(path) : statSync(path).size;
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  return bytes;
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
