/**
 * The sample index of a part: which samples of which tracks lie in it, and where. Owns its types and its bytes, which are
 * stored beside the part (docs/MP4-ENGINE.md, "The sample index"); reading it back needs nothing of the media.
 */
import { crc32 } from 'node:zlib';
import { ByteReader, copyOf } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';
import { Corrupt, Unsupported } from './errors.ts';
import type { TrackKind } from './sample-entry.ts';

const MAGIC = 0x5253_4958; // "RSIX"
const VERSION = 1;

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

/** Throws Corrupt or Truncated for damaged bytes, Unsupported for a version of the future. */
export function decodeIndex(bytes: Uint8Array): Piece[] {
  const end = bytes.length - 4;
  const reader = new ByteReader(bytes, 0, Math.max(0, end));
  if (reader.u32() !== MAGIC) throw new Corrupt('not a sample index');
  const version = reader.u8();
  if (version !== VERSION) throw new Unsupported(`a sample index of version ${version}`);
  if (new ByteReader(bytes, end).u32() !== crc32(bytes.subarray(0, end)))
    throw new Corrupt('sample index: wrong checksum');
  const count = reader.uvarint();
  if (count > reader.left) throw new Corrupt(`sample index: ${count} pieces in ${reader.left} bytes`);
  const pieces = Array.from({ length: count }, () => decodePiece(column(reader)));
  if (reader.left !== 0) throw new Corrupt(`sample index: ${reader.left} bytes too many`);
  return pieces;
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

function decodePiece(reader: ByteReader): Piece {
  const run = reader.uvarint();
  const kind = kindOf(reader.u8());
  const ordinal = reader.uvarint();
  const position = reader.uvarint();
  const timescale = reader.uvarint();
  if (timescale === 0 || timescale > 0xffff_ffff) throw new Corrupt(`sample index: a timescale of ${timescale}`);
  const language = String.fromCharCode(...reader.slice(3));
  const width = reader.uvarint();
  const height = reader.uvarint();
  const entry = copyOf(reader.slice(reader.uvarint()));
  const dts = reader.svarint();
  const count = reader.uvarint();
  // Every sample has at least one byte in the column of sizes.
  if (count > reader.left) throw new Corrupt(`sample index: ${count} samples in ${reader.left} bytes`);
  const durations = new Uint32Array(count);
  const offsets = new Int32Array(count);
  const sync = new Uint8Array(count);
  expand(column(reader), durations, (bytes) => bytes.uvarint());
  expand(column(reader), offsets, (bytes) => bytes.svarint());
  expand(column(reader), sync, (bytes) => bytes.u8());
  const sizes = readSizes(column(reader), count);
  const { chunkOffsets, chunkSamples } = readChunks(column(reader), sizes);
  const track = { kind, ordinal, position, timescale, language, width, height, entry };
  return { ...track, run, dts, durations, offsets, sizes, sync, chunkOffsets, chunkSamples };
}

function kindOf(code: number): TrackKind {
  if (code === 1) return 'video';
  if (code === 2) return 'audio';
  throw new Corrupt(`sample index: a track of kind ${code}`);
}

/** A length, then a reader over as many bytes. */
function column(reader: ByteReader): ByteReader {
  const length = reader.uvarint();
  const start = reader.take(length);
  return new ByteReader(reader.bytes, start, start + length);
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

function expand(
  reader: ByteReader,
  into: Uint32Array | Int32Array | Uint8Array,
  read: (bytes: ByteReader) => number,
): void {
  let at = 0;
  while (reader.left > 0) {
    const count = reader.uvarint();
    const value = read(reader);
    if (count === 0 || count > into.length - at) throw new Corrupt(`sample index: a run of ${count} samples`);
    // With B-frames most runs are of one sample, for which a fill is dear.
    if (count === 1) into[at] = value;
    else into.fill(value, at, at + count);
    at += count;
  }
  if (at !== into.length) throw new Corrupt(`sample index: ${at} samples instead of ${into.length}`);
}

function plain(values: Uint32Array): Uint8Array {
  const out = new ByteWriter(values.length * 3 + 16);
  for (const value of values) out.uvarint(value);
  return out.bytes;
}

function readSizes(reader: ByteReader, count: number): Uint32Array {
  const sizes = new Uint32Array(count);
  for (let i = 0; i < count; i++) sizes[i] = reader.uvarint();
  if (reader.left !== 0) throw new Corrupt('sample index: more sizes than samples');
  return sizes;
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

function readChunks(reader: ByteReader, sizes: Uint32Array): { chunkOffsets: Float64Array; chunkSamples: Uint32Array } {
  const offsets: number[] = [];
  const counts: number[] = [];
  let behind = 0;
  let sample = 0;
  while (reader.left > 0) {
    const offset = behind + reader.svarint();
    const samples = reader.uvarint();
    if (offset < 0 || samples === 0 || samples > sizes.length - sample)
      throw new Corrupt(`sample index: a chunk of ${samples}`);
    offsets.push(offset);
    counts.push(samples);
    behind = offset;
    for (const last = sample + samples; sample < last; sample++) behind += sizes[sample] ?? 0;
  }
  if (sample !== sizes.length)
    throw new Corrupt(`sample index: chunks of ${sample} samples instead of ${sizes.length}`);
  return { chunkOffsets: Float64Array.from(offsets), chunkSamples: Uint32Array.from(counts) };
}
