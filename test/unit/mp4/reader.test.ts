import { Corrupt, Truncated, Unsupported } from '../../../lib/mp4/errors.ts';
import { summariseMovie } from '../../../lib/mp4/movie-summary.ts';
import { readFragments } from '../../../lib/mp4/reader.ts';
import { codecOf, normaliseEntry } from '../../../lib/mp4/sample-entry.ts';
import { box, fragmentedFile, full, plainEntry, u32 } from '../../support/media/pieces.ts';

const file = fragmentedFile([
  {
    id: 1,
    kind: 'video',
    timescale: 90_000,
    fragments: [
      {
        dts: -6000,
        samples: [
          { duration: 3000, size: 10, offset: 6000 },
          { duration: 3000, size: 20, offset: -3000, sync: false },
        ],
      },
      { dts: 0, samples: [{ duration: 3000, size: 30 }] },
    ],
  },
  {
    id: 2,
    kind: 'audio',
    timescale: 48_000,
    fragments: [{ dts: 5, samples: [{ duration: 1024, size: 7 }] }],
  },
]);

describe('readFragments', () => {
  it('reads tracks, and of each sample where it lies, when it is decoded and shown, and whether one can seek to it', () => {
    const { tracks, runs } = readFragments(file);
    expect(tracks.map(({ id, kind, timescale, language }) => [id, kind, timescale, language])).toEqual([
      [1, 'video', 90_000, 'und'],
      [2, 'audio', 48_000, 'und'],
    ]);
    expect(runs.map(({ trackId, dts, sizes }) => [trackId, dts, sizes])).toEqual([
      [1, -6000, [10, 20]],
      [2, 5, [7]],
      [1, 0, [30]],
    ]);
    expect(runs[0]).toMatchObject({ durations: [3000, 3000], offsets: [6000, -3000], sync: [true, false] });
    // The data of a fragment is a letter for each track.
    expect(runs.map((run) => file[run.offset])).toEqual([0x41, 0x42, 0x41]);
  });

  it('subtracts the edit list, which ffmpeg adds to the times of fragments', () => {
    const elst = full(
      'elst',
      0,
      0,
      u32(2),
      u32(500),
      u32(0xffff_ffff),
      u32(0x1_0000),
      u32(0),
      u32(3000),
      u32(0x1_0000),
    );
    const trak = file.indexOf('trak') - 4;
    const edts = box('edts', elst);
    const edited = Buffer.concat([
      file.subarray(0, trak + file.readUInt32BE(trak)),
      edts,
      file.subarray(trak + file.readUInt32BE(trak)),
    ]);
    for (const parent of [trak, file.indexOf('moov') - 4])
      edited.writeUInt32BE(file.readUInt32BE(parent) + edts.length, parent);
    // Half a second later, less the media time.
    expect(readFragments(edited).runs[0]?.dts).toBe(-6000 + 45_000 - 3000);
  });

  it.each([
    ['no moov', file.subarray(0, 16), Corrupt],
    ['two moovs', Buffer.concat([file.subarray(0, file.indexOf('moof') - 4), file.subarray(16)]), Corrupt],
    ['a box that ends behind the file', file.subarray(0, file.length - 1), Truncated],
    ['samples that lie behind the file', file.subarray(0, file.lastIndexOf('mdat') - 4), Truncated],
    ['a box smaller than its header', Buffer.concat([file, u32(4), Buffer.from('free')]), Corrupt],
    [
      'a box of 64-bit size beyond all numbers',
      Buffer.concat([file, u32(1), Buffer.from('free'), Buffer.alloc(8, 0xff)]),
      Corrupt,
    ],
  ])('tells what is wrong with %s', (_title, bytes, error) => {
    expect(() => readFragments(bytes)).toThrow(error);
  });

  it('does not believe in more samples than there are bytes', () => {
    const damaged = Buffer.from(file);
    const trun = damaged.indexOf('trun');
    damaged.writeUInt32BE(0xffff_ffff, trun + 8);
    expect(() => readFragments(damaged)).toThrow(Truncated);
    // All by default: no bytes a sample in the trun, and a default size of 0.
    damaged.writeUInt32BE(1, trun + 4);
    expect(() => readFragments(damaged)).toThrow(Truncated);
  });

  it('says what it does not carry', () => {
    const text = Buffer.from(file);
    text.write('text', text.indexOf('soun'));
    expect(() => readFragments(text)).toThrow(Unsupported);
    const based = Buffer.from(file);
    based.writeUInt32BE(0, based.indexOf('tfhd') + 4);
    expect(() => readFragments(based)).toThrow(Unsupported);
  });

  it('refuses a fragment of a track that the moov does not have', () => {
    const other = Buffer.from(file);
    other.writeUInt32BE(9, other.indexOf('tfhd') + 8);
    expect(() => readFragments(other)).toThrow(/track 9/);
  });
});

describe('normaliseEntry', () => {
  const esds = (rates: number) =>
    full(
      'esds',
      0,
      0,
      Buffer.from([3, 25, 0, 1, 0, 4, 17, 0x40, 0x15, ...Array<number>(11).fill(rates), 5, 2, 0x11, 0x90, 6, 1, 2]),
    );
  const audio = (...children: readonly Buffer[]) => withChildren(plainEntry('mp4a', 'audio'), children);
  const video = (...children: readonly Buffer[]) => withChildren(plainEntry('avc1', 'video'), children);

  it('makes entries equal that differ in bit rates only', () => {
    const a = normaliseEntry(audio(esds(1), box('btrt', Buffer.alloc(12, 5))), 'audio');
    expect(a).toEqual(normaliseEntry(audio(esds(2)), 'audio'));
    expect(Buffer.from(a).readUInt32BE(0)).toBe(a.length);
    // What the decoder needs is still there.
    expect(Buffer.from(a).includes(Buffer.from([5, 2, 0x11, 0x90]))).toBe(true);
    expect(codecOf(a, 'audio')).toBe('mp4a.40');
  });

  it('makes entries equal that differ in zeros behind their parameter sets only', () => {
    const avcC = (pps: readonly number[]) =>
      box('avcC', Buffer.from([1, 77, 64, 13, 0xff, 0xe1, 0, 3, 0x67, 1, 2, 1, 0, pps.length, ...pps]));
    expect(normaliseEntry(video(avcC([0x68, 9, 0])), 'video')).toEqual(normaliseEntry(video(avcC([0x68, 9])), 'video'));
    expect(normaliseEntry(video(avcC([0x68, 8])), 'video')).not.toEqual(
      normaliseEntry(video(avcC([0x68, 9])), 'video'),
    );
    const hvcC = (sps: readonly number[]) =>
      box('hvcC', Buffer.concat([Buffer.alloc(22), Buffer.from([1, 0xa1, 0, 1, 0, sps.length, ...sps])]));
    expect(normaliseEntry(video(hvcC([0x42, 9, 0, 0])), 'video')).toEqual(
      normaliseEntry(video(hvcC([0x42, 9])), 'video'),
    );
  });

  it('does not change the bytes it was given', () => {
    const entry = audio(esds(1));
    const before = Buffer.from(entry);
    normaliseEntry(entry, 'audio');
    expect(entry).toEqual(before);
  });

  it('throws on an entry that ends too early', () => {
    expect(() => normaliseEntry(plainEntry('avc1', 'video').subarray(0, 40), 'video')).toThrow(Corrupt);
    expect(() =>
      normaliseEntry(video(box('avcC', Buffer.from([1, 77, 64, 13, 0xff, 0xe1, 0, 30, 1]))), 'video'),
    ).toThrow(Truncated);
  });

  function withChildren(entry: Uint8Array, children: readonly Buffer[]): Buffer {
    const bytes = Buffer.concat([entry, ...children]);
    bytes.writeUInt32BE(bytes.length);
    return bytes;
  }
});

describe('summariseMovie', () => {
  it('says whether bytes end before the moov does, and whether the media comes first', () => {
    expect(() => summariseMovie(file.subarray(0, 40))).toThrow(Truncated);
    expect(() => summariseMovie(file.subarray(0, 16))).toThrow(Truncated);
    expect(() => summariseMovie(Buffer.concat([box('mdat'), file]))).toThrow(/not faststart/);
  });
});
