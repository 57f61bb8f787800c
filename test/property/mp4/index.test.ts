import fc from 'fast-check';
import { Mp4Error } from '../../../lib/mp4/errors.ts';
import { buildHead } from '../../../lib/mp4/head.ts';
import { decodeIndex } from '../../../lib/mp4/index-reader.ts';
import { summariseMovie } from '../../../lib/mp4/movie-summary.ts';
import { readFragments } from '../../../lib/mp4/reader.ts';
import { encodeIndex, type Piece } from '../../../lib/mp4/sample-index.ts';
import { fragmentedFile, type PlainSample, type PlainTrack, pieceOf } from '../../support/media/pieces.ts';
import { readTables, type TableSample } from '../../support/media/read-tables.ts';

const sample: fc.Arbitrary<PlainSample> = fc.record({
  duration: fc.integer({ min: 1, max: 100_000 }),
  size: fc.integer({ min: 1, max: 5000 }),
  offset: fc.integer({ min: -20_000, max: 20_000 }),
  sync: fc.boolean(),
});

const piece: fc.Arbitrary<Piece> = fc
  .record({
    samples: fc.array(sample, { minLength: 1, maxLength: 40 }),
    kind: fc.constantFrom('video' as const, 'audio' as const),
    start: fc.nat(2 ** 40),
    perChunk: fc.integer({ min: 1, max: 9 }),
    dts: fc.integer({ min: -(2 ** 40), max: 2 ** 48 }),
    run: fc.nat(100),
    ordinal: fc.nat(5),
    language: fc.constantFrom('und', 'eng', 'deu'),
  })
  .map(({ samples, ...more }) => pieceOf(samples, more));

/** What decodeIndex throws; undefined when it does not. */
function refusal(bytes: Uint8Array): unknown {
  try {
    decodeIndex(bytes);
    return undefined;
  } catch (error) {
    return error;
  }
}

describe('a sample index', () => {
  it('comes back from its bytes as it was', () => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 6 }), (pieces) => {
        expect(decodeIndex(encodeIndex(pieces))).toEqual(pieces);
      }),
    );
  });

  it('that is damaged or cut off gives a typed error, never another index', () => {
    fc.assert(
      fc.property(
        fc.array(piece, { minLength: 1, maxLength: 3 }),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (pieces, at, flip) => {
          const bytes = encodeIndex(pieces);
          const flipped = new Uint8Array(bytes);
          flipped[at % bytes.length] = (bytes[at % bytes.length] ?? 0) ^ flip;
          expect(refusal(flipped)).toBeInstanceOf(Mp4Error);
          expect(refusal(bytes.subarray(0, at % bytes.length))).toBeInstanceOf(Mp4Error);
        },
      ),
    );
  });
});

/** Tracks whose times increase from fragment to fragment, as an encoder's do. */
const tracks: fc.Arbitrary<readonly PlainTrack[]> = fc
  .array(
    fc.record({
      start: fc.integer({ min: -50_000, max: 500_000 }),
      fragments: fc.array(fc.array(sample, { minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 5 }),
    }),
    { minLength: 1, maxLength: 3 },
  )
  .map((all) =>
    all.map(({ start, fragments }, at): PlainTrack => {
      let dts = start;
      const timed = fragments.map((samples) => {
        const fragment = { dts, samples };
        dts += samples.reduce((sum, one) => sum + one.duration, 0);
        return fragment;
      });
      const kind = at === 0 ? 'video' : 'audio';
      return { id: at + 1, kind, timescale: at === 0 ? 90_000 : 48_000, fragments: timed };
    }),
  );

/** What a track's samples are, without how they are stored; positions count from `from`. */
function plain(samples: readonly TableSample[], from: number, firstDts: number) {
  return samples.map(({ dts, pts, size, sync, at }) => ({
    dts: dts + firstDts,
    pts: pts + firstDts,
    size,
    sync,
    at: at - from,
  }));
}

/** When the presentation of a track ends that begins at `firstPts`: its start rounded down, its length up. */
function presentationMs(
  { samples, mediaDuration, timescale }: ReturnType<typeof readTables>[number],
  firstPts: number,
) {
  const ends = samples.map(({ dts, pts }, i) => pts + (samples[i + 1]?.dts ?? mediaDuration) - dts);
  const length = Math.max(...ends) - (samples[0]?.pts ?? 0);
  return Math.floor((firstPts * 1000) / timescale) + Math.ceil((length * 1000) / timescale);
}

/** The samples of fragments, by track, and pieces of them, one a fragment. */
function fromFragments(bytes: Uint8Array) {
  const { tracks: read, runs } = readFragments(bytes);
  return read.map((track, at) => {
    const own = runs.filter((run) => run.trackId === track.id);
    const samples = own.flatMap((run) => {
      let { dts, offset } = run;
      return run.sizes.map((size, i) => {
        const one = { dts, pts: dts + (run.offsets[i] ?? 0), size, sync: run.sync[i] ?? false, at: offset };
        dts += run.durations[i] ?? 0;
        offset += size;
        return one;
      });
    });
    const pieces = own.map((run) =>
      pieceOf(
        run.sizes.map((size, i) => ({
          size,
          duration: run.durations[i] ?? 0,
          offset: run.offsets[i] ?? 0,
          sync: run.sync[i] ?? false,
        })),
        { kind: track.kind, ordinal: at === 2 ? 1 : 0, position: at, dts: run.dts, start: run.offset, perChunk: 1000 },
      ),
    );
    return { track, samples, pieces };
  });
}

describe('fragments, their index, and the moov made of it', () => {
  it('have the same samples', () => {
    fc.assert(
      fc.property(tracks, (made) => {
        const bytes = fragmentedFile(made);
        const read = fromFragments(bytes);
        // A picture track begins with its first key frame.
        const expected = read
          .map(({ track, samples }) => {
            const first = track.kind === 'video' ? samples.findIndex((one) => one.sync) : 0;
            return first < 0 ? [] : samples.slice(first);
          })
          .filter((samples) => samples.length > 0);
        fc.pre(expected.length > 0);
        const index = encodeIndex(read.flatMap(({ pieces }) => pieces));
        const head = buildHead({ parts: [{ index, bytes: bytes.length }] });
        const written = readTables(head.bytes);
        expect(written.map((track, i) => plain(track.samples, head.bytes.length, expected[i]?.[0]?.dts ?? 0))).toEqual(
          expected,
        );
        expect(head.tracks.map((track) => track.samples)).toEqual(expected.map((samples) => samples.length));
        expect(written.map((track) => track.trackDuration)).toEqual(
          written.map((track, i) => presentationMs(track, expected[i]?.[0]?.pts ?? 0)),
        );
      }),
    );
  });

  it('have the same samples however the fragments are dealt out to parts', () => {
    fc.assert(
      fc.property(tracks, fc.array(fc.nat(3), { minLength: 20, maxLength: 20 }), (made, deal) => {
        const bytes = fragmentedFile(made);
        const pieces = fromFragments(bytes)
          .flatMap((one) => one.pieces)
          .toSorted((a, b) => (a.chunkOffsets[0] ?? 0) - (b.chunkOffsets[0] ?? 0));
        fc.pre(pieces.some((one) => one.kind === 'audio' || one.sync.includes(1)));
        const whole = buildHead({ parts: [{ index: encodeIndex(pieces), bytes: bytes.length }] });
        // Each part takes some of the pieces that follow, and the bytes up to the next part's first.
        const groups: Piece[][] = [];
        for (let at = 0, part = 0; at < pieces.length; part++) {
          const count = 1 + (deal[part % deal.length] ?? 0);
          groups.push(pieces.slice(at, at + count));
          at += count;
        }
        const starts = groups.map((group, part) => (part === 0 ? 0 : (group[0]?.chunkOffsets[0] ?? 0)));
        const parts = groups.map((group, part) => {
          const start = starts[part] ?? 0;
          const moved = group.map((one) => ({
            ...one,
            chunkOffsets: one.chunkOffsets.map((offset) => offset - start),
          }));
          return { index: encodeIndex(moved), bytes: (starts[part + 1] ?? bytes.length) - start };
        });
        expect(buildHead({ parts })).toEqual(whole);
      }),
    );
  });
});

describe('damaged bytes', () => {
  const file = fragmentedFile([
    {
      id: 1,
      kind: 'video',
      timescale: 90_000,
      fragments: [0, 1, 2].map((at) => ({
        dts: at * 6000,
        samples: [
          { duration: 3000, size: 40 },
          { duration: 3000, size: 20, sync: false },
        ],
      })),
    },
    { id: 2, kind: 'audio', timescale: 48_000, fragments: [{ dts: 0, samples: [{ duration: 1024, size: 9 }] }] },
  ]);
  const head = buildHead({
    parts: [{ index: encodeIndex([pieceOf([{ duration: 3000, size: 40 }])]), bytes: 40 }],
  }).bytes;

  it.each([
    ['a fragmented file', readFragments, file],
    ['the head of a movie', summariseMovie, head],
  ] as const)('of %s are read or refused with a typed error, in bounded time and memory', (_title, read, bytes) => {
    const damage = fc.record({
      keep: fc.integer({ min: 0, max: bytes.length }),
      flips: fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { maxLength: 6 }),
    });
    const before = process.memoryUsage().arrayBuffers;
    fc.assert(
      fc.property(damage, ({ keep, flips }) => {
        const damaged = new Uint8Array(bytes.subarray(0, keep));
        for (const [at, value] of flips) if (at < keep) damaged[at] = value;
        try {
          read(damaged);
        } catch (error) {
          expect(error).toBeInstanceOf(Mp4Error);
        }
      }),
      { numRuns: 3000, interruptAfterTimeLimit: 20_000, markInterruptAsFailure: true },
    );
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(256 * 2 ** 20);
  });

  it('at every single place and for every single length are no surprise either', () => {
    for (let at = 0; at < file.length; at++) {
      for (const value of [0, 1, 0x7f, 0x80, 0xff]) {
        const damaged = new Uint8Array(file);
        damaged[at] = value;
        expectReadOrRefused(damaged);
      }
      expectReadOrRefused(file.subarray(0, at));
    }
  });

  function expectReadOrRefused(bytes: Uint8Array): void {
    try {
      readFragments(bytes);
    } catch (error) {
      if (!(error instanceof Mp4Error)) throw error;
    }
  }
});
