/**
 * Reads the sample index of a part (sample-index.ts writes it; docs/MP4-ENGINE.md, "The sample index"). A long recording
 * has millions of samples in its indexes, and its end waits for them: their columns stay run lengths, in memory that is
 * used again for each piece.
 */
import { crc32 } from 'node:zlib';
import { ByteReader, copyOf } from './byte-reader.ts';
import { Corrupt, Unsupported } from './errors.ts';
import type { TrackKind } from './sample-entry.ts';
import { MAGIC, type Piece, type PieceTrack, VERSION } from './sample-index.ts';

/** A column as how often and what. */
export interface Runs<Values> {
  readonly counts: Uint32Array;
  readonly values: Values;
}

/** A piece as it is stored. Its arrays are valid until the next piece is read into the same memory. */
export interface PieceRuns extends PieceTrack {
  readonly run: number;
  readonly dts: number;
  readonly durations: Runs<Uint32Array>;
  readonly offsets: Runs<Int32Array>;
  readonly sync: Runs<Uint8Array>;
  readonly sizes: Uint32Array;
  readonly chunkOffsets: Float64Array;
  readonly chunkSamples: Uint32Array;
  /** Bytes of all samples of each chunk. */
  readonly chunkBytes: Float64Array;
}

/** Memory for the columns of one piece. */
export class IndexMemory {
  #samples = 0;
  durations = runMemory(new Uint32Array());
  offsets = runMemory(new Int32Array());
  sync = runMemory(new Uint8Array());
  sizes = new Uint32Array();
  chunkOffsets = new Float64Array();
  chunkSamples = new Uint32Array();
  chunkBytes = new Float64Array();

  /** A run and a chunk have at least one sample. */
  reserve(samples: number): void {
    if (samples <= this.#samples) return;
    const room = Math.ceil(samples * 1.25);
    this.#samples = room;
    this.durations = runMemory(new Uint32Array(room));
    this.offsets = runMemory(new Int32Array(room));
    this.sync = runMemory(new Uint8Array(room));
    this.sizes = new Uint32Array(room);
    this.chunkOffsets = new Float64Array(room);
    this.chunkSamples = new Uint32Array(room);
    this.chunkBytes = new Float64Array(room);
  }
}

function runMemory<Values extends { readonly length: number }>(values: Values): Runs<Values> {
  return { counts: new Uint32Array(values.length), values };
}

/** Throws Corrupt or Truncated for damaged bytes, Unsupported for a version of the future. */
export function decodeIndex(bytes: Uint8Array): Piece[] {
  const pieces: Piece[] = [];
  readIndex(bytes, new IndexMemory(), (piece) => pieces.push(expandPiece(piece)));
  return pieces;
}

/** Calls `take` with one piece after the other. Throws as decodeIndex does, maybe after some of them. */
export function readIndex(bytes: Uint8Array, memory: IndexMemory, take: (piece: PieceRuns) => void): void {
  const end = bytes.length - 4;
  const reader = new ByteReader(bytes, 0, Math.max(0, end));
  if (reader.u32() !== MAGIC) throw new Corrupt('not a sample index');
  const version = reader.u8();
  if (version !== VERSION) throw new Unsupported(`a sample index of version ${version}`);
  if (new ByteReader(bytes, end).u32() !== crc32(bytes.subarray(0, end)))
    throw new Corrupt('sample index: wrong checksum');
  const count = reader.uvarint();
  if (count > reader.left) throw new Corrupt(`sample index: ${count} pieces in ${reader.left} bytes`);
  for (let i = 0; i < count; i++) take(readPiece(column(reader), memory));
  if (reader.left !== 0) throw new Corrupt(`sample index: ${reader.left} bytes too many`);
}

/** The columns with a value for each sample, in memory of their own. */
export function expandPiece({ chunkBytes: _, durations, offsets, sync, ...piece }: PieceRuns): Piece {
  const count = piece.sizes.length;
  return {
    ...piece,
    durations: expand(durations, new Uint32Array(count)),
    offsets: expand(offsets, new Int32Array(count)),
    sizes: piece.sizes.slice(),
    sync: expand(sync, new Uint8Array(count)),
    chunkOffsets: piece.chunkOffsets.slice(),
    chunkSamples: piece.chunkSamples.slice(),
  };
}

function expand<Values extends Uint32Array | Int32Array | Uint8Array>(runs: Runs<Values>, into: Values): Values {
  let at = 0;
  for (const [run, count] of runs.counts.entries()) {
    into.fill(runs.values[run] ?? 0, at, at + count);
    at += count;
  }
  return into;
}

function readPiece(reader: ByteReader, memory: IndexMemory): PieceRuns {
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
  memory.reserve(count);
  const durations = readRuns(column(reader), memory.durations, count, (bytes) => bytes.uvarint());
  const offsets = readRuns(column(reader), memory.offsets, count, (bytes) => bytes.svarint());
  const sync = readRuns(column(reader), memory.sync, count, (bytes) => bytes.u8());
  const sizes = column(reader);
  const chunks = readChunks(column(reader), sizes, count, memory);
  const track = { kind, ordinal, position, timescale, language, width, height, entry };
  return { ...track, run, dts, durations, offsets, sync, ...chunks };
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

function readRuns<Values extends Uint32Array | Int32Array | Uint8Array>(
  reader: ByteReader,
  { counts, values }: Runs<Values>,
  samples: number,
  read: (bytes: ByteReader) => number,
): Runs<Values> {
  let runs = 0;
  let left = samples;
  while (reader.left > 0) {
    const count = reader.uvarint();
    values[runs] = read(reader);
    if (count === 0 || count > left) throw new Corrupt(`sample index: a run of ${count} samples`);
    counts[runs] = count;
    left -= count;
    runs++;
  }
  if (left !== 0) throw new Corrupt(`sample index: ${samples - left} samples instead of ${samples}`);
  // The same kind of array: subarray's type forgets which.
  return { counts: counts.subarray(0, runs), values: values.subarray(0, runs) as Values };
}

/** Sizes are read chunk by chunk: where the next one lies counts from the end of the one before. */
function readChunks(reader: ByteReader, sizeReader: ByteReader, count: number, memory: IndexMemory) {
  const { sizes, chunkOffsets, chunkSamples, chunkBytes } = memory;
  let chunks = 0;
  let behind = 0;
  let sample = 0;
  for (; reader.left > 0; chunks++) {
    const offset = behind + reader.svarint();
    const samples = reader.uvarint();
    if (offset < 0 || samples === 0 || samples > count - sample)
      throw new Corrupt(`sample index: a chunk of ${samples}`);
    const bytes = readSizes(sizeReader, sizes, sample, sample + samples);
    chunkOffsets[chunks] = offset;
    chunkSamples[chunks] = samples;
    chunkBytes[chunks] = bytes;
    behind = offset + bytes;
    sample += samples;
  }
  if (sample !== count) throw new Corrupt(`sample index: chunks of ${sample} samples instead of ${count}`);
  if (sizeReader.left !== 0) throw new Corrupt('sample index: more sizes than samples');
  return {
    sizes: sizes.subarray(0, count),
    chunkOffsets: chunkOffsets.subarray(0, chunks),
    chunkSamples: chunkSamples.subarray(0, chunks),
    chunkBytes: chunkBytes.subarray(0, chunks),
  };
}

/** Sizes of the samples `from` to `to` (exclusive); answers their sum. */
function readSizes(reader: ByteReader, sizes: Uint32Array, from: number, to: number): number {
  const { bytes } = reader;
  // Three bytes at a time are looked at; whatever is longer, or may be cut off, is the reader's own to judge.
  const whole = reader.end - 3;
  let at = reader.position;
  let sum = 0;
  for (let i = from; i < to; i++) {
    let size = bytes[at] ?? 0;
    if (at > whole) {
      reader.position = at;
      size = reader.uvarint();
      at = reader.position;
    } else if (size < 0x80) at += 1;
    else {
      const second = bytes[at + 1] ?? 0;
      const third = bytes[at + 2] ?? 0;
      if (second < 0x80) {
        size = (size & 0x7f) | (second << 7);
        at += 2;
      } else if (third < 0x80) {
        size = (size & 0x7f) | ((second & 0x7f) << 7) | (third << 14);
        at += 3;
      } else {
        reader.position = at;
        size = reader.uvarint();
        at = reader.position;
      }
    }
    sizes[i] = size;
    sum += size;
  }
  reader.position = at;
  return sum;
}
