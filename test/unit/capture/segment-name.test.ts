/** Object keys and stream keys, judged one by one. */
import {
  chooseFolder,
  decodeNotificationKey,
  digitRuns,
  isSegmentName,
  isStreamKey,
  numberInName,
  parseObjectKey,
  streamKeySchema,
} from '../../../lib/capture/segment-name.ts';

describe('a stream key', () => {
  it.each(['a', 'live_9f8a-7b', 'Stream.01', '-nanoid_', '0123456789abcdef', 'x'.repeat(128), 'user.key.'])(
    '%j is valid',
    (key) => {
      expect(isStreamKey(key)).toBe(true);
    },
  );

  it.each([
    '',
    '.',
    '..',
    '.staging',
    'a..b',
    'a/b',
    'a\\b',
    '../etc/passwd',
    "a'b",
    'a"b',
    'a b',
    'a+b',
    'a%2e',
    'ключ',
    'a\u0000b',
    'a\n',
    'x'.repeat(129),
    7,
    null,
    undefined,
    {},
  ])('%j is refused', (key) => {
    expect(isStreamKey(key)).toBe(false);
  });

  it('tells in words what is wrong', () => {
    expect(streamKeySchema.safeParse('a b').error?.issues[0]?.message).toMatch(/1 to 128 characters/);
    expect(streamKeySchema.safeParse('a..b').error?.issues[0]?.message).toMatch(/must not contain \.\./);
  });
});

describe('an object key', () => {
  it('directly below a stream key is a segment with the last number in its name', () => {
    expect(parseObjectKey('key-1/segment_007.ts')).toEqual({
      kind: 'segment',
      streamKey: 'key-1',
      folder: null,
      name: 'segment_007.ts',
      number: 7,
    });
  });

  it('may have a name with spaces, other scripts and capital extension', () => {
    expect(parseObjectKey('k/Сегмент 12.TS')).toMatchObject({ kind: 'segment', number: 12 });
  });

  it('in one folder is a variant', () => {
    expect(parseObjectKey('k/720p/index3.ts')).toMatchObject({
      kind: 'segment',
      folder: '720p',
      name: 'index3.ts',
      number: 3,
    });
  });

  it('ending in .m3u8 is a playlist, in a variant folder as well', () => {
    expect(parseObjectKey('k/index.m3u8')).toEqual({
      kind: 'playlist',
      streamKey: 'k',
      folder: null,
      name: 'index.m3u8',
    });
    expect(parseObjectKey('k/720p/index.M3U8')).toMatchObject({ kind: 'playlist', folder: '720p' });
  });

  it.each([
    ['', 'empty-key'],
    ['segment.ts', 'no-stream-key'],
    ['k/a/b/c.ts', 'too-deep'],
    ['k//a.ts', 'traversal'],
    ['/k/a.ts', 'traversal'],
    ['k/', 'traversal'],
    ['../a.ts', 'traversal'],
    ['k/../other/a.ts', 'traversal'],
    ['k/./a.ts', 'traversal'],
    ['k\\a.ts', 'traversal'],
    ['k/a\\..\\b.ts', 'traversal'],
    ['k/a\n.ts', 'control-characters'],
    ['k/a\u0000.ts', 'control-characters'],
    ['k/a\u2028.ts', 'control-characters'],
    ['k/\ud800.ts', 'control-characters'],
    ['.staging/a.ts', 'invalid-stream-key'],
    ['bad key/a.ts', 'invalid-stream-key'],
    ['k/.hidden.ts', 'hidden-file'],
    ['k/.tmp/a.ts', 'hidden-file'],
    ['k/.ts', 'hidden-file'],
    ['k/a.ts.tmp', 'other-file-type'],
    ['k/a.mp4', 'other-file-type'],
    ['k/a', 'other-file-type'],
    [`k/${'a'.repeat(300)}.ts`, 'other-file-type'],
    [`k/${'a'.repeat(1100)}.ts`, 'key-too-long'],
  ])('%j is ignored as %s', (key, reason) => {
    expect(parseObjectKey(key)).toEqual({ kind: 'ignored', reason });
  });
});

describe('the number in a name', () => {
  it.each([
    ['segment_000.ts', 0],
    ['index12.ts', 12],
    ['2025-10-05-18.ts', 18],
    ['seg-1696520000123.ts', 1696520000123],
    ['a1b2c3.ts', 3],
    ['9007199254740991.ts', Number.MAX_SAFE_INTEGER],
    ['9007199254740992.ts', null],
    ['live.ts', null],
    ['mp4v2.ts', 2],
  ])('of %s is %s', (name, number) => {
    expect(numberInName(name)).toBe(number);
  });

  it('is one of several runs of digits', () => {
    expect(digitRuns('seg_12_720p.ts')).toEqual([12, 720]);
  });
});

describe('a segment name', () => {
  it.each(['a.ts', 'a b.TS', "it's.ts"])('%j is fine', (name) => expect(isSegmentName(name)).toBe(true));
  it.each(['.ts', 'a.m4s', 'a/b.ts', '..\\a.ts', '.a.ts', 'a\r.ts', ''])('%j is not', (name) =>
    expect(isSegmentName(name)).toBe(false),
  );
});

describe('the key in a notification', () => {
  it('is percent-encoded, with a plus for a space', () => {
    expect(decodeNotificationKey('key/my+segment%2B1%281%29.ts')).toBe('key/my segment+1(1).ts');
    expect(decodeNotificationKey('key%2Fsegment_1.ts')).toBe('key/segment_1.ts');
    expect(decodeNotificationKey('k/%D1%81.ts')).toBe('k/с.ts');
  });

  it('is null where the encoding is broken', () => {
    expect(decodeNotificationKey('key/%E0%A4.ts')).toBeNull();
    expect(decodeNotificationKey('key/%')).toBeNull();
  });
});

describe('the folder of the recording', () => {
  it('is the top wherever a segment lies there', () => {
    expect(chooseFolder([{ folder: '1080p' }, { folder: null }])).toBeNull();
  });

  it('is the best variant where nothing is on top', () => {
    expect(chooseFolder(['720p', '1080p', '480p'].map((folder) => ({ folder })))).toBe('1080p');
    expect(chooseFolder(['1080p', 'source'].map((folder) => ({ folder })))).toBe('source');
    expect(chooseFolder(['high', 'audio'].map((folder) => ({ folder })))).toBe('audio');
  });

  it('is undefined without segments', () => {
    expect(chooseFolder([])).toBeUndefined();
  });
});
