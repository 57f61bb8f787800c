/**
 * Pictures out of media, with ffmpeg at the lowest priority: a frame of a captured segment or of the finished file, and the sprite
 * of all tiles. Owns the arguments; which pictures is poster-plan.ts.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hardenedInput, runFfmpeg } from '../ffmpeg/run.ts';
import { cutMovie } from '../mp4/clip-cut.ts';
import { buildHead } from '../mp4/head.ts';
import { encodeIndex } from '../mp4/sample-index.ts';
import { readExtents } from './playback-bytes.ts';
import type { OpenMovie } from './playback-movie.ts';
import { COLUMNS, type TileSize } from './poster-plan.ts';

const TIMEOUT_MS = 15_000;
const POSTER_WIDTH = 640;

/** A file with the wanted picture as its first. */
export interface Still {
  readonly path: string;
  readonly format: 'mpegts' | 'mov';
}

export interface Pictures {
  readonly tile: Uint8Array;
  readonly poster: Uint8Array | null;
}

/** The first picture of the file as a tile, and large where it is to be the poster. */
export async function takePictures(
  ffmpegPath: string,
  dir: string,
  still: Still,
  size: TileSize,
  withPoster: boolean,
): Promise<Pictures> {
  const { width, height } = size;
  const fit = `scale=${width}:${height}:force_original_aspect_ratio=decrease,pad=${width}:${height}:(ow-iw)/2:(oh-ih)/2,setsar=1`;
  const one = ['-map', '0:v:0', '-frames:v', '1', '-pix_fmt', 'yuvj420p', '-strict', 'unofficial'];
  const poster = ['-vf', `scale=${POSTER_WIDTH}:-2,setsar=1`, '-q:v', '4', '-f', 'mjpeg', 'poster.jpg'];
  await runFfmpeg({
    ffmpegPath,
    args: [
      '-threads',
      '1',
      ...hardenedInput(still.path, still.format),
      ...[...one, '-vf', fit, '-q:v', '5', '-f', 'mjpeg', 'tile.jpg'],
      ...(withPoster ? [...one, ...poster] : []),
    ],
    cwd: dir,
    timeoutMs: TIMEOUT_MS,
    background: true,
  });
  return {
    tile: await readFile(join(dir, 'tile.jpg')),
    poster: withPoster ? await readFile(join(dir, 'poster.jpg')) : null,
  };
}

/** The key frame at or before a time as a file of its own, by reading only its bytes; null where there is no picture. */
export async function stillOfFile(open: OpenMovie, ms: number, dir: string): Promise<Still | null> {
  const cutAt = (seconds: number, length: number) =>
    cutMovie(open.movie, {
      startSeconds: seconds,
      endSeconds: seconds + length,
      nearBytes: 0,
      kinds: ['video'],
    });
  // Pictures may begin a little later than the recording.
  const found = cutAt(ms / 1000, 5);
  // From its own first picture on for less than one picture: that picture alone.
  const one = found && cutAt(found.fromSeconds + 0.000_01, 0.001);
  if (!one || one.pieces.every((piece) => piece.kind !== 'video')) return null;
  const head = buildHead({ parts: [{ index: encodeIndex(one.pieces), bytes: one.mediaBytes }] });
  const read = await readExtents(open.source, one.extents);
  const media = one.extents.map(({ first, end }) => read.at(first, end - first));
  const path = join(dir, 'still.mp4');
  await writeFile(path, Buffer.concat([head.bytes, ...media]));
  return { path, format: 'mov' };
}

/** All tiles in one image, left to right and top to bottom. The files `tile-0.jpg` and on lie in the folder. */
export async function makeSprite(ffmpegPath: string, dir: string, tiles: number): Promise<Uint8Array> {
  const rows = Math.ceil(tiles / COLUMNS);
  await runFfmpeg({
    ffmpegPath,
    args: [
      ...['-threads', '1', '-f', 'image2', '-start_number', '0', '-i', 'tile-%d.jpg'],
      ...['-vf', `tile=${Math.min(tiles, COLUMNS)}x${rows}:nb_frames=${tiles}`, '-frames:v', '1', '-q:v', '5'],
      ...['-pix_fmt', 'yuvj420p', '-strict', 'unofficial', '-f', 'mjpeg', 'sprite.jpg'],
    ],
    cwd: dir,
    timeoutMs: TIMEOUT_MS,
    background: true,
  });
  return readFile(join(dir, 'sprite.jpg'));
}
