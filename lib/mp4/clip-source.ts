/**
 * Reads the `moov` of a finished movie into tracks whose samples can be looked up: what parts of a recording are cut
 * from. Owns which tracks play together; the tables are clip-tables.ts. The reader of fragments is reader.ts.
 */
import { type Box, boxesIn, childrenOf, findChild, fullBox, requireChild } from './box-reader.ts';
import { ByteReader } from './byte-reader.ts';
import { SampleTables } from './clip-tables.ts';
import { Corrupt } from './errors.ts';
import { readShift, readTimescale, readTkhd } from './reader.ts';
import type { TrackKind } from './sample-entry.ts';

/** One track of a movie. Times are in units of its timescale. */
export interface SourceTrack {
  readonly id: number;
  readonly kind: TrackKind;
  readonly timescale: number;
  readonly language: string;
  readonly width: number;
  readonly height: number;
  /** Shown unless the viewer chooses another of its kind. */
  readonly enabled: boolean;
  /** The sample entry boxes, as they stand in the file. */
  readonly entries: readonly Uint8Array[];
  /** What the edit list adds to decoding time plus offset to give the time of presentation. */
  readonly shift: number;
  readonly samples: SampleTables;
}

export interface SourceMovie {
  readonly tracks: readonly SourceTrack[];
  /** The end of the last track's presentation, seconds. */
  readonly durationSeconds: number;
}

/**
 * Reads the `moov` box in these bytes (the box alone, or a file's beginning up to its end). They are kept: the tables
 * are read where they lie.
 * @throws {Corrupt} {Truncated} {Unsupported}
 */
export function readMovie(bytes: Uint8Array): SourceMovie {
  for (const box of topBoxes(bytes)) {
    if (box.type !== 'moov') continue;
    const { timescale } = readTimescale(bytes, requireChild(bytes, box, 'mvhd'));
    const tracks: SourceTrack[] = [];
    for (const child of childrenOf(bytes, box)) {
      const track = child.type === 'trak' ? readTrack(bytes, child, timescale) : null;
      if (track !== null && track.samples.count > 0) tracks.push(track);
    }
    return { tracks, durationSeconds: Math.max(0, ...tracks.map(endSeconds)) };
  }
  throw new Corrupt('no moov');
}

/** The boxes up to the moov; what follows it may be cut off. */
function* topBoxes(bytes: Uint8Array): Generator<Box> {
  for (let at = 0; at < bytes.length; ) {
    const header = new ByteReader(bytes, at);
    const short = header.u32();
    const type = header.fourcc();
    const size = short === 1 ? header.u64() : short === 0 ? bytes.length - at : short;
    if (type === 'moov') {
      yield* boxesIn(bytes, at, at + size);
      return;
    }
    if (size < 8) throw new Corrupt(`box of ${size} bytes at ${at}`);
    at += size;
  }
}

function readTrack(bytes: Uint8Array, trak: Box, movieTimescale: number): SourceTrack | null {
  const mdia = requireChild(bytes, trak, 'mdia');
  const kind = kindOf(bytes, requireChild(bytes, mdia, 'hdlr'));
  if (kind === null) return null;
  const tkhd = requireChild(bytes, trak, 'tkhd');
  const { id, width, height } = readTkhd(bytes, tkhd);
  const { timescale, language } = readTimescale(bytes, requireChild(bytes, mdia, 'mdhd'));
  const stbl = requireChild(bytes, mdia, 'minf', 'stbl');
  const edts = findChild(bytes, trak, 'edts');
  const elst = edts === undefined ? undefined : findChild(bytes, edts, 'elst');
  return {
    id,
    kind,
    timescale,
    language,
    width,
    height,
    enabled: (fullBox(bytes, tkhd).flags & 1) === 1,
    entries: readEntries(bytes, requireChild(bytes, stbl, 'stsd')),
    shift: elst === undefined ? 0 : readShift(bytes, elst, movieTimescale, timescale),
    samples: new SampleTables(bytes, stbl),
  };
}

/** HandlerBox, ISO/IEC 14496-12 section 8.4.3; tracks that are neither picture nor sound are passed over. */
function kindOf(bytes: Uint8Array, hdlr: Box): TrackKind | null {
  const { reader } = fullBox(bytes, hdlr);
  reader.skip(4);
  const handler = reader.fourcc();
  return handler === 'vide' ? 'video' : handler === 'soun' ? 'audio' : null;
}

function readEntries(bytes: Uint8Array, stsd: Box): Uint8Array[] {
  const { reader } = fullBox(bytes, stsd);
  const count = reader.u32();
  const entries = [...boxesIn(bytes, reader.position, stsd.end)].map((box) => bytes.slice(box.start, box.end));
  if (entries.length !== count) throw new Corrupt(`stsd: ${entries.length} entries instead of ${count}`);
  return entries;
}

function endSeconds({ samples, shift, timescale }: SourceTrack): number {
  // The last pictures may be shown in another order than they are decoded in.
  let end = 0;
  for (const sample of samples.walk(Math.max(0, samples.count - 32), samples.count)) {
    end = Math.max(end, sample.dts + sample.offset + sample.duration);
  }
  return (end + shift) / timescale;
}

/**
 * The tracks that play when nobody chooses: all enabled ones of a kind (where a codec changed, tracks follow each
 * other), or the first of the kind where none is.
 */
export function playingTracks(movie: SourceMovie, kind: TrackKind): SourceTrack[] {
  const all = movie.tracks.filter((track) => track.kind === kind);
  const enabled = all.filter((track) => track.enabled);
  return enabled.length > 0 ? enabled : all.slice(0, 1);
}

/** The presentation time of a sample, in units of the track's timescale. */
export function presentation(track: SourceTrack, sample: number): number {
  return track.samples.dts(sample) + track.samples.offset(sample) + track.shift;
}
