/** The storyboard: which part of the sprite shows a time. Read from WebVTT. */
import { getStoryboard } from './api.ts';

export interface Tile {
  readonly start: number;
  readonly end: number;
  readonly url: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

const CUE = /(\d+):(\d\d):(\d\d\.\d+) --> (\d+):(\d\d):(\d\d\.\d+)\n(\S+)#xywh=(\d+),(\d+),(\d+),(\d+)/g;

export async function loadStoryboard(id: string): Promise<Tile[]> {
  return readTiles(await getStoryboard(id), `/recording/${id}/`);
}

export function readTiles(vtt: string, base: string): Tile[] {
  return [...vtt.matchAll(CUE)].map((cue) => {
    const number = (at: number) => Number(cue[at]);
    return {
      start: number(1) * 3600 + number(2) * 60 + number(3),
      end: number(4) * 3600 + number(5) * 60 + number(6),
      url: base + (cue[7] ?? ''),
      x: number(8),
      y: number(9),
      width: number(10),
      height: number(11),
    };
  });
}

export function tileAt(tiles: readonly Tile[], seconds: number): Tile | undefined {
  return tiles.findLast((tile) => tile.start <= seconds);
}

/** Shows a tile as the background of an element. */
export function paintTile(element: HTMLElement, tile: Tile): void {
  element.style.width = `${tile.width}px`;
  element.style.height = `${tile.height}px`;
  element.style.backgroundImage = `url("${tile.url}")`;
  element.style.backgroundPosition = `-${tile.x}px -${tile.y}px`;
}
