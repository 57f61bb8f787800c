/**
 * Reads a fragmented MP4 (ISO/IEC 14496-12 sections 8.3 to 8.8) into tracks and samples: moov, trex, moof, traf, tfhd,
 * tfdt, trun, elst. Owns nothing of where samples go afterwards; sample-index.ts does.
 */
import { type Box, boxesIn, childrenOf, findChild, fullBox, requireChild } from './box-reader.ts';
import { ByteReader, copyOf } from './byte-reader.ts';
import { Corrupt, Unsupported } from './errors.ts';
import { readMoof } from './fragment-reader.ts';
import type { TrackKind } from './sample-entry.ts';

export interface TrexDefaults {
  readonly duration: number;
  readonly size: number;
  readonly flags: number;
}

/** What `moov` says of a track before its first sample. */
export interface InitTrack {
  readonly id: number;
  readonly kind: TrackKind;
  /** Units a second of this track's times. */
  readonly timescale: number;
  /** ISO 639-2/T, three letters. */
  readonly language: string;
  /** Pixels, 0 for sound. */
  readonly width: number;
  readonly height: number;
  /** The first sample entry box, as it stands in the file. */
  readonly entry: Uint8Array;
  readonly defaults: TrexDefaults;
  /** What the edit list adds to a time of the media to give the time of presentation, in units of the timescale. */
  readonly shift: number;
}

/** Samples of one track in one fragment, one behind the other in the file. */
export interface FragmentRun {
  readonly trackId: number;
  /** Of the first sample; edit list applied. */
  readonly dts: number;
  /** Position of the first sample's first byte. */
  readonly offset: number;
  readonly durations: readonly number[];
  readonly sizes: readonly number[];
  /** Composition offsets: presentation time minus decoding time; may be negative. */
  readonly offsets: readonly number[];
  readonly sync: readonly boolean[];
}

export interface FragmentedFile {
  readonly tracks: readonly InitTrack[];
  readonly runs: readonly FragmentRun[];
}

/** Throws Truncated, Corrupt or Unsupported. Work and memory are bounded by the number of bytes. */
export function readFragments(bytes: Uint8Array): FragmentedFile {
  let tracks: InitTrack[] | undefined;
  const runs: FragmentRun[] = [];
  const nextDts = new Map<number, number>();
  for (const box of boxesIn(bytes)) {
    if (box.type === 'moov') {
      if (tracks !== undefined) throw new Corrupt('a second moov');
      tracks = readInit(bytes, box);
    }
    if (box.type === 'moof') {
      if (tracks === undefined) throw new Corrupt('a fragment before the moov');
      runs.push(...readMoof(bytes, box, tracks, nextDts));
    }
  }
  if (tracks === undefined) throw new Corrupt('no moov');
  return { tracks, runs };
}

function readInit(bytes: Uint8Array, moov: Box): InitTrack[] {
  const movieTimescale = readTimescale(bytes, requireChild(bytes, moov, 'mvhd')).timescale;
  const defaults = readTrex(bytes, requireChild(bytes, moov, 'mvex'));
  const tracks: InitTrack[] = [];
  for (const box of childrenOf(bytes, moov)) {
    if (box.type === 'trak') tracks.push(readTrak(bytes, box, movieTimescale, defaults));
  }
  if (new Set(tracks.map((track) => track.id)).size !== tracks.length) throw new Corrupt('two tracks of one id');
  return tracks;
}

function readTrak(
  bytes: Uint8Array,
  trak: Box,
  movieTimescale: number,
  defaults: Map<number, TrexDefaults>,
): InitTrack {
  const { id, width, height } = readTkhd(bytes, requireChild(bytes, trak, 'tkhd'));
  const mdia = requireChild(bytes, trak, 'mdia');
  const { timescale, language } = readTimescale(bytes, requireChild(bytes, mdia, 'mdhd'));
  const kind = readKind(bytes, requireChild(bytes, mdia, 'hdlr'));
  const entry = readEntry(bytes, requireChild(bytes, mdia, 'minf', 'stbl', 'stsd'));
  const edts = findChild(bytes, trak, 'edts');
  const elst = edts === undefined ? undefined : findChild(bytes, edts, 'elst');
  const shift = elst === undefined ? 0 : readShift(bytes, elst, movieTimescale, timescale);
  const trex = defaults.get(id) ?? { duration: 0, size: 0, flags: 0 };
  return { id, kind, timescale, language, width, height, entry, defaults: trex, shift };
}

/** TrackHeaderBox, section 8.3.2: the id follows two times of 4 or 8 bytes; width and height are 16.16 at the end. */
export function readTkhd(bytes: Uint8Array, box: Box): { id: number; width: number; height: number } {
  const { reader, version } = fullBox(bytes, box);
  reader.skip(version === 1 ? 16 : 8);
  const id = reader.u32();
  reader.skip((version === 1 ? 12 : 8) + 52);
  return { id, width: reader.u32() >>> 16, height: reader.u32() >>> 16 };
}

/** MovieHeaderBox and MediaHeaderBox (8.2.2, 8.4.2) begin alike; the language is the latter's, 3 × 5 bits. */
export function readTimescale(bytes: Uint8Array, box: Box): { timescale: number; language: string } {
  const { reader, version } = fullBox(bytes, box);
  reader.skip(version === 1 ? 16 : 8);
  const timescale = reader.u32();
  if (timescale === 0) throw new Corrupt(`${box.type} with a timescale of 0`);
  reader.skip(version === 1 ? 8 : 4);
  const packed = reader.u16();
  const letter = (shift: number) => String.fromCharCode(((packed >> shift) & 31) + 0x60);
  const language = letter(10) + letter(5) + letter(0);
  return { timescale, language: /^[a-z]{3}$/.test(language) ? language : 'und' };
}

/** HandlerBox, section 8.4.3. */
function readKind(bytes: Uint8Array, box: Box): TrackKind {
  const { reader } = fullBox(bytes, box);
  reader.skip(4);
  const handler = reader.fourcc();
  if (handler === 'vide') return 'video';
  if (handler === 'soun') return 'audio';
  throw new Unsupported(`a track of handler ${JSON.stringify(handler)}`);
}

/** SampleDescriptionBox, section 8.5.2. ffmpeg writes one entry a track. */
function readEntry(bytes: Uint8Array, box: Box): Uint8Array {
  const { reader } = fullBox(bytes, box);
  if (reader.u32() !== 1) throw new Unsupported('a fragmented track of more than one sample entry');
  for (const entry of boxesIn(bytes, reader.position, box.end)) return copyOf(bytes, entry.start, entry.end);
  throw new Corrupt('an empty stsd');
}

/** EditListBox, section 8.6.6: empty edits delay, the first real edit's media_time begins the presentation. */
export function readShift(bytes: Uint8Array, box: Box, movieTimescale: number, timescale: number): number {
  const { reader, version } = fullBox(bytes, box);
  const count = reader.u32();
  if (count * (version === 1 ? 20 : 12) > reader.left) throw new Corrupt(`${count} edits in ${reader.left} bytes`);
  let empty = 0;
  for (let i = 0; i < count; i++) {
    const duration = version === 1 ? reader.u64() : reader.u32();
    const mediaTime = version === 1 ? reader.i64() : reader.i32();
    reader.skip(4);
    if (mediaTime >= 0) return Math.round((empty * timescale) / movieTimescale) - mediaTime;
    empty += duration;
  }
  return Math.round((empty * timescale) / movieTimescale);
}

/** TrackExtendsBox, section 8.8.3. */
function readTrex(bytes: Uint8Array, mvex: Box): Map<number, TrexDefaults> {
  const found = new Map<number, TrexDefaults>();
  for (const box of childrenOf(bytes, mvex)) {
    if (box.type !== 'trex') continue;
    const reader = new ByteReader(bytes, box.body + 4, box.end);
    const id = reader.u32();
    reader.skip(4);
    found.set(id, { duration: reader.u32(), size: reader.u32(), flags: reader.u32() });
  }
  return found;
}
