/**
 * Makes real streams as an HLS packager would: .ts segments and a playlist, in every shape the engine must carry, small
 * and fast. Each picture carries its frame number (clock.ts). What was made once is kept in .cache/media.
 */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { clockFilter } from './clock.ts';
import { withBandReplication } from './he-aac.ts';
import { ffmpeg, ffmpegBinary } from './tools.ts';

/** Part of the cache key: raise it when what is made for the same shape changes. */
const RECIPE = 4;
const CACHE = join(import.meta.dirname, '../../../.cache/media');

export type VideoCodec = 'h264' | 'hevc' | 'mpeg2' | 'none';
/** `he-aac` is constructed (he-aac.ts): the encoders at hand do not make it. */
export type AudioCodec = 'aac' | 'he-aac' | 'mp3' | 'ac3' | 'eac3';

export interface AudioShape {
  readonly codec: AudioCodec;
  readonly sampleRate?: number;
  readonly channels?: number;
  readonly language?: string;
  /** How much later than the picture this track begins. */
  readonly delaySeconds?: number;
}

export interface StreamShape {
  readonly seconds: number;
  readonly segmentSeconds?: number;
  /** `25`, `30000/1001` or `vfr`. */
  readonly fps?: string;
  readonly video?: VideoCodec;
  readonly bframes?: number;
  readonly audio?: readonly AudioShape[];
  readonly width?: number;
  readonly height?: number;
  readonly gopSeconds?: number;
  /** Open groups of pictures: leading pictures reference the group before. */
  readonly openGop?: boolean;
  /** Where the timestamps begin; 95_440 is just before the 33-bit wrap (95_443.7 s). */
  readonly startSeconds?: number;
  readonly videoBitrate?: string;
  /** Further options before the output, for shapes nothing above says. */
  readonly extra?: readonly string[];
}

export interface Hls {
  readonly dir: string;
  readonly playlist: string;
  /** Absolute paths in order. */
  readonly segments: readonly string[];
  /** Nominal seconds a segment, from the playlist's EXTINF. */
  readonly durations: readonly number[];
}

/** The stream of this shape, from the cache or made now. Given `dir`, it is made there and not cached. */
export async function makeHls(shape: StreamShape & { readonly dir?: string }): Promise<Hls> {
  const { dir, ...plain } = shape;
  if (dir !== undefined) {
    await mkdir(dir, { recursive: true });
    await generate(plain, dir);
    return await openHls(dir);
  }
  return await openHls(await cached('hls', plain, (into) => generate(plain, into)));
}

/** The directory `make` filled for these parameters; two makers at once both succeed and one result stays. */
export async function cached(kind: string, params: unknown, make: (dir: string) => Promise<void>): Promise<string> {
  const { version } = await ffmpegBinary();
  const hash = createHash('sha256')
    .update(JSON.stringify([RECIPE, kind, version, params]))
    .digest('hex')
    .slice(0, 20);
  const final = join(CACHE, `${kind}-${hash}`);
  if (await isDirectory(final)) return final;
  await mkdir(CACHE, { recursive: true });
  const scratch = await mkdtemp(join(CACHE, 'making-'));
  try {
    await make(scratch);
    await rename(scratch, final);
  } catch (error) {
    await rm(scratch, { recursive: true, force: true });
    if (!(await isDirectory(final))) throw error;
  }
  return final;
}

async function isDirectory(path: string): Promise<boolean> {
  return await readdir(path).then(
    () => true,
    () => false,
  );
}

export async function openHls(dir: string): Promise<Hls> {
  const playlist = join(dir, 'index.m3u8');
  const text = await readFile(playlist, 'utf8');
  const names = text.split('\n').filter((line) => line.endsWith('.ts'));
  const durations = [...text.matchAll(/^#EXTINF:([\d.]+)/gm)].map((match) => Number(match[1]));
  return { dir, playlist, segments: names.map((name) => join(dir, name)), durations };
}

async function generate(shape: StreamShape, dir: string): Promise<void> {
  for (const [at, track] of audioOf(shape).entries()) {
    if (track.codec === 'he-aac') await makeHeAac(shape, track, join(dir, heAacName(at)));
  }
  await ffmpeg(
    [...inputArgs(shape), ...mapArgs(shape), ...videoArgs(shape), ...audioArgs(shape), ...outputArgs(shape)],
    {
      cwd: dir,
    },
  );
}

function frameRate(shape: StreamShape): string {
  return shape.fps === undefined || shape.fps === 'vfr' ? '25' : shape.fps;
}

function inputArgs(shape: StreamShape): string[] {
  const args: string[] = [];
  if (shape.video !== 'none') {
    const size = `${shape.width ?? 320}x${shape.height ?? 180}`;
    args.push('-f', 'lavfi', '-t', `${shape.seconds}`, '-i', `testsrc=s=${size}:r=${frameRate(shape)}`);
  }
  for (const [at, track] of audioOf(shape).entries()) {
    const delay = track.delaySeconds ?? 0;
    const seconds = `${shape.seconds - delay}`;
    const input = track.codec === 'he-aac' ? ['-i', heAacName(at)] : ['-f', 'lavfi', '-t', seconds, '-i', beeps(track)];
    args.push('-itsoffset', `${delay}`, ...input);
  }
  return args;
}

function audioOf(shape: StreamShape): readonly AudioShape[] {
  return shape.audio ?? [{ codec: 'aac' }];
}

/** A beep at every full second over a quiet tone. */
function beeps(track: AudioShape): string {
  return `sine=f=330:b=4:r=${track.sampleRate ?? 48_000}`;
}

function heAacName(track: number): string {
  return `he-${track}.aac`;
}

/** HE-AAC codes half the sample rate, and is extended to the whole. */
async function makeHeAac(shape: StreamShape, track: AudioShape, path: string): Promise<void> {
  const seconds = `${shape.seconds - (track.delaySeconds ?? 0)}`;
  const source = beeps({ ...track, sampleRate: (track.sampleRate ?? 48_000) / 2 });
  const encoder = ['-c:a', 'aac', '-ac', `${track.channels ?? 2}`, '-b:a', '64k', '-f', 'adts', path];
  await ffmpeg(['-v', 'error', '-f', 'lavfi', '-t', seconds, '-i', source, ...encoder]);
  await writeFile(path, withBandReplication(await readFile(path)));
}

function mapArgs(shape: StreamShape): string[] {
  const inputs = (shape.video === 'none' ? 0 : 1) + audioOf(shape).length;
  return Array.from({ length: inputs }, (_, input) => ['-map', `${input}`]).flat();
}

function videoArgs(shape: StreamShape): string[] {
  if (shape.video === 'none') return [];
  const fps = frameRate(shape);
  const [num = 25, den = 1] = fps.split('/').map(Number);
  const gop = Math.round(((shape.gopSeconds ?? shape.segmentSeconds ?? 2) * num) / den);
  // Variable rate: steps of 20 to 60 ms, ever increasing, on the 90 kHz clock.
  const vfr = ['settb=1/90000', "setpts='(N*40+20*sin(N*0.7))*90'"];
  const filters = [clockFilter(), 'format=yuv420p', ...(shape.fps === 'vfr' ? vfr : [])];
  const bframes = shape.bframes ?? 0;
  const closed = shape.openGop === true ? 'open-gop=1' : 'open-gop=0';
  const common = ['-vf', filters.join(','), '-vsync', shape.fps === 'vfr' ? 'passthrough' : 'cfr', '-g', `${gop}`];
  const rate =
    shape.videoBitrate === undefined
      ? []
      : ['-b:v', shape.videoBitrate, '-maxrate', shape.videoBitrate, '-bufsize', shape.videoBitrate];
  if (shape.video === 'mpeg2')
    return [...common, ...rate, '-c:v', 'mpeg2video', '-bf', `${bframes}`, '-sc_threshold', '1000000000'];
  if (shape.video === 'hevc') {
    const params = `log-level=error:bframes=${bframes}:keyint=${gop}:min-keyint=${gop}:scenecut=0:${closed}:pools=2`;
    return [...common, ...rate, '-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params', params];
  }
  const params = `bframes=${bframes}:b-adapt=0:keyint=${gop}:min-keyint=${gop}:scenecut=0:${closed}:threads=2`;
  return [...common, ...rate, '-c:v', 'libx264', '-preset', 'ultrafast', '-x264-params', params];
}

const AUDIO_ENCODERS: Readonly<Record<AudioCodec, string>> = {
  aac: 'aac',
  'he-aac': 'copy',
  mp3: 'libmp3lame',
  ac3: 'ac3',
  eac3: 'eac3',
};

function audioArgs(shape: StreamShape): string[] {
  return audioOf(shape).flatMap((track, index) => [
    `-c:a:${index}`,
    AUDIO_ENCODERS[track.codec],
    `-b:a:${index}`,
    '96k',
    `-ac:a:${index}`,
    `${track.channels ?? 2}`,
    ...(track.language === undefined ? [] : [`-metadata:s:a:${index}`, `language=${track.language}`]),
  ]);
}

function outputArgs(shape: StreamShape): string[] {
  const start = shape.startSeconds ?? 0;
  return [
    ...(start === 0 ? [] : ['-output_ts_offset', `${start}`]),
    ...(shape.extra ?? []),
    ...['-f', 'hls', '-hls_time', `${shape.segmentSeconds ?? 2}`, '-hls_list_size', '0', '-hls_playlist_type', 'vod'],
    ...['-hls_segment_filename', 'segment_%03d.ts', 'index.m3u8'],
  ];
}
