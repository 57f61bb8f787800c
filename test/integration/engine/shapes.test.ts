import { readFile } from 'node:fs/promises';
import { makeHls, type StreamShape } from '../../support/media/index.ts';
import { readTables } from '../../support/media/read-tables.ts';
import { compareWays, expectEqual } from './compare.ts';

const audio = (...codecs: readonly ('aac' | 'he-aac' | 'mp3' | 'ac3')[]) => codecs.map((codec) => ({ codec }));
const at44 = (codec: 'aac' | 'he-aac' | 'mp3') => [{ codec, sampleRate: 44_100 }];

/** Title → what is streamed, and how many packets each track must have. */
const SHAPES: readonly (readonly [string, Partial<StreamShape>, readonly number[]])[] = [
  ['H.264 at 23.976 with B-frames', { fps: '24000/1001', bframes: 2 }, [96, 189]],
  ['H.264 at 25 without B-frames', { fps: '25' }, [100, 189]],
  ['H.264 at 29.97 with B-frames', { fps: '30000/1001', bframes: 2 }, [120, 189]],
  ['H.264 at 50 with one B-frame', { fps: '50', bframes: 1 }, [200, 189]],
  ['H.264 at 59.94 with three B-frames', { fps: '60000/1001', bframes: 3 }, [240, 189]],
  ['H.264 in open groups of pictures', { bframes: 2, openGop: true }, [100, 189]],
  ['H.264 at a variable rate', { fps: 'vfr' }, [100, 189]],
  ['H.264 at a variable rate with B-frames', { fps: 'vfr', bframes: 2 }, [100, 189]],
  ['HEVC without B-frames', { video: 'hevc' }, [100, 189]],
  ['HEVC at 29.97 with B-frames', { video: 'hevc', fps: '30000/1001', bframes: 3 }, [120, 189]],
  ['AAC at 44.1 kHz', { audio: at44('aac'), bframes: 2 }, [100, 174]],
  ['HE-AAC', { audio: audio('he-aac'), bframes: 2 }, [100, 95]],
  ['HE-AAC at 44.1 kHz', { audio: at44('he-aac') }, [100, 88]],
  ['MP3', { audio: audio('mp3') }, [100, 168]],
  ['MP3 at 44.1 kHz', { audio: at44('mp3') }, [100, 155]],
  ['AC-3', { audio: audio('ac3') }, [100, 125]],
  ['AAC alone', { video: 'none' }, [189]],
  ['AAC at 44.1 kHz alone', { video: 'none', audio: at44('aac') }, [174]],
  ['MP3 alone', { video: 'none', audio: audio('mp3') }, [168]],
  ['AC-3 alone', { video: 'none', audio: audio('ac3') }, [125]],
  ['H.264 alone', { audio: [], bframes: 2 }, [100]],
  [
    'three sound tracks of three codecs',
    { audio: [{ codec: 'aac', language: 'eng' }, { codec: 'ac3', language: 'deu' }, ...at44('mp3')], bframes: 2 },
    [100, 189, 125, 155],
  ],
  [
    'sound that begins later than the picture',
    { audio: [{ codec: 'aac', delaySeconds: 0.7 }], bframes: 2 },
    [100, 156],
  ],
  ['the 33-bit wrap in the middle', { startSeconds: 95_440, bframes: 2 }, [100, 189]],
  ['the 33-bit wrap in the first picture', { startSeconds: 95_442.3, bframes: 2 }, [100, 189]],
  ['the 33-bit wrap a minute ahead', { startSeconds: 95_380, bframes: 2 }, [100, 189]],
  ['the 33-bit wrap with AAC at 44.1 kHz', { startSeconds: 95_440, bframes: 2, audio: at44('aac') }, [100, 174]],
  ['a clock that passes a multiple of 1024 s', { startSeconds: 1_031, bframes: 2, audio: at44('aac') }, [100, 174]],
];

describe('the engine, rolled segment by segment, equals the single-pass remux and the short way', () => {
  it.each(SHAPES)('for %s', async (_title, shape, counts) => {
    const hls = await makeHls({ seconds: 4, segmentSeconds: 1, ...shape });
    expect(hls.segments.length).toBeGreaterThanOrEqual(4);
    const compared = await compareWays([await Promise.all(hls.segments.map((path) => readFile(path)))]);
    expectEqual(compared);
    expect(compared.streams.map((stream) => stream.packets.length)).toEqual(counts);
    expect(compared.short.way).toBe('concat');
    expect(compared.engine.warnings).toEqual([]);
    // ffmpeg describes the tracks, with the first parts that have all of them; the others are our own remux.
    const ways = compared.engine.ways.map(({ by }) => by);
    expect(ways).toEqual([...ways.filter((by) => by === 'ffmpeg'), ...ways.filter((by) => by === 'us')]);
    expect(ways.filter((by) => by === 'ffmpeg')).toHaveLength(1);
    // What buildHead says of its tracks is what is in the file.
    expect(compared.engine.head.tracks.map((track) => track.samples)).toEqual(counts);
    expect(compared.engine.head.tracks).toEqual(compared.short.tracks);
    // One description a track, however each part was described.
    expect(readTables(compared.engine.head.bytes).map((track) => track.entries.length)).toEqual(counts.map(() => 1));
  });
});
