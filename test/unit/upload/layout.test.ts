/** Which stream a file of an HLS folder is of: the layouts of real servers, and names that are none of a stream's. */
import { flatStreamKey, kindOf, placeOfFolder } from '../../../lib/upload/layout.ts';

describe('a file in a folder', () => {
  it.each([
    ['segment_000.ts', 'segment'],
    ['0.TS', 'segment'],
    ['index.m3u8', 'playlist'],
    ['abc.M3U8', 'playlist'],
    ['.hidden.ts', 'other'],
    ['.m3u8', 'other'],
    ['.ts', 'other'],
    ['a.ts.tmp', 'other'],
    ['index.m3u8.bak', 'other'],
    ['0.key', 'other'],
    ['a\nb.m3u8', 'other'],
    ['init.mp4', 'other'],
  ])('%j is of kind %s', (name, kind) => {
    expect(kindOf(name)).toBe(kind);
  });
});

describe('a folder below the root', () => {
  it('is a stream, and one below it a variant', () => {
    expect(placeOfFolder(['abc'])).toEqual({ streamKey: 'abc', prefix: 'abc/' });
    expect(placeOfFolder(['abc', '720p'])).toEqual({ streamKey: 'abc', prefix: 'abc/720p/' });
  });

  it.each([[['a b']], [['..']], [['x'.repeat(129)]], [['abc', '..']], [['abc', '720p', 'x']], [[]]])(
    '%j is none',
    (folders) => {
      expect(placeOfFolder(folders)).toBeNull();
    },
  );
});

describe('a file in the root itself', () => {
  it.each([
    ['abc-12.ts', [], 'abc'],
    ['abc_12.ts', [], 'abc'],
    ['abc-1-5.ts', [], 'abc-1'],
    ['abc-1-5.ts', ['abc-1.m3u8', 'abc.m3u8'], 'abc-1'],
    ['abc12.ts', [], null],
    ['abc12.ts', ['abc.m3u8'], 'abc'],
    ['abc1230.ts', ['abc123.m3u8'], 'abc123'],
    ['abc1230.ts', ['abc123.m3u8', 'abc.m3u8'], 'abc123'],
    ['abcd-1.ts', ['abc.m3u8'], 'abcd'],
    ['abc.m3u8', ['abc.m3u8'], 'abc'],
    ['12.ts', [], null],
    ['-1.ts', [], null],
    ['a b-1.ts', [], null],
    ['a b.m3u8', ['a b.m3u8'], null],
  ])('%j beside %j is of %j', (name, playlists, key) => {
    expect(flatStreamKey(name, playlists)).toBe(key);
  });
});
