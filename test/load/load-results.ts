/** What a load run finds, and how it is printed. Pure. */
import { textTable } from '../bench/text-table.ts';
import type { LoadArguments } from './load-arguments.ts';

export interface LoadResult {
  readonly options: LoadArguments;
  readonly machine: string;
  readonly uploaded: number;
  readonly uploadedBytes: number;
  /** Uploaded segments that no ledger has as captured. */
  readonly lost: number;
  readonly completed: number;
  readonly failed: number;
  /** Neither completed nor failed when time was up. */
  readonly stuck: number;
  /** Completed recordings whose file is not there in the size that the row says, or has not all segments. */
  readonly wrongFiles: number;
  /** Milliseconds. */
  readonly uploadToLedger: readonly number[];
  readonly endToFile: readonly number[];
  readonly webhook: readonly number[];
  /** How late the load itself was with its uploads: the machine had no time for it. */
  readonly behind: readonly number[];
  readonly cpu: readonly CpuShare[];
  readonly liveSeconds: number;
}

export interface CpuShare {
  readonly name: string;
  /** Of one core, while the streams were live. */
  readonly share: number;
}

export function isClean(result: LoadResult): boolean {
  return result.lost + result.failed + result.stuck + result.wrongFiles === 0;
}

export function loadTable(result: LoadResult): string {
  const { options } = result;
  const rate = result.uploaded / result.liveSeconds;
  const about =
    `${result.machine}; ${options.streams} streams of ${options.kbits} kbit/s for ${options.seconds} s, ` +
    `segments of ${options.segmentSeconds} s`;
  const counts = textTable(
    ['streams', 'segments', 'a second', 'MB/s', 'lost', 'completed', 'failed', 'stuck', 'wrong files'],
    [
      [
        String(options.streams),
        String(result.uploaded),
        rate.toFixed(1),
        (result.uploadedBytes / 1e6 / result.liveSeconds).toFixed(1),
        String(result.lost),
        String(result.completed),
        String(result.failed),
        String(result.stuck),
        String(result.wrongFiles),
      ],
    ],
  );
  const times = textTable(
    ['', 'p50', 'p95', 'p99', 'longest'],
    [
      timesRow('upload → ledger', result.uploadToLedger),
      timesRow('stream.ended → MP4', result.endToFile),
      timesRow('answer to a webhook', result.webhook),
      timesRow('upload begun late by', result.behind),
    ],
  );
  const cpu = textTable(
    ['process', 'cores used while live'],
    result.cpu.map(({ name, share }) => [name, share.toFixed(2)]),
  );
  return [about, counts, times, cpu].join('\n\n');
}

function timesRow(name: string, values: readonly number[]): string[] {
  return [name, ...[0.5, 0.95, 0.99, 1].map((share) => duration(quantile(values, share)))];
}

/** The smallest value that at least this share of the values does not exceed; 0 of none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
}

function duration(milliseconds: number): string {
  return milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(2)} s`;
}
