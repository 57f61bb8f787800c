/**
 * Makes posters and storyboards while recordings run, and of those that have none: in the background, a bounded piece a round, one
 * ffmpeg at a time. Nothing waits for it, and nothing depends on it.
 */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BucketMissing, StorageAccessDenied, StorageUnavailable } from '../storage/errors.ts';
import { pictureKey, tileKey } from '../storage/keys.ts';
import { nowOf, type RecordingContext } from './context.ts';
import { findRecording, playsFromFile, segmentsOf } from './playback.ts';
import type { PlayableSegment } from './playback-live.ts';
import { type OpenMovie, openRecordingFile } from './playback-movie.ts';
import { findPictureSize } from './playback-repository.ts';
import { makeSprite, type Pictures, type Still, stillOfFile, takePictures } from './poster-frames.ts';
import {
  intervalFor,
  missingTiles,
  posterTile,
  spriteIsDue,
  type Tile,
  type TileSize,
  tileSize,
  tilesOf,
} from './poster-plan.ts';
import { PictureRepository, type PicturesRow } from './poster-repository.ts';
import type { Recording } from './recording.ts';

const BUDGET_MS = 4000;
const LEASE_MS = 60_000;
/** A recording that goes on is not looked at more often. */
const LOOK_AGAIN_MS = 5000;
const JPEG = 'image/jpeg';

/**
 * One round: recordings that need pictures get some, for about `budgetMs`. Safe to call from several processes; each
 * recording is worked on by one. Never throws for one recording's sake: what fails is logged and tried again later.
 */
export async function makePosters(context: RecordingContext, budgetMs = BUDGET_MS): Promise<void> {
  const pictures = new PictureRepository(context.db);
  const until = context.clock.now() + budgetMs;
  while (context.clock.now() < until) {
    const row = await pictures.claim(nowOf(context), nowOf(context, LEASE_MS));
    if (!row) return;
    try {
      const next = await workOn(context, row, until);
      await pictures.save(next.row, nowOf(context, next.row.done || next.more ? 0 : LOOK_AGAIN_MS));
    } catch (error) {
      // The lease keeps it from the next rounds.
      context.logger.warn({ err: error, recording_id: row.recordingId }, 'Could not make pictures of a recording');
    }
  }
}

/** Where pictures are taken from. */
interface Scene {
  readonly recording: Recording;
  readonly dir: string;
  readonly ffmpegPath: string;
  readonly durationMs: number;
  readonly size: TileSize;
  /** A file that begins with the picture of a time; null where there is none. */
  stillAt(ms: number): Promise<Still | null>;
}

async function workOn(
  context: RecordingContext,
  found: PicturesRow,
  until: number,
): Promise<{ row: PicturesRow; more: boolean }> {
  const recording = await findRecording(context, found.recordingId);
  const row = ofGeneration(found, recording.generation);
  const ended = recording.status === 'completed' || recording.status === 'failed';
  const picture = await findPictureSize(context.db, recording.id);
  // Sound alone has no pictures, now or later.
  if (picture === null) return { row: { ...row, done: ended }, more: false };
  const size =
    row.tileWidth > 0 ? { width: row.tileWidth, height: row.tileHeight } : tileSize(picture.width, picture.height);
  const dir = join(context.config.SCRATCH_DIR, 'pictures', recording.id);
  await rm(dir, { recursive: true, force: true });
  await mkdir(dir, { recursive: true });
  try {
    const scene = await openScene(context, recording, dir, size);
    const intervalMs = intervalFor(scene.durationMs);
    const start = { ...row, intervalMs, tileWidth: size.width, tileHeight: size.height };
    const tiled = await makeTiles(context, scene, { ...start, tiles: tilesOf(intervalMs, row.tiles) }, ended, until);
    const more = missingTiles(scene.durationMs, intervalMs, tiled.tiles).length > 0;
    const drawn = await drawSprite(context, scene, tiled, ended && !more);
    const done = ended && !more;
    if (done) await removeTiles(context, drawn, row.tiles);
    return { row: { ...drawn, done }, more };
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** A recording that is made anew is another one to its pictures; the poster stays until there is a better one. */
function ofGeneration(row: PicturesRow, generation: number): PicturesRow {
  return row.generation === generation ? row : { ...row, generation, tiles: [], spriteTiles: 0 };
}

async function openScene(context: RecordingContext, recording: Recording, dir: string, size: TileSize): Promise<Scene> {
  const { path: ffmpegPath } = await context.ffmpeg();
  const common = { recording, dir, ffmpegPath, size };
  if (await playsFromFile(context, recording)) {
    const open: OpenMovie = await openRecordingFile(context, recording);
    const durationMs = open.movie.durationSeconds * 1000;
    return { ...common, durationMs, stillAt: (ms) => stillOfFile(open, ms, dir) };
  }
  const segments = await segmentsOf(context, recording);
  const last = segments.at(-1);
  const durationMs = last ? last.startMs + last.durationMs : 0;
  return { ...common, durationMs, stillAt: (ms) => stillOfSegments(context, segments, ms, dir) };
}

/** The captured segment that plays at a time; its first picture is near enough for a thumbnail. */
async function stillOfSegments(
  context: RecordingContext,
  segments: readonly PlayableSegment[],
  ms: number,
  dir: string,
): Promise<Still | null> {
  const segment = segments.findLast((one) => one.startMs <= ms);
  if (!segment) return null;
  const { MINIO_BUCKET, SEGMENT_DOWNLOAD_TIMEOUT } = context.config;
  const { bytes } = await context.store.get(MINIO_BUCKET, segment.stagedKey, SEGMENT_DOWNLOAD_TIMEOUT);
  const path = join(dir, 'still.ts');
  await writeFile(path, bytes);
  return { path, format: 'mpegts' };
}

async function makeTiles(
  context: RecordingContext,
  scene: Scene,
  given: PicturesRow,
  ended: boolean,
  until: number,
): Promise<PicturesRow> {
  let row = given;
  for (const [made, ms] of missingTiles(scene.durationMs, row.intervalMs, row.tiles).entries()) {
    // One at least: every round comes further.
    if (made > 0 && context.clock.now() >= until) return row;
    const isFirst = row.posterAtMs === null;
    const taken = await take(context, scene, ms, isFirst);
    if (taken) await context.store.put(context.config.MINIO_BUCKET, tileKey(scene.recording.id, ms), taken.tile, JPEG);
    // A place without a picture keeps its place: times are told by counting.
    const tile: Tile = { ms, bytes: taken?.tile.length ?? 0 };
    row = { ...row, tiles: [...row.tiles, tile].sort((a, b) => a.ms - b.ms) };
    if (taken?.poster) row = await storePoster(context, row, ms, taken.poster);
  }
  const better = posterTile(
    row.tiles.filter((tile) => tile.bytes > 0),
    row.posterAtMs,
    ended,
  );
  if (better === null) return row;
  const taken = await take(context, scene, better, true);
  return taken?.poster ? storePoster(context, row, better, taken.poster) : row;
}

/** Null where there is no picture: a damaged segment, one of sound alone. */
async function take(
  context: RecordingContext,
  scene: Scene,
  ms: number,
  withPoster: boolean,
): Promise<Pictures | null> {
  try {
    const still = await scene.stillAt(ms);
    return still && (await takePictures(scene.ffmpegPath, scene.dir, still, scene.size, withPoster));
  } catch (error) {
    // Nothing is known of the picture then: all of it is tried again.
    if (error instanceof StorageUnavailable || error instanceof StorageAccessDenied || error instanceof BucketMissing)
      throw error;
    context.logger.debug({ err: error, recording_id: scene.recording.id, at_ms: ms }, 'No picture there');
    return null;
  }
}

async function storePoster(
  context: RecordingContext,
  row: PicturesRow,
  ms: number,
  jpeg: Uint8Array,
): Promise<PicturesRow> {
  await context.store.put(context.config.MINIO_BUCKET, pictureKey(row.recordingId, 'poster'), jpeg, JPEG);
  return { ...row, posterAtMs: ms };
}

async function drawSprite(
  context: RecordingContext,
  scene: Scene,
  row: PicturesRow,
  last: boolean,
): Promise<PicturesRow> {
  // Only tiles without a hole before them can be told by counting.
  const hole = row.tiles.findIndex((tile, at) => tile.ms !== at * row.intervalMs);
  const tiles = hole < 0 ? row.tiles : row.tiles.slice(0, hole);
  const inSprite = row.spriteIntervalMs === row.intervalMs ? row.spriteTiles : 0;
  const changed =
    row.spriteIntervalMs !== row.intervalMs && row.spriteTiles > 0 && tiles.length * row.intervalMs < row.spriteMs;
  if (tiles.length === 0 || changed || !spriteIsDue(tiles.length, inSprite, last)) return row;
  const first = tiles.find((tile) => tile.bytes > 0);
  if (!first) return row;
  // A tile that could not be made is the one before it again.
  let before = await fetchTile(context, row.recordingId, first.ms);
  for (const [at, tile] of tiles.entries()) {
    if (tile.bytes > 0) before = await fetchTile(context, row.recordingId, tile.ms);
    await writeFile(join(scene.dir, `tile-${at}.jpg`), before);
  }
  const sprite = await makeSprite(scene.ffmpegPath, scene.dir, tiles.length);
  await context.store.put(context.config.MINIO_BUCKET, pictureKey(row.recordingId, 'storyboard'), sprite, JPEG);
  return {
    ...row,
    spriteTiles: tiles.length,
    spriteIntervalMs: row.intervalMs,
    spriteMs: Math.min(Math.round(scene.durationMs), tiles.length * row.intervalMs),
    spriteVersion: row.spriteVersion + 1,
  };
}

async function fetchTile(context: RecordingContext, recordingId: string, ms: number): Promise<Uint8Array> {
  const { MINIO_BUCKET, SEGMENT_DOWNLOAD_TIMEOUT } = context.config;
  return (await context.store.get(MINIO_BUCKET, tileKey(recordingId, ms), SEGMENT_DOWNLOAD_TIMEOUT)).bytes;
}

/** The storyboard is finished: its pictures one by one are of no more use. */
async function removeTiles(context: RecordingContext, row: PicturesRow, earlier: readonly Tile[]): Promise<void> {
  const times = new Set([...row.tiles, ...earlier].map((tile) => tile.ms));
  await context.store.remove(
    context.config.MINIO_BUCKET,
    [...times].map((ms) => tileKey(row.recordingId, ms)),
  );
}
