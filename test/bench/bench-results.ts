/** What the benchmark finds, as values, and how it compares with what was promised. Pure. */

export interface WorkCost {
  readonly seconds: number;
  readonly ownCpuMs: number;
  readonly childCpuMs: number | null;
  /** Of the process itself, exactly, and together with its ffmpeg, as sampled. */
  readonly peakBytes: number;
  readonly peakTreeBytes: number;
  readonly peakScratchBytes: number;
  readonly writtenBytes: number;
}

export interface LengthResult {
  readonly streamSeconds: number;
  readonly segments: number;
  /** Of the stream as it came. */
  readonly streamBytes: number;
  /** Of the MP4. */
  readonly fileBytes: number;
  readonly parts: number;
  readonly engine: string;
  /** All parts rolled while the stream was live. */
  readonly live: WorkCost;
  /** The capture of all segments, which is another function's work. */
  readonly capture: WorkCost;
  /** From `stream.ended` until the MP4 can be read. */
  readonly finish: WorkCost;
  /** The same for the short way over the same staged segments; null where it was left out. */
  readonly shortWay: WorkCost | null;
  readonly plainRemux: { readonly seconds: number; readonly cpuMs: number } | null;
}

export interface BenchResult {
  readonly at: string;
  readonly machine: string;
  readonly ffmpeg: string;
  readonly node: string;
  readonly bitsPerSecond: number;
  readonly partSizeBytes: number;
  /** Segments that the packager keeps in its bucket; 0 keeps all. */
  readonly window: number;
  readonly lengths: readonly LengthResult[];
}

export interface Verdict {
  readonly target: string;
  readonly found: string;
  readonly met: boolean;
}

const MIB = 1024 * 1024;
const GIB_MS = 1e9;

/** Milliseconds of CPU a gigabyte (10⁹ bytes) of the stream, the finalizer's and its ffmpeg's; null where not known. */
export function cpuMsPerGb(result: LengthResult): number | null {
  const { live, finish, streamBytes } = result;
  if (live.childCpuMs === null || finish.childCpuMs === null) return null;
  const cpuMs = live.ownCpuMs + live.childCpuMs + finish.ownCpuMs + finish.childCpuMs;
  return (cpuMs * GIB_MS) / streamBytes;
}

/** How often the CPU of one plain remux of the same bytes. */
export function cpuRatio(result: LengthResult): number | null {
  const perGb = cpuMsPerGb(result);
  if (perGb === null || result.plainRemux === null || result.plainRemux.cpuMs === 0) return null;
  return (perGb * result.streamBytes) / GIB_MS / result.plainRemux.cpuMs;
}

/** Bytes put into the store for each byte of the recording: staging, held-back part, parts and head. */
export function writeAmplification(result: LengthResult): number {
  const { capture, live, finish, fileBytes } = result;
  return (capture.writtenBytes + live.writtenBytes + finish.writtenBytes) / fileBytes;
}

/** The promises, for the longest stream of the run that went by the engine. */
export function judge(bench: BenchResult): Verdict[] {
  const byEngine = bench.lengths.filter((result) => result.engine === 'parts');
  const longest = byEngine.at(-1);
  if (longest === undefined) return [];
  const name = formatLength(longest.streamSeconds);
  const tenMinutes = byEngine.find((result) => result.streamSeconds === 600);
  const ratio = cpuRatio(longest);
  const peak = Math.max(longest.live.peakTreeBytes, longest.finish.peakTreeBytes);
  const scratch = Math.max(longest.live.peakScratchBytes, longest.finish.peakScratchBytes);
  const verdicts: Verdict[] = [
    verdict(`finishing ${name} takes at most 3 s`, longest.finish.seconds, 3, (value) => `${value.toFixed(2)} s`),
    verdict('peak memory of the finalizer at most 350 MB', peak / 1e6, 350, (value) => `${value.toFixed(0)} MB`),
    verdict(`scratch space at most 4 parts`, scratch / MIB, (4 * bench.partSizeBytes) / MIB, (value) => {
      return `${value.toFixed(1)} MiB`;
    }),
  ];
  if (tenMinutes !== undefined && tenMinutes !== longest) {
    const times = longest.finish.seconds / tenMinutes.finish.seconds;
    verdicts.push(verdict(`finishing ${name} takes at most 2 × 10 min`, times, 2, (value) => `${value.toFixed(2)} ×`));
  }
  if (ratio !== null)
    verdicts.push(verdict('CPU a GB at most 1.5 × a plain remux', ratio, 1.5, (value) => `${value.toFixed(2)} ×`));
  return verdicts;
}

function verdict(target: string, value: number, most: number, format: (value: number) => string): Verdict {
  return { target, found: format(value), met: value <= most };
}

/** `1 min`, `10 min`, `1 h`. */
export function formatLength(seconds: number): string {
  if (seconds >= 3600) return `${Number((seconds / 3600).toFixed(2))} h`;
  return seconds >= 60 ? `${Number((seconds / 60).toFixed(1))} min` : `${seconds} s`;
}
