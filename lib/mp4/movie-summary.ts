/**
 * Reads a finished movie's `moov` far enough to verify it: tracks, samples, durations, and that the file is faststart.
 * Owns no sample tables; they are only counted and summed.
 */
import { type Box, boxesIn, childrenOf, fullBox, requireChild } from './box-reader.ts';
import { ByteReader } from './byte-reader.ts';
import { Corrupt, Truncated } from './errors.ts';
import type { TrackSummary } from './head.ts';
import { codecOf, type TrackKind } from './sample-entry.ts';

export interface MovieSummary {
  readonly durationMs: number;
  readonly tracks: readonly TrackSummary[];
  /** Position behind `moov` in the file: what comes later is media. */
  readonly headBytes: number;
}

/**
 * `bytes` are the beginning of a file, up to the end of its `moov` at least. Truncated when they do not reach that far;
 * Corrupt when the media comes first.
 */
export function summariseMovie(bytes: Uint8Array): MovieSummary {
  for (let at = 0; at < bytes.length; ) {
    const header = new ByteReader(bytes, at);
    const short = header.u32();
    const type = header.fourcc();
    const size = short === 1 ? header.u64() : short;
    if (size < 8) throw new Corrupt(`box of ${size} bytes at ${at}`);
    if (type === 'mdat') throw new Corrupt('media before moov: not faststart');
    if (size > bytes.length - at) throw new Truncated(`moov ends at ${at + size}, ${bytes.length} bytes are there`);
    if (type === 'moov') return readMoov(bytes, [...boxesIn(bytes, at, at + size)][0]);
    at += size;
  }
  throw new Truncated('no moov in these bytes');
}

function readMoov(bytes: Uint8Array, moov: Box | undefined): MovieSummary {
  if (moov === undefined) throw new Corrupt('no moov');
  const { timescale, duration } = readTimes(bytes, requireChild(bytes, moov, 'mvhd'));
  const tracks: TrackSummary[] = [];
  for (const box of childrenOf(bytes, moov)) if (box.type === 'trak') tracks.push(readTrak(bytes, box));
  return { durationMs: Math.round((duration * 1000) / timescale), tracks, headBytes: moov.end };
}

function readTrak(bytes: Uint8Array, trak: Box): TrackSummary {
  const mdia = requireChild(bytes, trak, 'mdia');
  const { timescale } = readTimes(bytes, requireChild(bytes, mdia, 'mdhd'));
  const handler = new ByteReader(bytes, requireChild(bytes, mdia, 'hdlr').body + 8).fourcc();
  const kind: TrackKind = handler === 'vide' ? 'video' : 'audio';
  const stbl = requireChild(bytes, mdia, 'minf', 'stbl');
  const stsd = requireChild(bytes, stbl, 'stsd');
  const [entry] = boxesIn(bytes, stsd.body + 8, stsd.end);
  if (entry === undefined) throw new Corrupt('an empty stsd');
  const { samples, bytes: total } = readSizes(bytes, requireChild(bytes, stbl, 'stsz'));
  const duration = readDuration(bytes, requireChild(bytes, stbl, 'stts'));
  const codec = codecOf(bytes.subarray(entry.start, entry.end), kind);
  return { kind, codec, samples, durationMs: Math.round((duration * 1000) / timescale), bytes: total };
}

/** MovieHeaderBox and MediaHeaderBox, ISO/IEC 14496-12 sections 8.2.2 and 8.4.2. */
function readTimes(bytes: Uint8Array, box: Box): { timescale: number; duration: number } {
  const { reader, version } = fullBox(bytes, box);
  reader.skip(version === 1 ? 16 : 8);
  const timescale = reader.u32();
  if (timescale === 0) throw new Corrupt(`${box.type} with a timescale of 0`);
  return { timescale, duration: version === 1 ? reader.u64() : reader.u32() };
}

/** Section 8.7.3.2. */
function readSizes(bytes: Uint8Array, box: Box): { samples: number; bytes: number } {
  const { reader } = fullBox(bytes, box);
  const fixed = reader.u32();
  const samples = reader.u32();
  if (fixed !== 0) return { samples, bytes: samples * fixed };
  if (samples * 4 > reader.left) throw new Truncated(`${samples} sizes in ${reader.left} bytes`);
  let total = 0;
  for (let i = 0; i < samples; i++) total += reader.u32();
  return { samples, bytes: total };
}

/** Section 8.6.1.2. */
function readDuration(bytes: Uint8Array, box: Box): number {
  const { reader } = fullBox(bytes, box);
  const rows = reader.u32();
  if (rows * 8 > reader.left) throw new Truncated(`${rows} durations in ${reader.left} bytes`);
  let total = 0;
  for (let i = 0; i < rows; i++) total += reader.u32() * reader.u32();
  return total;
}
