/**
 * The head of a recording: everything before its media, computed from the sample indexes of its parts alone. Owns the
 * order of tracks and what is reported of them for verification; the boxes are moov.ts.
 */
import { ftyp, mdatHeader } from './boxes.ts';
import { ByteWriter } from './byte-writer.ts';
import { Corrupt } from './errors.ts';
import { IndexMemory, type PieceRuns, readIndex } from './index-reader.ts';
import { MOVIE_TIMESCALE, movieDuration, writeMoov } from './moov.ts';
import { codecOf, type TrackKind } from './sample-entry.ts';
import { TrackTables } from './track-tables.ts';

export interface HeadPart {
  /** As encodeIndex wrote it. */
  readonly index: Uint8Array;
  /** Media bytes of the part; positions in its index lie below. */
  readonly bytes: number;
}

export interface TrackSummary {
  readonly kind: TrackKind;
  /** `avc1`, `mp4a.40` … */
  readonly codec: string;
  readonly samples: number;
  /** Sum of the sample durations. */
  readonly durationMs: number;
  /** Media bytes of its samples. */
  readonly bytes: number;
}

export interface Head {
  /** `ftyp`, `moov` and the header of `mdat`, to be followed by the media of all parts in order. */
  readonly bytes: Uint8Array;
  /** Media bytes behind the head. */
  readonly mediaBytes: number;
  /** How long the recording plays: the latest end of its tracks. */
  readonly durationMs: number;
  readonly tracks: readonly TrackSummary[];
}

export interface HeadOptions {
  /** When the recording began, milliseconds since 1970; left out, the file does not say. */
  readonly createdMs?: number;
  /** Bytes that are wanted behind the head in the same memory: `bytes.buffer` has them. */
  readonly room?: number;
}

/** A head that is built while its parts come. */
export class HeadBuilder {
  readonly #tables = new Map<string, TrackTables>();
  readonly #memory = new IndexMemory();
  #mediaBytes = 0;

  /**
   * Adds the next part; its media lies behind that of the ones before, the first one's directly behind the head. Throws
   * Corrupt when its index is damaged or reaches behind the part; nothing can be added or built then.
   */
  add(part: HeadPart): void {
    readIndex(part.index, this.#memory, (piece) => {
      if (piece.sizes.length > 0) tableFor(this.#tables, piece).add(piece, this.#mediaBytes, part.bytes);
    });
    this.#mediaBytes += part.bytes;
  }

  /** To be called once, when nothing is added any more. Throws Corrupt when there is nothing to show. */
  build({ createdMs, room = 0 }: HeadOptions = {}): Head {
    const tracks = inOrder([...this.#tables.values()].filter((track) => track.samples > 0));
    if (tracks.length === 0) throw new Corrupt('no sample in any part');
    for (const track of tracks) track.finish();
    // 1904 to 1970 (ISO/IEC 14496-12 section 8.2.2.3).
    const created = createdMs === undefined ? 0 : Math.floor(createdMs / 1000) + 2_082_844_800;
    return {
      bytes: layOut(tracks, this.#mediaBytes, created, room),
      mediaBytes: this.#mediaBytes,
      durationMs: (movieDuration(tracks) * 1000) / MOVIE_TIMESCALE,
      tracks: tracks.map(summary),
    };
  }
}

/** The head of these parts, in the order in which their media lies in the file. Throws as HeadBuilder does. */
export function buildHead({ parts, ...options }: HeadOptions & { readonly parts: readonly HeadPart[] }): Head {
  const head = new HeadBuilder();
  for (const part of parts) head.add(part);
  return head.build(options);
}

/** co64 has one size whatever the positions, so they are put in when the size of the head is known. */
function layOut(tracks: readonly TrackTables[], mediaBytes: number, created: number, room: number): Uint8Array {
  const out = new ByteWriter(tracks.reduce((sum, track) => sum + tableBytes(track), 4096 * (tracks.length + 1) + room));
  ftyp(out);
  const positions = writeMoov(out, tracks, created);
  mdatHeader(out, mediaBytes);
  out.reserve(room);
  for (const [at, track] of tracks.entries()) {
    for (const [index, chunk] of track.chunks.entries())
      out.patchU64((positions[at] ?? 0) + index * 8, chunk.offset + out.length);
  }
  return out.bytes;
}

function tableBytes(track: TrackTables): number {
  const { stts, ctts, stss, stsz, chunks } = track;
  return stts.table.length + ctts.table.length + stss.length + stsz.length + chunks.length * 20;
}

/**
 * One track a codec and clock: a changed configuration of the same codec is a further sample entry, but another codec
 * or sample rate is another track, since readers take one codec a track.
 */
function tableFor(tables: Map<string, TrackTables>, piece: PieceRuns): TrackTables {
  const key = [piece.kind, piece.ordinal, codecOf(piece.entry, piece.kind), piece.timescale].join('/');
  const known = tables.get(key);
  if (known !== undefined) return known;
  const created = new TrackTables(piece);
  tables.set(key, created);
  return created;
}

/** That of the stream's program map; of two at one place, the one that came first. */
function inOrder(tracks: TrackTables[]): TrackTables[] {
  return tracks.sort((a, b) => a.track.position - b.track.position);
}

function summary(tables: TrackTables): TrackSummary {
  return {
    kind: tables.track.kind,
    codec: codecOf(tables.track.entry, tables.track.kind),
    samples: tables.samples,
    durationMs: Math.round((tables.mediaDuration * 1000) / tables.track.timescale),
    bytes: tables.bytes,
  };
}
