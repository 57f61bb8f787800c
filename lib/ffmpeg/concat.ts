/**
 * The short way: all runs in one call of ffmpeg, `-f concat -safe 0 -i segments.txt -c copy -movflags +faststart`, one
 * line a run. Owns placing the runs exactly as the engine does; where the concat demuxer cannot, the engine joins
 * (join-by-engine.ts), with the same packets as its result.
 */
import { mkdir, open, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeIndex } from '../mp4/index-reader.ts';
import { type MovieSummary, summariseMovie } from '../mp4/movie-summary.ts';
import { codecOf } from '../mp4/sample-entry.ts';
import { concatList } from './concat-list.ts';
import { FfmpegFailed } from './errors.ts';
import { adtsFilter, isWorthSaying } from './fragment.ts';
import { joinByEngine } from './join-by-engine.ts';
import { type RollState, rollPart } from './roll.ts';
import { hardenedInput, runFfmpeg } from './run.ts';
import { type RunFile, writeRunFile } from './run-file.ts';
import type { ElementaryStream } from './ts-program.ts';

export interface ShortWayOptions {
  readonly ffmpegPath: string;
  /** `/tmp/recordings/{stream_key}`: made if missing; gets run-N.ts, segments.txt and output.mp4. */
  readonly dir: string;
  /** The paths of each run's segments, in order. */
  readonly runs: readonly (readonly string[])[];
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

export interface ShortWayResult extends MovieSummary {
  readonly path: string;
  readonly bytes: number;
  /** Which of the two joined it. */
  readonly way: 'concat' | 'engine';
  readonly warnings: readonly string[];
}

/** Needs twice the size of the segments as scratch space. Throws as runFfmpeg and rollPart do. */
export async function joinShortWay(options: ShortWayOptions): Promise<ShortWayResult> {
  await mkdir(options.dir, { recursive: true });
  const files: RunFile[] = [];
  for (const [at, segments] of options.runs.entries()) {
    files.push(await writeRunFile(segments, join(options.dir, runName(at)), false));
  }
  const warnings = [...new Set(files.flatMap((file) => file.warnings))];
  const path = join(options.dir, 'output.mp4');
  const said = await concat(options, files, path);
  const way = typeof said === 'string' ? 'engine' : 'concat';
  if (typeof said === 'string')
    warnings.push(`joined by the engine: ${said}`, ...(await joinByEngine({ ...options, outputPath: path })));
  else warnings.push(...said);
  return { ...(await summaryOf(path)), path, bytes: (await stat(path)).size, way, warnings: [...new Set(warnings)] };
}

function runName(at: number): string {
  return `run-${at}.ts`;
}

/** The warnings of ffmpeg, or why the demuxer is not the way for these runs. */
async function concat(
  options: ShortWayOptions,
  files: readonly RunFile[],
  path: string,
): Promise<readonly string[] | string> {
  const why = whyNot(files);
  if (why !== undefined) return why;
  const placed = await place(options, files);
  if (typeof placed === 'string') return placed;
  const list = concatList(placed.map((start90k, at) => ({ fileName: runName(at), start90k })));
  await writeFile(join(options.dir, 'segments.txt'), list);
  const streams = mapped(files[0]);
  const maps = streams.flatMap(({ index }) => ['-map', `0:${index}`]);
  const filters = streams.flatMap((entry, at) => adtsFilter(entry, at));
  const input = hardenedInput('segments.txt', 'concat', ['-safe', '0']);
  const args = [
    ...input,
    ...maps,
    '-c',
    'copy',
    ...filters,
    '-video_track_timescale',
    '90000',
    '-movflags',
    '+faststart',
    path,
  ];
  try {
    const { dir: cwd, ffmpegPath, timeoutMs, signal } = options;
    const { warnings } = await runFfmpeg({
      ffmpegPath,
      args,
      cwd,
      timeoutMs,
      ...(signal === undefined ? {} : { signal }),
    });
    return warnings.filter(isWorthSaying);
  } catch (error) {
    if (!(error instanceof FfmpegFailed) || error.exitCode === null) throw error;
    // The demuxer looks only at the first seconds of a run: a track that begins later has no description.
    return error.message;
  }
}

interface Mapped {
  /** ffmpeg's number of the stream. */
  readonly index: number;
  readonly stream: ElementaryStream;
}

function mapped(file: RunFile | undefined): Mapped[] {
  return (file?.streams ?? []).flatMap((stream, index) =>
    stream.kind !== undefined && file?.present.has(stream.pid) ? [{ index, stream }] : [],
  );
}

/** The demuxer takes the streams of the first run and gives the others' packets to them by number. */
function whyNot(files: readonly RunFile[]): string | undefined {
  const signature = (file: RunFile) =>
    mapped(file)
      .map(({ index, stream }) => `${index}: ${stream.name}`)
      .join(', ');
  const [first, ...others] = files.map(signature);
  if (first === undefined || first === '') return 'the first run has no stream that MP4 carries';
  const other = others.find((text) => text !== first);
  return other === undefined ? undefined : `the runs have different tracks (${first}; ${other})`;
}

/**
 * Where each run begins: at the latest end of the one before, which its last segments tell, rolled as the engine would.
 * Or why the demuxer would get it wrong.
 */
async function place(options: ShortWayOptions, files: readonly RunFile[]): Promise<number[] | string> {
  const starts = [0];
  if (files.length === 1) return starts;
  let clocks: string | undefined;
  for (const file of files) {
    const start90k = starts.at(-1) ?? 0;
    const { ffmpegPath, timeoutMs, signal } = options;
    using part = await rollPart({
      ffmpegPath,
      timeoutMs,
      workDir: join(options.dir, 'tail'),
      state: tailState(file, start90k),
      slices: [
        { startsRun: file.beforeTail === undefined, segments: file.tail.map((bytes) => ({ bytes })), following: [] },
      ],
      ...(signal === undefined ? {} : { signal }),
    });
    starts.push(part.state.end90k);
    const own = decodeIndex(part.index)
      .map((piece) => `${codecOf(piece.entry, piece.kind)} ${piece.timescale}`)
      .join(', ');
    clocks ??= own;
    if (own !== clocks) return `the runs have different tracks (${clocks}; ${own})`;
  }
  return starts.slice(0, -1);
}

function tailState(file: RunFile, start90k: number): RollState {
  const carry =
    file.beforeTail === undefined ? null : { ...file.beforeTail, anchor90k: file.beforeTail.anchor90k + start90k };
  return { version: 1, runs: carry === null ? 0 : 1, end90k: start90k, carry, lastDts: {} };
}

/** Reads the head of the file, up to its media. */
async function summaryOf(path: string): Promise<MovieSummary> {
  const file = await open(path);
  try {
    const header = Buffer.alloc(16);
    let at = 0;
    for (;;) {
      const { bytesRead } = await file.read(header, 0, 16, at);
      if (bytesRead < 8 || header.toString('latin1', 4, 8) === 'mdat') break;
      at += header.readUInt32BE(0) || bytesRead;
    }
    const head = Buffer.alloc(at);
    await file.read(head, 0, at, 0);
    return summariseMovie(head);
  } finally {
    await file.close();
  }
}
