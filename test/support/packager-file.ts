/**
 * Turns a path that somebody typed into something that can be streamed: a folder of HLS, or a file with
 * picture or sound that ffmpeg can read. Says in one line what is wrong with anything else.
 */
import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import type { SourceSegment } from './packager.ts';
import type { LiveSource } from './packager-live.ts';
import { readHlsFolder, StreamSourceError } from './packager-source.ts';

export type StreamInput =
  | { readonly kind: 'folder'; readonly segments: SourceSegment[]; readonly durationMs: number }
  | { readonly kind: 'file'; readonly source: LiveSource; readonly durationMs: number | null; readonly tracks: string };

/** @throws {StreamSourceError} */
export async function openStreamInput(path: string, ffmpegPath: string): Promise<StreamInput> {
  const found = await stat(path).catch((cause: unknown) => {
    throw new StreamSourceError(`There is no file or directory ${JSON.stringify(path)}`, { cause });
  });
  if (found.isDirectory()) {
    const segments = await readHlsFolder(path);
    return { kind: 'folder', segments, durationMs: segments.reduce((sum, segment) => sum + segment.durationMs, 0) };
  }
  if (!found.isFile()) throw new StreamSourceError(`${JSON.stringify(path)} is neither a file nor a directory`);
  if (path.endsWith('.m3u8')) throw new StreamSourceError('To stream HLS, name the directory that holds the playlist');
  if (found.size === 0) throw new StreamSourceError(`${JSON.stringify(path)} is empty`);
  return probeFile(path, ffmpegPath);
}

/** Read from what ffmpeg says of its input, since some packaged builds of ffprobe crash on transport streams. */
async function probeFile(path: string, ffmpegPath: string): Promise<StreamInput> {
  const said = await describe(path, ffmpegPath);
  const tracks = [...said.matchAll(/^ +Stream #0:\d+.*?: (Video|Audio): (\w+)(.*)$/gm)];
  const codecOf = (kind: string) =>
    tracks.find(([, found, , rest]) => found === kind && !rest?.includes('(attached pic)'))?.[2];
  const [picture, sound] = [codecOf('Video'), codecOf('Audio')];
  if (!said.includes('Input #0')) {
    throw new StreamSourceError(`${JSON.stringify(path)} is no video or audio file that ffmpeg can read`);
  }
  // To ffmpeg a picture is a video of one frame, and a text one of the codec "ansi".
  const durationMs = durationIn(said);
  const still = /^Input #0, (\w+_pipe|image2|tty),/m.test(said) || durationMs === 0;
  if ((picture === undefined && sound === undefined) || still) {
    throw new StreamSourceError(`${JSON.stringify(path)} has no picture or sound that plays for a time`);
  }
  const copyVideo = picture === 'h264';
  const copyAudio = sound === 'aac';
  const told = [
    ...(picture ? [copyVideo ? picture : `${picture} → h264`] : []),
    ...(sound ? [copyAudio ? sound : `${sound} → aac`] : []),
  ].join(', ');
  return { kind: 'file', source: { kind: 'file', path, copyVideo, copyAudio }, durationMs, tracks: told };
}

/** Null where the file does not say, as recordings of a browser. */
function durationIn(said: string): number | null {
  const found = /Duration: (\d+):(\d+):([\d.]+)/.exec(said);
  return found ? Math.round((Number(found[1]) * 3600 + Number(found[2]) * 60 + Number(found[3])) * 1000) : null;
}

/** Without an output ffmpeg describes its input and ends with an error: only the text counts. */
function describe(path: string, ffmpegPath: string): Promise<string> {
  const args = ['-hide_banner', '-nostdin', '-protocol_whitelist', 'file', '-i', `file:${path}`];
  return new Promise((resolve) => {
    execFile(ffmpegPath, args, { timeout: 60_000, maxBuffer: 1 << 22 }, (_error, _stdout, stderr) => resolve(stderr));
  });
}
