/** CPU that the processes below one have used, by what they are, ended ones included. Reads /proc; empty where there is none. */
import { readdirSync, readFileSync } from 'node:fs';

const TICK_SECONDS = 0.01;

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly name: string;
  readonly cpuSeconds: number;
  /** Of its children that have ended. */
  readonly endedCpuSeconds: number;
}

/**
 * Seconds by name.
 * @param nameOfEnded what the ended children of a process of this name were
 */
export function cpuBelow(
  root: number,
  nameOf: (pid: number, command: string) => string,
  nameOfEnded: (parent: string) => string,
): Map<string, number> {
  const processes = readProcesses();
  const sums = new Map<string, number>();
  const inside = new Set([root]);
  // Parents have mostly smaller numbers, but not always: repeat until nothing is added.
  for (let before = -1; before !== inside.size; ) {
    before = inside.size;
    for (const { pid, parent } of processes) if (inside.has(parent)) inside.add(pid);
  }
  const count = (label: string, seconds: number) => sums.set(label, (sums.get(label) ?? 0) + seconds);
  for (const { pid, name, cpuSeconds, endedCpuSeconds } of processes) {
    if (!inside.has(pid)) continue;
    const label = nameOf(pid, name);
    count(label, cpuSeconds);
    count(nameOfEnded(label), endedCpuSeconds);
  }
  return sums;
}

function readProcesses(): Process[] {
  let names: string[];
  try {
    names = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
  return names.flatMap((name) => readProcess(Number(name)) ?? []);
}

/** proc_pid_stat(5): parent is field 4, utime, stime, cutime and cstime are 14 to 17. */
function readProcess(pid: number): Process | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  const end = text.lastIndexOf(')');
  const fields = text.slice(end + 2).split(' ');
  const [utime = 0, stime = 0, cutime = 0, cstime = 0] = fields.slice(11, 15).map(Number);
  const name = text.slice(text.indexOf('(') + 1, end);
  return {
    ...{ pid, parent: Number(fields[1]), name },
    cpuSeconds: (utime + stime) * TICK_SECONDS,
    endedCpuSeconds: (cutime + cstime) * TICK_SECONDS,
  };
}
