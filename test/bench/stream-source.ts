/**
 * Long streams made cheaply: a minute is encoded once and looped with `-c copy` into HLS segments. Owns the encoder's
 * settings and the folder of segments; a shorter stream is the beginning of a longer one.
 */
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ffmpeg } from '../support/media/tools.ts';

export interface StreamSource {
  readonly folder: string;
  /** Absolute paths in order. */
  readonly segments: readonly string[];
}

/** 32 groups of 60 pictures and exactly 3003 frames of AAC: the loop has no seam. */
const MINUTE_SECONDS = 64.064;
const GROUP_SECONDS = 2.002;
const AUDIO_KBITS = 96;
/** What a transport stream of such a rate spends on its own packets. */
const CONTAINER_SHARE = 0.06;

/** Makes `seconds` of 29.97 fps H.264 with B-frames and AAC at about `bitsPerSecond`, in segments cut at a key frame. */
export async function makeSource(
  folder: string,
  seconds: number,
  bitsPerSecond: number,
  segmentSeconds = 2,
): Promise<StreamSource> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(join(folder, 'segments'), { recursive: true });
  const minute = join(folder, 'minute.mp4');
  await encodeMinute(minute, bitsPerSecond);
  await ffmpeg([
    ...['-loglevel', 'error', '-stream_loop', '-1', '-i', minute, '-t', `${seconds}`, '-c', 'copy', '-f', 'hls'],
    ...[
      '-hls_time',
      `${segmentSeconds}`,
      '-hls_playlist_type',
      'vod',
      '-hls_segment_filename',
      join(folder, 'segments/segment_%06d.ts'),
    ],
    join(folder, 'index.m3u8'),
  ]);
  const names = (await readdir(join(folder, 'segments'))).sort();
  return { folder, segments: names.map((name) => join(folder, 'segments', name)) };
}

/** The segments of the first `seconds`. */
export function beginning(source: StreamSource, seconds: number): readonly string[] {
  return source.segments.slice(0, Math.max(1, Math.round(seconds / GROUP_SECONDS)));
}

export async function totalBytes(paths: readonly string[]): Promise<number> {
  let bytes = 0;
  for (const path of paths) bytes += (await stat(path)).size;
  return bytes;
}

async function encodeMinute(path: string, bitsPerSecond: number): Promise<void> {
  const videoKbits = Math.max(100, Math.round((bitsPerSecond / 1000) * (1 - CONTAINER_SHARE) - AUDIO_KBITS));
  const rate = `${videoKbits}k`;
  // The encoder's first frame of AAC is priming: one frame less than the picture lasts.
  const audioSeconds = (MINUTE_SECONDS - 1024 / 48_000).toFixed(6);
  const x264 = 'nal-hrd=cbr:bframes=2:b-adapt=0:keyint=60:min-keyint=60:scenecut=0:open-gop=0:threads=2';
  await ffmpeg([
    ...['-loglevel', 'error', '-f', 'lavfi', '-t', `${MINUTE_SECONDS}`, '-i', 'testsrc2=s=640x360:r=30000/1001'],
    ...['-f', 'lavfi', '-t', audioSeconds, '-i', 'sine=f=330:b=4:r=48000'],
    ...['-vf', 'noise=alls=12:allf=t,format=yuv420p', '-c:v', 'libx264', '-preset', 'ultrafast'],
    ...['-b:v', rate, '-minrate', rate, '-maxrate', rate, '-bufsize', rate, '-x264-params', x264],
    ...['-c:a', 'aac', '-b:a', `${AUDIO_KBITS}k`, '-ac', '2', path],
  ]);
}
