import { Corrupt } from '../../../lib/mp4/errors.ts';
import { buildHead } from '../../../lib/mp4/head.ts';
import { summariseMovie } from '../../../lib/mp4/movie-summary.ts';
import { encodeIndex, type Piece } from '../../../lib/mp4/sample-index.ts';
import { pieceOf, plainEntry } from '../../support/media/pieces.ts';
import { readTables } from '../../support/media/read-tables.ts';

function part(bytes: number, ...pieces: readonly Piece[]) {
  return { index: encodeIndex(pieces), bytes };
}

const frame = { duration: 3000, size: 100 };

describe('buildHead', () => {
  it('leaves room behind the head for what is sent with it, and says the same', () => {
    const parts = [part(500, pieceOf([frame, frame]))];
    const { bytes } = buildHead({ parts, room: 100_000 });
    expect(bytes.buffer.byteLength - bytes.byteOffset - bytes.length).toBeGreaterThanOrEqual(100_000);
    expect(bytes).toEqual(buildHead({ parts }).bytes);
  });

  it('ends with a 64-bit mdat header that covers the media of all parts', () => {
    const head = buildHead({ parts: [part(500, pieceOf([frame, frame])), part(700, pieceOf([frame], { dts: 6000 }))] });
    const bytes = Buffer.from(head.bytes);
    const header = bytes.subarray(-16);
    expect([header.readUInt32BE(0), header.toString('latin1', 4, 8), header.readBigUInt64BE(8)]).toEqual([
      1,
      'mdat',
      1216n,
    ]);
    expect(head.mediaBytes).toBe(1200);
    expect(bytes.toString('latin1', 4, 8)).toBe('ftyp');
  });

  it('puts chunks where the parts lie behind the head', () => {
    const head = buildHead({
      parts: [part(500, pieceOf([frame, frame], { start: 30 })), part(700, pieceOf([frame], { dts: 6000, start: 60 }))],
    });
    const [track] = readTables(head.bytes);
    const media = head.bytes.length;
    expect(track?.samples.map((sample) => sample.at - media)).toEqual([30, 130, 560]);
  });

  it('keeps positions beyond 4 GiB exact', () => {
    const far = 3 * 2 ** 40;
    const head = buildHead({ parts: [part(far, pieceOf([frame])), part(200, pieceOf([frame], { dts: 3000 }))] });
    expect(readTables(head.bytes)[0]?.samples[1]?.at).toBe(far + head.bytes.length);
  });

  it('takes durations from the distance to the next sample, across parts', () => {
    const head = buildHead({
      // The first part believed that its last sample lasts 3000; the next one comes after 4500.
      parts: [part(200, pieceOf([frame, frame])), part(200, pieceOf([frame, frame], { dts: 7500 }))],
    });
    const [track] = readTables(head.bytes);
    expect(track?.samples.map((sample) => sample.dts)).toEqual([0, 3000, 7500, 10_500]);
    expect(track?.mediaDuration).toBe(13_500);
  });

  it('moves a sample that would be decoded before the one ahead of it by as little as possible', () => {
    const head = buildHead({
      parts: [
        part(200, pieceOf([frame, frame])),
        part(200, pieceOf([{ ...frame, offset: 6000 }, frame], { dts: 2000 })),
      ],
    });
    const samples = readTables(head.bytes)[0]?.samples ?? [];
    expect(samples.map((sample) => sample.dts)).toEqual([0, 3000, 3001, 5000]);
    // Its time of presentation stays.
    expect(samples[2]?.pts).toBe(8000);
  });

  it('starts a picture track with its first key frame, in whatever part that is', () => {
    const late = { ...frame, sync: false };
    const head = buildHead({
      parts: [part(200, pieceOf([late, late])), part(400, pieceOf([late, frame, late], { dts: 6000 }))],
    });
    const [track] = readTables(head.bytes);
    expect(track?.samples.map((sample) => [sample.at - head.bytes.length, sample.sync])).toEqual([
      [300, true],
      [400, false],
    ]);
  });

  it('shows a track that begins late behind an empty edit, rounded down to the movie clock as ffmpeg does', () => {
    const sound = pieceOf([{ duration: 1024, size: 50 }], { kind: 'audio', dts: 33_000 });
    const [track] = readTables(buildHead({ parts: [part(50, sound)] }).bytes);
    expect(track?.edits).toEqual([
      { duration: 687, mediaTime: -1 },
      { duration: 22, mediaTime: 0 },
    ]);
    expect(track?.trackDuration).toBe(709);
  });

  it('cuts the decoding delay of B-frames off with the edit list', () => {
    const pictures = [
      { ...frame, offset: 6000 },
      { ...frame, offset: 12_000 },
      { ...frame, offset: 0 },
    ];
    const [track] = readTables(buildHead({ parts: [part(300, pieceOf(pictures, { dts: -6000 }))] }).bytes);
    expect(track?.edits).toEqual([{ duration: 134, mediaTime: 6000 }]);
  });

  it('writes signed composition offsets', () => {
    const [track] = readTables(buildHead({ parts: [part(200, pieceOf([frame, { ...frame, offset: -3000 }]))] }).bytes);
    expect(track?.samples.map((sample) => sample.pts)).toEqual([0, 0]);
  });

  it('describes a changed configuration by a second sample entry, and an old one that returns by the first', () => {
    const other = plainEntry('avc1', 'video', 7);
    const head = buildHead({
      parts: [
        part(100, pieceOf([frame])),
        part(100, pieceOf([frame], { dts: 3000, entry: other })),
        part(100, pieceOf([frame], { dts: 6000 })),
      ],
    });
    const [track] = readTables(head.bytes);
    expect(track?.entries).toHaveLength(2);
    expect(track?.samples.map((sample) => sample.entry)).toEqual([1, 2, 1]);
  });

  it('gives another codec, and another clock, a track of its own, in the order of the program map', () => {
    const sound = { kind: 'audio' as const };
    const head = buildHead({
      parts: [
        part(50, pieceOf([{ duration: 1024, size: 50 }], sound)),
        part(
          150,
          pieceOf([frame]),
          pieceOf([{ duration: 1024, size: 50 }], { ...sound, start: 100, timescale: 44_100 }),
        ),
        part(100, pieceOf([frame], { dts: 3000, entry: plainEntry('hev1', 'video') })),
      ],
    });
    expect(head.tracks.map((track) => track.codec)).toEqual(['avc1', 'hev1', 'mp4a', 'mp4a']);
    expect(readTables(head.bytes).map((track) => track.timescale)).toEqual([90_000, 90_000, 48_000, 44_100]);
  });

  it('reports what verification compares, and the finished file says the same', () => {
    const head = buildHead({
      parts: [
        part(
          350,
          pieceOf([frame, frame, frame]),
          pieceOf([{ duration: 1024, size: 50 }], { kind: 'audio', start: 300 }),
        ),
      ],
      createdMs: Date.UTC(2025, 9, 5, 18),
    });
    const tracks = [
      { kind: 'video', codec: 'avc1', samples: 3, durationMs: 100, bytes: 300 },
      { kind: 'audio', codec: 'mp4a', samples: 1, durationMs: 21, bytes: 50 },
    ];
    expect(head).toMatchObject({ tracks, durationMs: 100, mediaBytes: 350 });
    expect(summariseMovie(head.bytes)).toEqual({ tracks, durationMs: 100, headBytes: head.bytes.length - 16 });
  });

  it('refuses an index that reaches behind its part', () => {
    expect(() => buildHead({ parts: [part(99, pieceOf([frame]))] })).toThrow(Corrupt);
  });

  it('refuses to make a file of nothing', () => {
    expect(() => buildHead({ parts: [] })).toThrow(/no sample/);
    expect(() => buildHead({ parts: [part(100, pieceOf([{ ...frame, sync: false }]))] })).toThrow(/no sample/);
  });
});
