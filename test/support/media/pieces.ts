/**
 * Sample index pieces and fragmented files made of numbers, for tests of lib/mp4 that need no ffmpeg. Owns a writer of
 * fragments of its own (moof, traf, tfhd, tfdt, trun), so that the product's reader is checked against something else.
 */
import type { Piece } from '../../../lib/mp4/sample-index.ts';

/** A sample entry with the fields of its kind and nothing behind them. */
export function plainEntry(fourcc: string, kind: 'video' | 'audio', mark = 0): Uint8Array {
  const bytes = new Uint8Array(kind === 'video' ? 86 : 36);
  new DataView(bytes.buffer).setUint32(0, bytes.length);
  bytes.set(Buffer.from(fourcc, 'latin1'), 4);
  bytes[15] = 1;
  // In pre_defined or reserved fields: makes two entries differ.
  bytes[16] = mark;
  return bytes;
}

export interface PlainSample {
  readonly duration: number;
  readonly size: number;
  readonly offset?: number;
  readonly sync?: boolean;
}

/** A piece of these samples in chunks of `perChunk`, one behind the other from `start`. */
export function pieceOf(
  samples: readonly PlainSample[],
  more: Partial<Piece> & { start?: number; perChunk?: number } = {},
): Piece {
  const { start = 0, perChunk = 3, ...fields } = more;
  const kind = fields.kind ?? 'video';
  const chunkOffsets: number[] = [];
  const chunkSamples: number[] = [];
  let at = start;
  for (const [i, sample] of samples.entries()) {
    if (i % perChunk === 0) {
      chunkOffsets.push(at);
      chunkSamples.push(0);
    }
    chunkSamples[chunkSamples.length - 1] = (chunkSamples.at(-1) ?? 0) + 1;
    at += sample.size;
  }
  return {
    run: 0,
    kind,
    ordinal: 0,
    position: kind === 'video' ? 0 : 1,
    timescale: kind === 'video' ? 90_000 : 48_000,
    language: 'und',
    width: kind === 'video' ? 320 : 0,
    height: kind === 'video' ? 180 : 0,
    entry: plainEntry(kind === 'video' ? 'avc1' : 'mp4a', kind),
    dts: 0,
    durations: Uint32Array.from(samples, (sample) => sample.duration),
    offsets: Int32Array.from(samples, (sample) => sample.offset ?? 0),
    sizes: Uint32Array.from(samples, (sample) => sample.size),
    sync: Uint8Array.from(samples, (sample) => (sample.sync === false ? 0 : 1)),
    chunkOffsets: Float64Array.from(chunkOffsets),
    chunkSamples: Uint32Array.from(chunkSamples),
    ...fields,
  };
}

export interface PlainTrack {
  readonly id: number;
  readonly kind: 'video' | 'audio';
  readonly timescale: number;
  /** One fragment each; the track's data of a fragment lies in it in order of the tracks. */
  readonly fragments: readonly { readonly dts: number; readonly samples: readonly PlainSample[] }[];
}

/** A fragmented file: ftyp, moov, and a moof with mdat for each number of a fragment. Data are counted bytes. */
export function fragmentedFile(tracks: readonly PlainTrack[]): Buffer {
  const count = Math.max(0, ...tracks.map((track) => track.fragments.length));
  const parts = [box('ftyp', Buffer.from('isom\0\0\0\0')), moov(tracks)];
  for (let i = 0; i < count; i++) parts.push(fragment(tracks, i));
  return Buffer.concat(parts);
}

function fragment(tracks: readonly PlainTrack[], number: number): Buffer {
  const present = tracks.filter((track) => (track.fragments[number]?.samples.length ?? 0) > 0);
  const data = present.map((track) => {
    const bytes = track.fragments[number]?.samples.reduce((sum, sample) => sum + sample.size, 0) ?? 0;
    return Buffer.alloc(bytes, 0x40 + track.id);
  });
  const write = (moofBytes: number) => {
    let at = moofBytes + 8;
    const trafs = present.map((track, i) => {
      const written = traf(track, number, at);
      at += data[i]?.length ?? 0;
      return written;
    });
    return box('moof', full('mfhd', 0, 0, u32(number + 1)), ...trafs);
  };
  return Buffer.concat([write(write(0).length), box('mdat', ...data)]);
}

function traf(track: PlainTrack, number: number, dataOffset: number): Buffer {
  const { dts, samples } = track.fragments[number] ?? { dts: 0, samples: [] };
  const tfdt = Buffer.alloc(8);
  tfdt.writeBigInt64BE(BigInt(dts));
  const rows = samples.map((sample) =>
    Buffer.concat([
      u32(sample.duration),
      u32(sample.size),
      u32(sample.sync === false ? 0x0101_0000 : 0x0200_0000),
      i32(sample.offset ?? 0),
    ]),
  );
  return box(
    'traf',
    full('tfhd', 0, 0x2_0000, u32(track.id)),
    full('tfdt', 1, 0, tfdt),
    full('trun', 1, 0xf01, u32(samples.length), i32(dataOffset), ...rows),
  );
}

function moov(tracks: readonly PlainTrack[]): Buffer {
  const traks = tracks.map((track) => {
    const tkhd = full('tkhd', 0, 3, Buffer.alloc(8), u32(track.id), Buffer.alloc(60), u32(320 << 16), u32(180 << 16));
    const mdhd = full('mdhd', 0, 0, Buffer.alloc(8), u32(track.timescale), u32(0), Buffer.from([0x55, 0xc4, 0, 0]));
    const hdlr = full('hdlr', 0, 0, u32(0), Buffer.from(track.kind === 'video' ? 'vide' : 'soun'), Buffer.alloc(13));
    const entry = plainEntry(track.kind === 'video' ? 'avc1' : 'mp4a', track.kind);
    const stbl = box('stbl', full('stsd', 0, 0, u32(1), Buffer.from(entry)));
    return box('trak', tkhd, box('mdia', mdhd, hdlr, box('minf', stbl)));
  });
  const trex = tracks.map((track) => full('trex', 0, 0, u32(track.id), u32(1), u32(0), u32(0), u32(0)));
  return box('moov', full('mvhd', 0, 0, Buffer.alloc(8), u32(1000), Buffer.alloc(84)), ...traks, box('mvex', ...trex));
}

export function box(type: string, ...content: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(content);
  return Buffer.concat([u32(body.length + 8), Buffer.from(type, 'latin1'), body]);
}

export function full(type: string, version: number, flags: number, ...content: readonly Uint8Array[]): Buffer {
  return box(type, u32(version * 0x100_0000 + flags), ...content);
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function i32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}
