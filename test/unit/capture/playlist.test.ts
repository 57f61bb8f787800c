/** What is read of playlists, good and bad. */
import { readFile } from 'node:fs/promises';
import { type MediaPlaylist, PLAYLIST_LIMIT, readPlaylist } from '../../../lib/capture/playlist.ts';
import { makeHls } from '../../support/media/index.ts';

function media(text: string): MediaPlaylist {
  const playlist = readPlaylist(text);
  if (playlist.kind !== 'media') throw new Error('not a media playlist');
  return playlist;
}

const head = '#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n';

describe('a media playlist', () => {
  it('gives each segment its media sequence number', () => {
    const playlist = media(
      `${head}#EXT-X-MEDIA-SEQUENCE:41\n#EXTINF:2.000000,\nsegment_041.ts\n#EXTINF:1.96,title\nsegment_042.ts\n`,
    );
    expect(playlist).toMatchObject({
      mediaSequence: 41,
      discontinuitySequence: 0,
      endList: false,
      targetDurationSeconds: 2,
      encrypted: false,
    });
    expect(playlist.segments).toEqual([
      {
        name: 'segment_041.ts',
        sequence: 41,
        durationSeconds: 2,
        discontinuity: false,
        gap: false,
        programDateTime: null,
      },
      {
        name: 'segment_042.ts',
        sequence: 42,
        durationSeconds: 1.96,
        discontinuity: false,
        gap: false,
        programDateTime: null,
      },
    ]);
  });

  it('of ffmpeg is read whole', async () => {
    const hls = await makeHls({ seconds: 6, audio: [{ codec: 'aac' }] });
    const playlist = media(await readFile(hls.playlist, 'utf8'));
    expect(playlist.segments.map(({ sequence }) => sequence)).toEqual([0, 1, 2]);
    expect(playlist.segments.map(({ durationSeconds }) => durationSeconds)).toEqual(hls.durations);
    expect(playlist.endList).toBe(true);
  });

  it('tells discontinuities, gaps, dates and the end', () => {
    const playlist = media(
      `${head}#EXT-X-DISCONTINUITY-SEQUENCE:3\n#EXTINF:2,\na1.ts\n#EXT-X-DISCONTINUITY\n#EXT-X-PROGRAM-DATE-TIME:2025-10-05T18:00:00.250Z\n#EXTINF:2,\na2.ts\n#EXT-X-GAP\n#EXTINF:2,\na3.ts\n#EXT-X-ENDLIST\n`,
    );
    expect(playlist.discontinuitySequence).toBe(3);
    expect(playlist.endList).toBe(true);
    expect(playlist.segments.map(({ discontinuity }) => discontinuity)).toEqual([false, true, false]);
    expect(playlist.segments.map(({ gap }) => gap)).toEqual([false, false, true]);
    expect(playlist.segments[1]?.programDateTime).toBe('2025-10-05T18:00:00.250Z');
  });

  it('may lack its media sequence: it begins with 0 then', () => {
    expect(media(`${head}#EXTINF:2,\na.ts\n`).segments[0]?.sequence).toBe(0);
  });

  it('has URIs reduced to base names without query and fragment, decoded', () => {
    const uris = [
      'a1.ts?token=x/../y',
      './a2.ts#t',
      '/abs/a3.ts',
      'https://cdn.example/live/key/a4.ts?x=1',
      'sub/a%205.ts',
    ];
    const playlist = media(head + uris.map((uri) => `#EXTINF:2,\n${uri}\n`).join(''));
    expect(playlist.segments.map(({ name }) => name)).toEqual(['a1.ts', 'a2.ts', 'a3.ts', 'a4.ts', 'a 5.ts']);
  });

  it('keeps the numbering over entries that are no segments of ours', () => {
    const uris = ['a1.ts', '../../other/secret.ts', 'x%2f..%2fy.ts', '%zz.ts', 'init.mp4', '.hidden.ts', 'a7.ts'];
    const playlist = media(head + uris.map((uri) => `#EXTINF:2,\n${uri}\n`).join(''));
    expect(playlist.segments.map(({ name, sequence }) => [name, sequence])).toEqual([
      ['a1.ts', 0],
      ['a7.ts', 6],
    ]);
    expect(playlist.ignored).toBe(5);
  });

  it('is read with Windows line ends, a byte order mark, blank lines, comments and unknown tags', () => {
    const text = `\uFEFF${head}# comment\n\n#EXT-X-SOMETHING:NEW=1\n#EXTINF:2,\na.ts\n`.replaceAll('\n', '\r\n');
    expect(media(text).segments).toHaveLength(1);
  });

  it('of low latency is read without its parts', () => {
    const playlist = media(
      `${head}#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1\n#EXT-X-PART-INF:PART-TARGET=0.33\n#EXT-X-MEDIA-SEQUENCE:9\n#EXT-X-PART:DURATION=0.33,URI="p1.ts"\n#EXTINF:2,\na9.ts\n#EXT-X-PART:DURATION=0.33,URI="p2.ts"\n#EXT-X-PRELOAD-HINT:TYPE=PART,URI="p3.ts"\n`,
    );
    expect(playlist.segments.map(({ name, sequence }) => [name, sequence])).toEqual([['a9.ts', 9]]);
  });

  it('cut off in the middle gives what is whole', () => {
    expect(media(`${head}#EXTINF:2,\na1.ts\n#EXTINF:2,`).segments.map(({ name }) => name)).toEqual(['a1.ts']);
    expect(media(`${head}#EXTINF:2,\na1.ts\n#EXTINF:2,\nsegm`).segments.map(({ name }) => name)).toEqual(['a1.ts']);
    expect(media(head).segments).toEqual([]);
    expect(media(`${head}#EXTINF:2,\na1.ts\n#EXTINF:2,`).ignored).toBe(0);
  });

  it('with titles in other encodings is read', () => {
    expect(media(`${head}#EXTINF:2,caf\u00e9 \u0444\na.ts\n`).segments[0]?.durationSeconds).toBe(2);
  });

  it('with nonsense durations says 0', () => {
    expect(
      media(`${head}#EXTINF:-1,\na.ts\n#EXTINF:x,\nb.ts\n`).segments.map(({ durationSeconds }) => durationSeconds),
    ).toEqual([0, 0]);
  });

  it('with a key tells that the objects are encrypted', () => {
    expect(media(`${head}#EXT-X-KEY:METHOD=AES-128,URI="k"\n#EXTINF:2,\na.ts\n`).encrypted).toBe(true);
    expect(media(`${head}#EXT-X-KEY:METHOD=NONE\n#EXTINF:2,\na.ts\n`).encrypted).toBe(false);
  });

  it('counts what a delta update skips', () => {
    const text = `${head}#EXT-X-MEDIA-SEQUENCE:10\n#EXT-X-SKIP:SKIPPED-SEGMENTS=5\n#EXTINF:2,\na15.ts\n`;
    expect(media(text).segments[0]?.sequence).toBe(15);
  });
});

describe('a master playlist', () => {
  it('lists its variants', () => {
    const text =
      '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=800000,RESOLUTION=1280x720,CODECS="avc1.64001f,mp4a.40.2"\n720p/index.m3u8?t=1\n#EXT-X-STREAM-INF:BANDWIDTH=200000\nlow.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=1\n../../other/x.m3u8\n';
    expect(readPlaylist(text)).toEqual({
      kind: 'master',
      variants: [
        { name: 'index.m3u8', folder: '720p', bandwidth: 800_000, width: 1280, height: 720 },
        { name: 'low.m3u8', folder: null, bandwidth: 200_000, width: null, height: null },
      ],
    });
  });
});

describe('what is no playlist', () => {
  it.each([
    ['an empty text', ''],
    ['HTML', '<html><body>404</body></html>'],
    ['JSON', '{"error":"no"}'],
    ['a playlist without its first line', '#EXTINF:2,\na.ts\n'],
    ['an overflowing media sequence', `${head}#EXT-X-MEDIA-SEQUENCE:1e300\n#EXTINF:2,\na.ts\n`],
    ['a negative media sequence', `${head}#EXT-X-MEDIA-SEQUENCE:-4\n#EXTINF:2,\na.ts\n`],
  ])('%s is refused as PLAYLIST_INVALID', (_what, text) => {
    expect(() => readPlaylist(text)).toThrow(expect.objectContaining({ code: 'PLAYLIST_INVALID', retryable: true }));
  });

  it('is refused unread when it is too large', () => {
    expect(() => readPlaylist(`${head}${'#'.repeat(PLAYLIST_LIMIT)}`)).toThrow(
      expect.objectContaining({ code: 'PLAYLIST_TOO_LARGE' }),
    );
  });

  it('is refused when segments are ranges of one object', () => {
    expect(() => readPlaylist(`${head}#EXTINF:2,\n#EXT-X-BYTERANGE:100@0\nall.ts\n`)).toThrow(
      expect.objectContaining({ code: 'PLAYLIST_UNSUPPORTED' }),
    );
  });

  it('is not written about to the console', () => {
    const written: unknown[] = [];
    const original = console.error;
    console.error = (...values: unknown[]) => void written.push(values);
    try {
      media(`#EXTM3U\n#EXTINF:9.5,\na.ts\n`);
    } finally {
      console.error = original;
    }
    expect(written).toEqual([]);
  });
});
