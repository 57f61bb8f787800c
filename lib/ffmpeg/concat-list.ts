/**
 * The concat demuxer's list: one line a run and where the next one begins. Owns the syntax and the rounding; which runs
 * there are is the caller's. Pure.
 */

export interface ListedRun {
  /** Beside the list. */
  readonly fileName: string;
  /** Where the run begins on the recording's clock, 90 kHz. */
  readonly start90k: number;
}

/**
 * The demuxer re-bases a file by the sum of the durations before it, in microseconds, and its own guess of a duration is
 * the container's: too long. So each run but the last says how long it is. Durations are differences of rounded starts:
 * their sum is never more than half a microsecond, a twentieth of a tick, from the start that is meant.
 */
export function concatList(runs: readonly ListedRun[]): string {
  const lines: string[] = [];
  for (const [at, run] of runs.entries()) {
    lines.push(`file ${quoted(run.fileName)}`);
    const next = runs[at + 1];
    if (next !== undefined) lines.push(`duration ${seconds(micros(next.start90k) - micros(run.start90k))}`);
  }
  return `${lines.join('\n')}\n`;
}

function micros(ticks90k: number): number {
  return Math.round((ticks90k * 100) / 9);
}

function seconds(microseconds: number): string {
  const whole = Math.floor(microseconds / 1_000_000);
  return `${whole}.${String(microseconds - whole * 1_000_000).padStart(6, '0')}`;
}

/** ffmpeg's quoting: everything between apostrophes is literal, an apostrophe itself is written outside of them. */
export function quoted(fileName: string): string {
  if (/[\n\r\0]/.test(fileName)) throw new Error('a file name with a line break');
  return `'${fileName.replaceAll("'", "'\\''")}'`;
}
