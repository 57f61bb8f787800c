/**
 * Collects the samples of one track of the recording into the tables of its `stbl` (ISO/IEC 14496-12 sections 8.6 and
 * 8.7), compressed while they come. Owns what happens where two pieces meet; boxes.ts writes the tables out.
 */
import { ByteWriter } from './byte-writer.ts';
import { Corrupt } from './errors.ts';
import type { Piece } from './sample-index.ts';

export interface Chunk {
  /** Position in the media data, from 0. */
  readonly offset: number;
  readonly samples: number;
  /** Sample entry, from 1. */
  readonly entry: number;
}

export class TrackTables {
  readonly track: Piece;
  /** The sample entries, in order of appearance. */
  readonly entries: Uint8Array[] = [];
  readonly chunks: Chunk[] = [];
  /** Content of stts and ctts (count, value), stss (sample numbers) and stsz (sizes), without their headers. */
  readonly stts = new ByteWriter(1 << 10);
  readonly ctts = new ByteWriter(1 << 10);
  readonly stss = new ByteWriter(1 << 10);
  readonly stsz = new ByteWriter(1 << 14);
  samples = 0;
  syncSamples = 0;
  bytes = 0;
  hasOffsets = false;
  firstDts = 0;
  firstOffset = 0;
  endPts = Number.NEGATIVE_INFINITY;
  #lastDts = 0;
  #lastPts = 0;
  #lastDuration = 0;
  #sttsRun = { count: 0, value: 0 };
  #cttsRun = { count: 0, value: 0 };

  constructor(track: Piece) {
    this.track = track;
  }

  /** Sum of the durations, in units of the timescale. */
  get mediaDuration(): number {
    return this.samples === 0 ? 0 : this.#lastDts + this.#lastDuration - this.firstDts;
  }

  get firstPts(): number {
    return this.firstDts + this.firstOffset;
  }

  /** Adds the samples of a piece whose part begins at `base` of the media data and has `bytes`. */
  add(piece: Piece, base: number, bytes: number): void {
    const entry = this.#entryNumber(piece.entry);
    let dts = piece.dts;
    let sample = 0;
    for (const [at, chunkOffset] of piece.chunkOffsets.entries()) {
      const last = sample + (piece.chunkSamples[at] ?? 0);
      let offset = chunkOffset;
      let end = chunkOffset;
      let kept = 0;
      for (; sample < last; sample++) {
        const size = piece.sizes[sample] ?? 0;
        const duration = piece.durations[sample] ?? 0;
        end += size;
        // As `ffmpeg -c copy` does: a picture before the first one that can be decoded is not shown.
        if (this.samples === 0 && piece.kind === 'video' && piece.sync[sample] === 0) offset += size;
        else {
          this.#addSample(dts, piece.offsets[sample] ?? 0, size, duration, piece.sync[sample] === 1);
          kept++;
        }
        dts += duration;
      }
      if (end > bytes) throw new Corrupt(`a chunk ends at ${end} of the ${bytes} bytes of its part`);
      if (kept > 0) this.chunks.push({ offset: base + offset, samples: kept, entry });
    }
  }

  /** Nothing follows: closes the open runs of the tables. */
  finish(): void {
    if (this.samples > 0) this.#addDuration(this.#lastDuration);
    flush(this.stts, this.#sttsRun);
    flush(this.ctts, this.#cttsRun);
  }

  #addSample(givenDts: number, givenOffset: number, size: number, duration: number, sync: boolean): void {
    let dts = givenDts;
    let pts = dts + givenOffset;
    if (this.samples === 0) {
      this.firstDts = dts;
      this.firstOffset = givenOffset;
    } else {
      // Decoding times increase (8.6.1.2 has no negative delta). Where two runs overlap, ffmpeg moves the later sample.
      if (dts <= this.#lastDts) {
        dts = this.#lastDts + 1;
        pts = Math.max(pts, dts);
      }
      this.endPts = Math.max(this.endPts, this.#lastPts + dts - this.#lastDts);
      this.#addDuration(dts - this.#lastDts);
    }
    this.samples++;
    this.bytes += size;
    this.stsz.u32(size);
    if (sync) {
      this.syncSamples++;
      this.stss.u32(this.samples);
    }
    const offset = pts - dts;
    if (offset !== 0) this.hasOffsets = true;
    count(this.ctts, this.#cttsRun, offset);
    this.#lastDts = dts;
    this.#lastPts = pts;
    this.#lastDuration = duration;
  }

  /** When presentation ends: the latest end of any sample. */
  get lastPts(): number {
    return Math.max(this.endPts, this.#lastPts + this.#lastDuration);
  }

  #addDuration(duration: number): void {
    count(this.stts, this.#sttsRun, duration);
  }

  #entryNumber(entry: Uint8Array): number {
    const known = this.entries.findIndex((candidate) => sameBytes(candidate, entry));
    return known >= 0 ? known + 1 : this.entries.push(entry);
  }
}

function count(table: ByteWriter, run: { count: number; value: number }, value: number): void {
  if (run.count > 0 && run.value !== value) flush(table, run);
  run.value = value;
  run.count++;
}

function flush(table: ByteWriter, run: { count: number; value: number }): void {
  if (run.count > 0) table.u32(run.count).i32(run.value);
  run.count = 0;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}
