import {
  intervalFor,
  missingTiles,
  posterTile,
  spriteIsDue,
  storyboardVtt,
  tileSize,
  tilesOf,
} from '../../../lib/recordings/poster-plan.ts';

const HOUR = 3_600_000;

describe('the tiles of a storyboard', () => {
  it.each([
    [10_000, 2000],
    [200_000, 2000],
    [200_001, 4000],
    [HOUR, 64_000],
    [12 * HOUR, 512_000],
  ])('of %d ms are %d ms apart', (durationMs, intervalMs) => {
    expect(intervalFor(durationMs)).toBe(intervalMs);
    expect(missingTiles(durationMs, intervalMs, []).length).toBeLessThanOrEqual(100);
  });

  it('of a longer interval are among those that were made', () => {
    const made = missingTiles(200_000, 2000, []).map((ms) => ({ ms, bytes: 1 }));
    const kept = tilesOf(4000, made);
    expect(kept).toHaveLength(50);
    expect(missingTiles(204_000, 4000, kept)).toEqual([200_000]);
  });

  it.each([
    [1920, 1080, { width: 160, height: 90 }],
    [1080, 1920, { width: 90, height: 160 }],
    [640, 480, { width: 160, height: 120 }],
    [3840, 400, { width: 160, height: 60 }],
    [null, null, { width: 160, height: 90 }],
  ])('of a picture of %p by %p have its shape', (width, height, expected) => {
    expect(tileSize(width, height)).toEqual(expected);
  });
});

describe('the poster', () => {
  const tile = (ms: number, bytes: number) => ({ ms, bytes });
  it('is the first picture at first', () => {
    expect(posterTile([tile(0, 900)], null, false)).toBe(0);
    expect(posterTile([], null, false)).toBeNull();
  });
  it('is the picture with most to see, once there is a choice', () => {
    const tiles = [tile(0, 900), tile(2000, 3000), tile(4000, 2000), tile(6000, 1000), tile(8000, 1000)];
    expect(posterTile(tiles.slice(0, 3), 0, false)).toBeNull();
    expect(posterTile(tiles.slice(0, 3), 0, true)).toBe(2000);
    expect(posterTile(tiles, 0, false)).toBe(2000);
  });
  it('stays what it is then', () => {
    expect(posterTile([tile(0, 900), tile(2000, 3000), tile(4000, 9000)], 2000, true)).toBeNull();
    expect(posterTile([tile(0, 900), tile(2000, 950)], 0, true)).toBeNull();
  });
});

describe('the sprite', () => {
  it.each([
    [1, 0, false, true],
    [10, 10, true, false],
    [11, 10, false, false],
    [14, 10, false, true],
    [11, 10, true, true],
    [100, 60, false, true],
    [50, 100, false, true],
  ])('of %d tiles, %d of them in it (ended: %s), is drawn: %s', (tiles, inSprite, ended, due) => {
    expect(spriteIsDue(tiles, inSprite, ended)).toBe(due);
  });
});

describe('the storyboard as WebVTT', () => {
  it('names a place in the sprite for each time', () => {
    const board = { intervalMs: 2000, tiles: 12, columns: 10, version: 3, coversMs: 23_500, width: 160, height: 90 };
    const text = storyboardVtt(board);
    expect(text.startsWith('WEBVTT\n\n00:00:00.000 --> 00:00:02.000\nstoryboard.jpg?v=3#xywh=0,0,160,90\n')).toBe(true);
    expect(text).toContain('00:00:20.000 --> 00:00:22.000\nstoryboard.jpg?v=3#xywh=0,90,160,90\n');
    expect(text).toContain('00:00:22.000 --> 00:00:23.500\nstoryboard.jpg?v=3#xywh=160,90,160,90\n');
  });
  it('has no cue where there is no picture', () => {
    expect(storyboardVtt(null)).toBe('WEBVTT\n');
  });
  it('counts hours', () => {
    const board = {
      intervalMs: 512_000,
      tiles: 85,
      columns: 10,
      version: 1,
      coversMs: 12 * HOUR,
      width: 160,
      height: 90,
    };
    expect(storyboardVtt(board)).toContain('11:56:48.000 --> 12:00:00.000');
  });
});
