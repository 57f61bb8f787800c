/**
 * The sample index of a part: which samples of which tracks lie in it, and where. Owns its types and writing its bytes,
 * which are stored beside the part (docs/MP4-ENGINE.md, "The sample index"); index-reader.ts reads them back.
 */
import { crc32 } from 'node:zlib';
import { copyOf } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';
import type { TrackKind } from './sample-entry.ts';

export const MAGIC = 0x5253_4958; // "RSIX"
export const VERSION = 1;

/** Which track of the recording, and what its decoder needs. */
export interface PieceTrack {
  readonly kind: TrackKind;
  /** Which of its kind, from 0, in the order of the stream's program map. */
  readonly ordinal: number;
  /** Its place among all tracks of that map. */
  readonly position: number;
  readonly timescale: number;
  readonly language: string;
  readonly width: number;
  readonly height: number;
  /** Sample entry box, normalised (sample-entry.ts). */
  readonly entry: Uint8Array;
}

/** Consecutive samples of one track in one part, all of one run. Arrays are as long as there are samples. */
export interface Piece extends PieceTrack {
  /** Number of the run in its recording, from 0. */
  readonly run: number;
  /** Decoding time of the first sample on the recording's clock, in units of the timescale; may be negative. */
  readonly dts: number;
  /** Decoding time of the next sample minus this one's; the last one's is what it would be if nothing followed. */
  readonly durations: Uint32Array;
  readonly offsets: Int32Array;
  readonly sizes: Uint32Array;
  /** 1 where decoding can begin. */
  readonly sync: Uint8Array;
  /** Positions of the chunks in the part, and how many samples each holds. */
  readonly chunkOffsets: Float64Array;
  readonly chunkSamples: Uint32Array;
}

/** The bytes to store. About 4 to 7 a sample. */
export function encodeIndex(pieces: readonly Piece[]): Uint8Array {
  const out = new ByteWriter(1024);
  out.u32(MAGIC).u8(VERSION).uvarint(pieces.length);
  for (const piece of pieces) {
    const body = encodePiece(piece);
    out.uvarint(body.length).put(body);
  }
  out.u32(crc32(out.bytes));
  return copyOf(out.bytes);
}

function encodePiece(piece: Piece): Uint8Array {
  const out = new ByteWriter(64 + piece.sizes.length * 6);
  out
    .uvarint(piece.run)
    .u8(piece.kind === 'video' ? 1 : 2)
    .uvarint(piece.ordinal)
    .uvarint(piece.position);
  out.uvarint(piece.timescale);
  out.ascii(piece.language).uvarint(piece.width).uvarint(piece.height);
  out.uvarint(piece.entry.length).put(piece.entry);
  out.svarint(piece.dts).uvarint(piece.sizes.length);
  for (const bytes of [
    runLengths(piece.durations, (writer, value) => writer.uvarint(value)),
    runLengths(piece.offsets, (writer, value) => writer.svarint(value)),
    runLengths(piece.sync, (writer, value) => writer.u8(value)),
    plain(piece.sizes),
    chunks(piece),
  ]) {
    out.uvarint(bytes.length).put(bytes);
  }
  return out.bytes;
}

/** Pairs of how often and what: constant frame rates and all-key tracks take a few bytes. */
function runLengths(values: ArrayLike<number>, write: (writer: ByteWriter, value: number) => void): Uint8Array {
  const out = new ByteWriter(64);
  for (let i = 0; i < values.length; ) {
    const value = values[i] ?? 0;
    let next = i + 1;
    while (next < values.length && values[next] === value) next++;
    write(out.uvarint(next - i), value);
    i = next;
  }
  return out.bytes;
}

function plain(values: Uint32Array): Uint8Array {
  const out = new ByteWriter(values.length * 3 + 16);
  for (const value of values) out.uvarint(value);
  return out.bytes;
}

/** Pairs of the gap behind the chunk before (signed) and how many samples. */
function chunks(piece: Piece): Uint8Array {
  const out = new ByteWriter(64);
  let behind = 0;
  let sample = 0;
  for (const [at, offset] of piece.chunkOffsets.entries()) {
    const samples = piece.chunkSamples[at] ?? 0;
    out.svarint(offset - behind).uvarint(samples);
    behind = offset;
    for (const last = sample + samples; sample < last; sample++) behind += piece.sizes[sample] ?? 0;
  }
  return out.bytes;
}
