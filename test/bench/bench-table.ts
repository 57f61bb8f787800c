/** The benchmark's result as tables for people. Pure. */
import {
  type BenchResult,
  cpuMsPerGb,
  cpuRatio,
  formatLength,
  type LengthResult,
  type Verdict,
  writeAmplification,
} from './bench-results.ts';
import { textTable } from './text-table.ts';

const NONE = '–';

export function benchTable(bench: BenchResult): string {
  const { lengths } = bench;
  const about =
    `${bench.machine}; ffmpeg ${bench.ffmpeg}; Node ${bench.node}; ` +
    `${bench.bitsPerSecond / 1e6} Mbit/s; PART_SIZE ${bench.partSizeBytes / 2 ** 20} MiB`;
  return [
    about,
    'From stream.ended to a readable MP4:',
    textTable(
      ['stream', 'recorded', 'segments', 'way', 'parts', 'end → MP4', 'short way', 'MP4 after, short way'],
      lengths.map(timeRow),
    ),
    'What it costs:',
    textTable(
      [
        'stream',
        'memory live',
        'with ffmpeg',
        'memory finish',
        'short way',
        'scratch live',
        'scratch finish',
        'short way',
        'written a byte',
      ],
      lengths.map(spaceRow),
    ),
    'CPU, seconds a GB of stream:',
    textTable(
      ['stream', 'finalizer', 'of it Node', 'of it ffmpeg', 'plain remux', 'ratio', 'capture', 'short way'],
      lengths.map(cpuRow),
    ),
  ].join('\n\n');
}

export function verdictLines(verdicts: readonly Verdict[]): string[] {
  return verdicts.map(({ target, found, met }) => `${met ? 'met   ' : 'MISSED'}  ${target}: ${found}`);
}

function timeRow(result: LengthResult): string[] {
  const { finish, shortWay } = result;
  return [
    formatLength(result.streamSeconds),
    megabytes(result.fileBytes),
    String(result.segments),
    result.engine === 'parts' ? 'engine' : 'short way',
    String(result.parts),
    seconds(finish.seconds),
    shortWay === null ? NONE : seconds(shortWay.seconds),
    shortWay === null ? NONE : `${(shortWay.seconds / finish.seconds).toFixed(1)} ×`,
  ];
}

function spaceRow(result: LengthResult): string[] {
  const { live, finish, shortWay } = result;
  return [
    formatLength(result.streamSeconds),
    megabytes(live.peakBytes),
    megabytes(live.peakTreeBytes),
    megabytes(finish.peakTreeBytes),
    shortWay === null ? NONE : megabytes(shortWay.peakTreeBytes),
    megabytes(live.peakScratchBytes),
    megabytes(finish.peakScratchBytes),
    shortWay === null ? NONE : megabytes(shortWay.peakScratchBytes),
    writeAmplification(result).toFixed(2),
  ];
}

function cpuRow(result: LengthResult): string[] {
  const { live, finish, capture, shortWay, plainRemux, streamBytes } = result;
  const perGb = (milliseconds: number | null) =>
    milliseconds === null ? NONE : (milliseconds / 1000 / (streamBytes / 1e9)).toFixed(2);
  const ratio = cpuRatio(result);
  const total = cpuMsPerGb(result);
  return [
    formatLength(result.streamSeconds),
    total === null ? NONE : (total / 1000).toFixed(2),
    perGb(live.ownCpuMs + finish.ownCpuMs),
    perGb(live.childCpuMs === null ? null : live.childCpuMs + (finish.childCpuMs ?? 0)),
    perGb(plainRemux?.cpuMs ?? null),
    ratio === null ? NONE : ratio.toFixed(2),
    perGb(capture.ownCpuMs),
    perGb(shortWay === null || shortWay.childCpuMs === null ? null : shortWay.ownCpuMs + shortWay.childCpuMs),
  ];
}

function seconds(value: number): string {
  return value < 10 ? `${value.toFixed(2)} s` : `${value.toFixed(1)} s`;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
}
