/**
 * Which pictures a recording gets: a tile every few seconds, fewer the longer it is, and one of them large. Pure, with
 * the WebVTT that tells a player where in the sprite each time is.
 */

/** A picture that was made: its time in the recording, and its bytes, which tell how much there is to see. */
export interface Tile {
  readonly ms: number;
  readonly bytes: number;
}

export interface TileSize {
  readonly width: number;
  readonly height: number;
}

const SHORTEST_INTERVAL_MS = 2000;
/** A sprite stays an image that a phone can show: 10 by 10 tiles. */
const MOST_TILES = 100;
export const COLUMNS = 10;
const LONG_SIDE = 160;
const SHORT_SIDE = 60;
/** With so many tiles there is a choice for the poster. */
const CHOICE = 5;
const LOOKED_AT = 30;

/** Doubles as the recording grows, so that the tiles of a longer interval are among those of a shorter one. */
export function intervalFor(durationMs: number): number {
  let intervalMs = SHORTEST_INTERVAL_MS;
  while (durationMs / intervalMs > MOST_TILES) intervalMs *= 2;
  return intervalMs;
}

/** Times of tiles that are still to be made, earliest first. */
export function missingTiles(durationMs: number, intervalMs: number, tiles: readonly Tile[]): number[] {
  const made = new Set(tiles.map((tile) => tile.ms));
  const times: number[] = [];
  // A tile of the last half second would show its neighbour's picture.
  for (let ms = 0; ms === 0 || ms < durationMs - 500; ms += intervalMs) if (!made.has(ms)) times.push(ms);
  return times;
}

/** The tiles that a longer interval keeps. */
export function tilesOf(intervalMs: number, tiles: readonly Tile[]): Tile[] {
  return tiles.filter((tile) => tile.ms % intervalMs === 0).sort((a, b) => a.ms - b.ms);
}

/** The size of all tiles: that of the picture, its long side fixed, even numbers, neither side a line. */
export function tileSize(width: number | null, height: number | null): TileSize {
  const [w, h] = width && height ? [width, height] : [16, 9];
  const scale = LONG_SIDE / Math.max(w, h);
  const side = (value: number) => Math.max(SHORT_SIDE, 2 * Math.round((value * scale) / 2));
  return { width: side(w), height: side(h) };
}

/**
 * The tile that the poster should show: the first one at first, then, once, the one with the most to see (a title card, a
 * black picture take few bytes). Null where the poster is as it should be.
 */
export function posterTile(tiles: readonly Tile[], posterAtMs: number | null, ended: boolean): number | null {
  const first = tiles[0];
  if (!first) return null;
  if (posterAtMs === null) return first.ms;
  if (posterAtMs !== first.ms || (tiles.length < CHOICE && !ended)) return null;
  const best = tiles.slice(0, LOOKED_AT).reduce((a, b) => (b.bytes > a.bytes ? b : a));
  return best.bytes > first.bytes * 1.2 ? best.ms : null;
}

/** Making the sprite anew reads all its tiles: done when it is worth it, and at the end. */
export function spriteIsDue(tiles: number, inSprite: number, ended: boolean): boolean {
  if (tiles === inSprite) return false;
  return inSprite === 0 || ended || tiles < inSprite || tiles - inSprite >= Math.max(4, inSprite / 4);
}

export interface Storyboard extends TileSize {
  readonly intervalMs: number;
  readonly tiles: number;
  readonly columns: number;
  readonly version: number;
  /** The end of the media that it covers. */
  readonly coversMs: number;
}

/** WebVTT whose cues are places in the sprite (media fragments `#xywh=`), as players take it. */
export function storyboardVtt(board: Storyboard | null): string {
  const cues: string[] = [];
  for (let at = 0; board && at < board.tiles; at++) {
    const start = at * board.intervalMs;
    const end = at === board.tiles - 1 ? Math.max(board.coversMs, start + 1) : start + board.intervalMs;
    const x = (at % board.columns) * board.width;
    const y = Math.floor(at / board.columns) * board.height;
    cues.push(
      `${timestamp(start)} --> ${timestamp(end)}\nstoryboard.jpg?v=${board.version}#xywh=${x},${y},${board.width},${board.height}\n`,
    );
  }
  return ['WEBVTT\n', ...cues].join('\n');
}

function timestamp(ms: number): string {
  const two = (value: number) => String(Math.floor(value)).padStart(2, '0');
  return `${two(ms / 3_600_000)}:${two((ms / 60_000) % 60)}:${two((ms / 1000) % 60)}.${String(ms % 1000).padStart(3, '0')}`;
}
