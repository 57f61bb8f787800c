/**
 * A packager that encodes as it goes: ffmpeg writes HLS into a folder, from a test picture in real time or
 * from any video file, and each segment is pushed when it is finished. The folder keeps all of them.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type PackagerRun, type PackagerStore, PLAYLIST_TYPE, SEGMENT_TYPE, type SourceSegment } from './packager.ts';
import { LivePlaylist, type PlaylistShape } from './packager-playlist.ts';
import { StreamSourceError } from './packager-source.ts';

/** `test`: a picture with a running clock and a beep each second. `file`: tracks that are not H.264 or AAC are transcoded. */
export type LiveSource =
  | { readonly kind: 'test'; readonly seconds: number; readonly size?: string; readonly rate?: string }
  | { readonly kind: 'file'; readonly path: string; readonly copyVideo: boolean; readonly copyAudio: boolean };

export interface LivePackagerOptions {
  readonly ffmpegPath: string;
  readonly source: LiveSource;
  /** Where ffmpeg writes; made if missing, and left to the caller to remove. */
  readonly folder: string;
  readonly store: PackagerStore;
  /** 1 (the default) reads the input in real time; faster only paces the upload. */
  readonly speed?: number;
  readonly playlist?: PlaylistShape;
  readonly deleteBehind?: number;
  readonly onSegment?: (segment: SourceSegment, index: number) => void;
}

export interface LivePackagerRun extends PackagerRun {
  /** Segments that ffmpeg has finished, in order; complete when `done` has resolved. */
  readonly segments: readonly SourceSegment[];
}

const SEGMENT_SECONDS = 2;
const LOOK_EVERY_MS = 100;

export function startLivePackager(options: LivePackagerOptions): LivePackagerRun {
  const stopping = new AbortController();
  const segments: SourceSegment[] = [];
  const ended = Promise.withResolvers<void>();
  const done = push(options, segments, stopping.signal)
    .catch((error: unknown) => {
      if (!stopping.signal.aborted) throw error;
    })
    .finally(ended.resolve);
  done.catch(() => undefined);
  return { segments, ended: ended.promise, done, stop: () => stopping.abort() };
}

async function push(options: LivePackagerOptions, pushed: SourceSegment[], signal: AbortSignal): Promise<void> {
  const playlist = new LivePlaylist(options.playlist ?? { kind: 'event' }, { deleteBehind: options.deleteBehind });
  const putPlaylist = async (closed: boolean) => {
    const body = playlist.render(closed);
    if (body !== undefined) await options.store.put('index.m3u8', body, PLAYLIST_TYPE);
  };
  const startedAt = performance.now();
  let mediaMs = 0;
  for await (const { name, durationMs } of encode(options, signal)) {
    const segment = { path: join(options.folder, name), durationMs };
    const bytes = await readFile(segment.path);
    mediaMs += durationMs;
    const waitMs = startedAt + mediaMs / (options.speed ?? 1) - performance.now();
    if (waitMs > 0 && options.source.kind === 'file') await sleep(waitMs, undefined, { signal });
    await options.store.put(name, bytes, SEGMENT_TYPE);
    const overdue = playlist.add({ name, durationMs });
    await putPlaylist(false);
    if (overdue !== undefined) await options.store.remove(overdue);
    pushed.push(segment);
    options.onSegment?.(segment, pushed.length - 1);
  }
  await putPlaylist(true);
}

interface FinishedSegment {
  readonly name: string;
  readonly durationMs: number;
}

/**
 * Runs ffmpeg and yields each segment once it is listed in ffmpeg's own playlist, which happens after the
 * segment has been closed: the files that are still being written are never looked at.
 */
async function* encode(options: LivePackagerOptions, signal: AbortSignal): AsyncGenerator<FinishedSegment> {
  await mkdir(options.folder, { recursive: true });
  const ffmpeg = spawn(options.ffmpegPath, ffmpegArguments(options), { stdio: ['ignore', 'ignore', 'pipe'] });
  const exit = watchExit(ffmpeg);
  const stop = () => ffmpeg.kill('SIGKILL');
  signal.addEventListener('abort', stop);
  try {
    let yielded = 0;
    for (let running = true; running; ) {
      running = (await Promise.race([exit.promise, sleep(LOOK_EVERY_MS)])) === undefined;
      const fresh = (await readListed(join(options.folder, 'index.m3u8'))).slice(yielded);
      yielded += fresh.length;
      yield* fresh;
      if (signal.aborted) return;
    }
    const problem = await exit.promise;
    if (problem !== '') throw new StreamSourceError(problem);
  } finally {
    signal.removeEventListener('abort', stop);
    stop();
  }
}

/** Resolves at the exit of ffmpeg with what went wrong, or an empty text. */
function watchExit(ffmpeg: ChildProcess): { promise: Promise<string> } {
  let stderr = '';
  ffmpeg.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-4000);
  });
  const promise = new Promise<string>((resolve) => {
    ffmpeg.once('error', (error) => resolve(`ffmpeg cannot be started: ${error.message}`));
    ffmpeg.once('close', (code) => resolve(code === 0 ? '' : `ffmpeg failed: ${lastLine(stderr)}`));
  });
  return { promise };
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1)?.trim() || 'no reason given';
}

/** Only whole lines count: the playlist may be read while it is being written. */
async function readListed(path: string): Promise<FinishedSegment[]> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return [...text.matchAll(/^#EXTINF:([\d.]+),.*\n([^#\n].*)\n/gm)].map(([, seconds, name]) => ({
    name: name ?? '',
    durationMs: Math.round(Number(seconds) * 1000),
  }));
}

function ffmpegArguments({ source, folder, speed }: LivePackagerOptions): string[] {
  const realTime = (speed ?? 1) === 1 ? ['-re'] : [];
  const input = source.kind === 'test' ? testInput(source, realTime) : fileInput(source, realTime);
  return [
    ...['-hide_banner', '-nostdin', '-v', 'error'],
    ...input,
    ...['-f', 'hls', '-hls_time', String(SEGMENT_SECONDS), '-hls_list_size', '0'],
    ...[
      '-hls_flags',
      'temp_file',
      '-hls_segment_filename',
      join(folder, 'segment_%03d.ts'),
      join(folder, 'index.m3u8'),
    ],
  ];
}

const H264 = ['-c:v', 'libx264', '-preset', 'superfast', '-pix_fmt', 'yuv420p'];
const KEYFRAMES = ['-force_key_frames', `expr:gte(t,n_forced*${SEGMENT_SECONDS})`, '-sc_threshold', '0'];
const AAC = ['-c:a', 'aac', '-b:a', '128k', '-ar', '48000', '-ac', '2'];

/** The clock of `testsrc` needs no font; the sound is silence with a beep of 0.1 s as each second begins. */
function testInput(source: LiveSource & { kind: 'test' }, realTime: string[]): string[] {
  const picture = `testsrc=size=${source.size ?? '1280x720'}:rate=${source.rate ?? '30'}:decimals=2`;
  const sound = 'aevalsrc=if(lt(mod(t\\,1)\\,0.1)\\,0.5*sin(2*PI*1000*t)\\,0):s=48000';
  return [
    ...[...realTime, '-f', 'lavfi', '-i', picture],
    ...[...realTime, '-f', 'lavfi', '-i', sound],
    ...['-t', String(source.seconds), ...H264, '-b:v', '2500k', ...KEYFRAMES, ...AAC],
  ];
}

/** First picture that is no cover image, first sound. */
function fileInput(source: LiveSource & { kind: 'file' }, realTime: string[]): string[] {
  const even = ['-vf', 'scale=trunc(iw/2)*2:trunc(ih/2)*2'];
  return [
    // `file:` keeps a name with a colon or a leading dash a name.
    ...[...realTime, '-i', `file:${source.path}`, '-map', '0:V:0?', '-map', '0:a:0?', '-sn', '-dn'],
    ...(source.copyVideo ? ['-c:v', 'copy', '-bsf:v', 'h264_mp4toannexb'] : [...H264, ...KEYFRAMES, ...even]),
    ...(source.copyAudio ? ['-c:a', 'copy'] : AAC),
  ];
}
