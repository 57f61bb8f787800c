/**
 * Remuxes one slice of a run into a fragmented MP4 without touching a packet. Owns ffmpeg's arguments for it and what is
 * done with a stream ffmpeg cannot describe; cutting slices is ts-carry.ts, using the fragments roll.ts.
 */
import { rm } from 'node:fs/promises';
import { FfmpegFailed } from './errors.ts';
import { hardenedInput, type RunResult, runFfmpeg } from './run.ts';
import type { SliceStream } from './ts-carry.ts';

export interface FragmentJob {
  readonly ffmpegPath: string;
  readonly inputPath: string;
  readonly outputPath: string;
  /** In the order of the input's program map, which is ffmpeg's. */
  readonly streams: readonly SliceStream[];
  /** Added to every time stamp, 90 kHz. */
  readonly addTicks: number;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

export interface Fragments {
  /** Track n of the output is stream n here. */
  readonly streams: readonly SliceStream[];
  readonly warnings: readonly string[];
}

/**
 * Looking at all of the slice, so that a stream is described that begins late in it. Only then: ffmpeg keeps in memory
 * what it has looked at, and takes twice as long.
 */
const WIDE_PROBE = ['-probesize', '1000000000', '-analyzeduration', '1000000000'] as const;

/** Throws as runFfmpeg does; FfmpegFailed only when no stream of the slice can be remuxed. */
export async function makeFragments(job: FragmentJob): Promise<Fragments> {
  const wide = job.streams.some((stream) => stream.beginsLate);
  try {
    const { warnings } = await remux(job, job.streams, wide);
    return { streams: job.streams, warnings: warnings.filter(isWorthSaying) };
  } catch (error) {
    if (!(error instanceof FfmpegFailed) || error.exitCode === null) throw error;
    // The first frames of a stream may be damaged, and what describes it comes later.
    if (!wide) return await makeFragments({ ...job, streams: job.streams.map(asLate) });
    if (job.streams.length === 1) throw error;
    return await withoutUndescribable(job, error);
  }
}

function asLate(stream: SliceStream): SliceStream {
  return { ...stream, beginsLate: true };
}

/** One stream without a single intact frame makes ffmpeg refuse all: find it, leave it out and say so. */
async function withoutUndescribable(job: FragmentJob, failure: FfmpegFailed): Promise<Fragments> {
  const good: SliceStream[] = [];
  const warnings: string[] = [];
  for (const stream of job.streams) {
    try {
      await remux(job, [stream], true);
      good.push(stream);
    } catch (error) {
      if (!(error instanceof FfmpegFailed) || error.exitCode === null) throw error;
      warnings.push(`left out: ${stream.stream.name} (PID ${stream.stream.pid}): ${error.message}`);
    }
  }
  if (good.length === 0) throw failure;
  const { warnings: said } = await remux(job, good, true);
  return { streams: good, warnings: [...warnings, ...said.filter(isWorthSaying)] };
}

/**
 * What ffmpeg says of every small slice, of every track of AC-3, and what its decoders say when they look into a slice
 * that begins between two key frames, is no news to an operator: nothing is decoded into the recording.
 */
const NO_NEWS =
  /^Consider increasing the value|\(Unknown: none\)|Could not detect TS packet size|codec frame size is not set|^\[(h264|hevc|mpeg\w*|aac\w*|mp[123]\w*|e?ac3)\]/;

export function isWorthSaying(warning: string): boolean {
  return !NO_NEWS.test(warning);
}

async function remux(job: FragmentJob, streams: readonly SliceStream[], wide: boolean): Promise<RunResult> {
  await rm(job.outputPath, { force: true });
  return await runFfmpeg({
    ffmpegPath: job.ffmpegPath,
    args: fragmentArgs(job, streams, wide),
    timeoutMs: job.timeoutMs,
    ...(job.signal === undefined ? {} : { signal: job.signal }),
  });
}

/**
 * Times come out as they stand in the input (`-copyts`, `-avoid_negative_ts disabled`, no edit list, `frag_discont`), and
 * every sample does (`-copyinkf`: a slice may begin between two key frames). `delay_moov` waits for the codecs' headers.
 */
function fragmentArgs(job: FragmentJob, streams: readonly SliceStream[], wide: boolean): string[] {
  const maps = streams.flatMap((stream) => ['-map', `0:${job.streams.indexOf(stream)}`]);
  const filters = streams.flatMap((stream, at) => adtsFilter(stream, at));
  return [
    '-copyts',
    ...hardenedInput(job.inputPath, 'mpegts', [...(wide ? WIDE_PROBE : []), '-itsoffset', secondsOf(job.addTicks)]),
    ...maps,
    ...['-c', 'copy', '-copyinkf', '-avoid_negative_ts', 'disabled', '-muxdelay', '0', '-muxpreload', '0'],
    ...filters,
    ...['-video_track_timescale', '90000', '-use_editlist', '0', '-f', 'mp4'],
    ...['-movflags', 'frag_keyframe+delay_moov+default_base_moof+frag_discont', `file:${job.outputPath}`],
  ];
}

/** Microseconds are fine enough to come back to the same tick. */
function secondsOf(ticks90k: number): string {
  return (ticks90k / 90_000).toFixed(6);
}

/** Named, not automatic: a frame that is not ADTS is then left out with a warning instead of ending the remux. */
export function adtsFilter(stream: { readonly stream: { readonly name: string } }, at: number): string[] {
  return stream.stream.name === 'AAC' ? [`-bsf:${at}`, 'aac_adtstoasc'] : [];
}
