/** Which folders can be streamed, in which order their segments come, and how the others are refused. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { readHlsFolder } from '../../support/packager-source.ts';

let root: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'hls-folder-'));
});
afterAll(() => rm(root, { recursive: true }));

async function folderWith(files: Record<string, string>): Promise<string> {
  const folder = await mkdtemp(join(root, 'case-'));
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  return folder;
}

const media = (...lines: string[]) =>
  ['#EXTM3U', '#EXT-X-VERSION:7', '#EXT-X-TARGETDURATION:2', ...lines, ''].join('\n');

describe('a folder of HLS', () => {
  it('is streamed in the order and with the durations of its playlist', async () => {
    const playlist = media('#EXTINF:2,', 'b.ts', '#EXT-X-DISCONTINUITY', '#EXTINF:1.5,', 'a%20a.ts');
    const segments = await readHlsFolder(await folderWith({ 'b.ts': 'b', 'a a.ts': 'a', 'live.m3u8': playlist }));
    expect(segments.map(({ path, durationMs, discontinuity }) => [basename(path), durationMs, discontinuity])).toEqual([
      ['b.ts', 2000, undefined],
      ['a a.ts', 1500, true],
    ]);
  });

  it('is streamed by the numbers of its names where there is no playlist', async () => {
    const packets = 'G'.padEnd(188, '.').repeat(2);
    const code = 'Great: this is TypeScript, and no stream.\n'.repeat(10);
    const files = { 'seg10.ts': packets, 'seg9.ts': packets, 'code.ts': code, 'empty.ts': '', 'notes.txt': packets };
    const segments = await readHlsFolder(await folderWith(files));
    expect(segments.map(({ path }) => basename(path))).toEqual(['seg9.ts', 'seg10.ts']);
  });

  it('with a master playlist is streamed in its best variant', async () => {
    const master = '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nlow/i.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=2\nhigh/i.m3u8\n';
    const variant = media('#EXTINF:2,', 's.ts', '#EXT-X-ENDLIST');
    const folder = await folderWith({
      'index.m3u8': master,
      'low/i.m3u8': variant,
      'low/s.ts': '',
      'high/i.m3u8': variant,
      'high/s.ts': '',
    });
    expect((await readHlsFolder(folder)).map(({ path }) => path)).toEqual([join(folder, 'high/s.ts')]);
  });

  it.each([
    ['has no segments', {}, /neither \.ts segments nor a playlist/],
    ['has a playlist that is none', { 'index.m3u8': 'hello', 'a.ts': '' }, /is no HLS playlist/],
    ['names a missing segment', { 'index.m3u8': media('#EXTINF:2,', 'a.ts') }, /a\.ts, which is not there/],
    ['names a file outside', { 'index.m3u8': media('#EXTINF:2,', '../../etc/passwd') }, /outside of its folder/],
    ['names another server', { 'index.m3u8': media('#EXTINF:2,', 'http://example.com/a.ts') }, /only local files/],
    ['is fragmented MP4', { 'index.m3u8': media('#EXT-X-MAP:URI="i.mp4"', '#EXTINF:2,', 'a.m4s') }, /fragmented MP4/],
    [
      'is encrypted',
      { 'index.m3u8': media('#EXT-X-KEY:METHOD=AES-128,URI="k"', '#EXTINF:2,', 'a.ts') },
      /the segments are encrypted/,
    ],
    [
      'is one file in ranges',
      { 'index.m3u8': media('#EXTINF:2,', '#EXT-X-BYTERANGE:10@0', 'a.ts'), 'a.ts': '' },
      /ranges of one file/,
    ],
  ])('that %s is refused in one line', async (_, files: Record<string, string>, message) => {
    const error: unknown = await readHlsFolder(await folderWith(files)).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'STREAM_SOURCE', message: expect.stringMatching(message) });
    expect(String((error as Error).message)).not.toContain('\n');
  });
});
