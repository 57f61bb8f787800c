/**
 * Collects the samples of one track of the recording into the tables of its `stbl` (ISO/IEC 14496-12 sections 8.6 and
 * 8.7), compressed while they come. Owns what happens where two pieces meet; boxes.ts writes the tables out.
 */
import { Corrupt } from './errors.ts';
import { expandPiece, type PieceRuns, type Runs } from './index-reader.ts';
import type { PieceTrack } from './sample-index.ts';
import { RunWriter, TableWriter } from './table-writer.ts';

export interface Chunk {
  /** Position in the media data, from 0. */
  readonly offset: number;
  readonly samples: number;
  /** Sample entry, from 1. */
  readonly entry: number;
}

export class TrackTables {
  readonly track: PieceTrack;
  /** The sample entries, in order of appearance. */
  readonly entries: Uint8Array[] = [];
  readonly chunks: Chunk[] = [];
  /** Content of stts and ctts (count, value), stss (sample numbers) and stsz (sizes), without their headers. */
  readonly stts = new RunWriter();
  readonly ctts = new RunWriter();
  readonly stss = new TableWriter();
  readonly stsz = new TableWriter();
  samples = 0;
  /** Decoding can begin at any sample: `stss` is empty then. */
  allSync = true;
  bytes = 0;
  hasOffsets = false;
  firstDts = 0;
  firstOffset = 0;
  endPts = Number.NEGATIVE_INFINITY;
  #lastDts = 0;
  #lastPts = 0;
  #lastDuration = 0;

  constructor({ kind, ordinal, position, timescale, language, width, height, entry }: PieceTrack) {
    this.track = { kind, ordinal, position, timescale, language, width, height, entry };
  }

  /** Sum of the durations, in units of the timescale. */
  get mediaDuration(): number {
    return this.samples === 0 ? 0 : this.#lastDts + this.#lastDuration - this.firstDts;
  }

  get firstPts(): number {
    return this.firstDts + this.firstOffset;
  }

  /** Adds the samples of a piece whose part begins at `base` of the media data and has `bytes`. */
  add(piece: PieceRuns, base: number, bytes: number): void {
    const entry = this.#entryNumber(piece.entry);
    if (this.#follows(piece)) this.#addWhole(piece, entry, base, bytes);
    else this.#addEach(piece, entry, base, bytes);
  }

  /** Nothing of the piece is left out or moved: its decoding times increase, from behind what is here. */
  #follows({ dts, durations }: PieceRuns): boolean {
    return this.samples > 0 && dts > this.#lastDts && !durations.values.includes(0);
  }

  /** The columns of a piece that follows: the same as each of its samples, run by run. */
  #addWhole(piece: PieceRuns, entry: number, base: number, bytes: number): void {
    const { durations, offsets, sizes, sync } = piece;
    const { dts, endPts } = walk(piece);
    this.endPts = Math.max(this.endPts, this.#lastPts + piece.dts - this.#lastDts, endPts);
    if (!this.hasOffsets) this.hasOffsets = offsets.values.some((offset) => offset !== 0);
    this.stts.add(piece.dts - this.#lastDts);
    // How long the last one lasts, only what follows tells.
    const last = durations.values.length - 1;
    this.stts.addRuns(durations.counts.subarray(0, last), durations.values.subarray(0, last));
    this.#lastDuration = durations.values[last] ?? 0;
    this.stts.add(this.#lastDuration, (durations.counts[last] ?? 0) - 1);
    this.ctts.addRuns(offsets.counts, offsets.values);
    this.#addSyncSamples(sync);
    this.stsz.u32s(sizes);
    this.samples += sizes.length;
    this.#addChunks(piece, entry, base, bytes);
    this.#lastDts = dts;
    this.#lastPts = dts + (offsets.values.at(-1) ?? 0);
  }

  #addSyncSamples({ counts, values }: Runs<Uint8Array>): void {
    if (this.allSync && !values.includes(0)) return;
    this.#listSyncSamples();
    let number = this.samples + 1;
    for (let i = 0; i < counts.length; i++) {
      const next = number + (counts[i] ?? 0);
      if (values[i] !== 1) number = next;
      for (; number < next; number++) this.stss.u32(number);
    }
  }

  /** The first sample that is none: from here on the table is kept. */
  #listSyncSamples(): void {
    if (!this.allSync) return;
    this.allSync = false;
    for (let number = 1; number <= this.samples; number++) this.stss.u32(number);
  }

  #addChunks({ chunkOffsets, chunkSamples, chunkBytes }: PieceRuns, entry: number, base: number, bytes: number): void {
    for (let at = 0; at < chunkOffsets.length; at++) {
      const offset = chunkOffsets[at] ?? 0;
      const length = chunkBytes[at] ?? 0;
      if (offset + length > bytes) throw outOfPart(offset + length, bytes);
      this.bytes += length;
      this.chunks.push({ offset: base + offset, samples: chunkSamples[at] ?? 0, entry });
    }
  }

  /** Sample by sample: the first ones of a track, and where two runs overlap. */
  #addEach(runs: PieceRuns, entry: number, base: number, bytes: number): void {
    const piece = expandPiece(runs);
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
      if (end > bytes) throw outOfPart(end, bytes);
      if (kept > 0) this.chunks.push({ offset: base + offset, samples: kept, entry });
    }
  }

  /** Nothing follows: closes the open runs of the tables. */
  finish(): void {
    if (this.samples > 0) this.stts.add(this.#lastDuration);
    this.stts.finish();
    this.ctts.finish();
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
      this.stts.add(dts - this.#lastDts);
    }
    if (!sync) this.#listSyncSamples();
    this.samples++;
    this.bytes += size;
    this.stsz.u32(size);
    if (sync && !this.allSync) this.stss.u32(this.samples);
    const offset = pts - dts;
    if (offset !== 0) this.hasOffsets = true;
    this.ctts.add(offset);
    this.#lastDts = dts;
    this.#lastPts = pts;
    this.#lastDuration = duration;
  }

  /** When presentation ends: the latest end of any sample. */
  get lastPts(): number {
    return Math.max(this.endPts, this.#lastPts + this.#lastDuration);
  }

  #entryNumber(entry: Uint8Array): number {
    const known = this.entries.findIndex((candidate) => sameBytes(candidate, entry));
    return known >= 0 ? known + 1 : this.entries.push(entry);
  }
}

/** The decoding time of the last sample, and the latest end of presentation of those before it. */
function walk(piece: PieceRuns): { dts: number; endPts: number } {
  const { durations, offsets } = piece;
  let { dts } = piece;
  let endPts = Number.NEGATIVE_INFINITY;
  let left = piece.sizes.length - 1;
  let run = 0;
  let inRun = durations.counts[0] ?? 0;
  for (let i = 0; i < offsets.counts.length; i++) {
    const offset = offsets.values[i] ?? 0;
    let alike = Math.min(left, offsets.counts[i] ?? 0);
    if (alike === 0) break;
    left -= alike;
    while (alike > 0) {
      if (inRun === 0) inRun = durations.counts[++run] ?? 0;
      const step = Math.min(alike, inRun);
      dts += step * (durations.values[run] ?? 0);
      inRun -= step;
      alike -= step;
    }
    // Decoding times increase, so that of samples with one offset the last one ends last.
    if (dts + offset > endPts) endPts = dts + offset;
  }
  return { dts, endPts };
}

function outOfPart(end: number, bytes: number): Corrupt {
  return new Corrupt(`a chunk ends at ${end} of the ${bytes} bytes of its part`);
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}
