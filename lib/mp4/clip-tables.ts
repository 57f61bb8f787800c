/**
 * Access to the sample tables of one track (ISO/IEC 14496-12 sections 8.6 and 8.7) without expanding them: of a
 * recording of 12 hours they are tens of megabytes, and what is asked for is a few seconds. Owns lookups and walking;
 * the tables' bytes stay where they are.
 */
import { type Box, findChild, requireChild } from './box-reader.ts';
import { lastAtMost, needBytes, RunTable, rowsOf } from './clip-runs.ts';
import { Corrupt } from './errors.ts';

export interface Sample {
  readonly number: number;
  /** Decoding time, from 0. */
  readonly dts: number;
  readonly duration: number;
  /** Presentation time minus decoding time. */
  readonly offset: number;
  readonly size: number;
  /** Decoding can begin here. */
  readonly sync: boolean;
  /** Of its first byte in the file. */
  readonly position: number;
  /** Sample entry, from 0. */
  readonly entry: number;
}

/** The tables of one track. Sample numbers count from 0. */
export class SampleTables {
  readonly count: number;
  readonly #view: DataView;
  readonly #stts: RunTable;
  readonly #ctts: RunTable | null;
  readonly #fixedSize: number;
  readonly #sizesAt: number;
  readonly #sync: { readonly at: number; readonly rows: number } | null;
  readonly #chunks: { readonly at: number; readonly count: number; readonly wide: boolean };
  readonly #stsc: { readonly at: number; readonly rows: number };
  /** The first sample of the first chunk of each row of `stsc`. */
  readonly #rowSamples: Float64Array;

  /** @throws {Corrupt} {Truncated} where the tables do not fit each other */
  constructor(bytes: Uint8Array, stbl: Box) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#view = view;
    const stsz = requireChild(bytes, stbl, 'stsz');
    needBytes(stsz, 12);
    this.#fixedSize = view.getUint32(stsz.body + 4);
    this.count = view.getUint32(stsz.body + 8);
    this.#sizesAt = stsz.body + 12;
    if (this.#fixedSize === 0) needBytes(stsz, 12 + this.count * 4);
    this.#stts = new RunTable(view, requireChild(bytes, stbl, 'stts'), false);
    if (this.#stts.samples < this.count) throw new Corrupt(`${this.#stts.samples} durations, ${this.count} samples`);
    const ctts = findChild(bytes, stbl, 'ctts');
    this.#ctts = ctts === undefined ? null : new RunTable(view, ctts, true);
    const stss = findChild(bytes, stbl, 'stss');
    this.#sync = stss === undefined ? null : { at: stss.body + 8, rows: rowsOf(view, stss, 4) };
    const co64 = findChild(bytes, stbl, 'co64');
    const offsets = co64 ?? requireChild(bytes, stbl, 'stco');
    const wide = co64 !== undefined;
    this.#chunks = { at: offsets.body + 8, count: rowsOf(view, offsets, wide ? 8 : 4), wide };
    const stsc = requireChild(bytes, stbl, 'stsc');
    this.#stsc = { at: stsc.body + 8, rows: rowsOf(view, stsc, 12) };
    this.#rowSamples = this.#sumChunks();
  }

  /** Decoding can begin anywhere. */
  get allSync(): boolean {
    return this.#sync === null;
  }

  /** Sum of all durations. */
  get duration(): number {
    return this.#stts.sum;
  }

  size(sample: number): number {
    return this.#fixedSize || this.#view.getUint32(this.#sizesAt + sample * 4);
  }

  /** Decoding time, from 0; of a number behind the last sample, the end of the last. */
  dts(sample: number): number {
    return this.#stts.sumBefore(sample);
  }

  offset(sample: number): number {
    return this.#ctts?.from(sample)() ?? 0;
  }

  /** The last sample that is decoded at or before this time; the first one for times before it. */
  sampleAt(dts: number): number {
    return Math.min(this.count - 1, this.#stts.findSum(Math.max(0, dts)));
  }

  /** The samples where decoding can begin, in order. */
  *syncSamples(): Generator<number> {
    if (this.#sync === null) for (let sample = 0; sample < this.count; sample++) yield sample;
    else for (let row = 0; row < this.#sync.rows; row++) yield this.#syncAt(row);
  }

  /** The last sample at or before this one where decoding can begin; null where there is none. */
  syncBefore(sample: number): number | null {
    if (this.#sync === null) return sample;
    const row = this.#syncRow(sample);
    return row < 0 ? null : this.#syncAt(row);
  }

  /** Stretches of samples that share a sample entry, in order. */
  entrySpans(): Array<{ entry: number; first: number; end: number }> {
    const spans: Array<{ entry: number; first: number; end: number }> = [];
    for (let row = 0; row < this.#stsc.rows; row++) {
      const entry = this.#view.getUint32(this.#stsc.at + row * 12 + 8) - 1;
      const first = Math.min(this.count, this.#rowSamples[row] ?? 0);
      const end = Math.min(this.count, this.#rowSamples[row + 1] ?? this.count);
      const before = spans.at(-1);
      if (before?.entry === entry) before.end = end;
      else if (end > first) spans.push({ entry, first, end });
    }
    return spans;
  }

  /** The samples from `first` up to `end`, exclusive. */
  *walk(first: number, end: number): Generator<Sample> {
    const last = Math.min(end, this.count);
    if (first >= last) return;
    const nextDuration = this.#stts.from(first);
    const nextOffset = this.#ctts?.from(first) ?? (() => 0);
    const nextPlace = this.#places(first);
    let syncRow = this.#sync === null ? 0 : this.#syncRow(first - 1) + 1;
    let dts = this.dts(first);
    for (let number = first; number < last; number++) {
      const sync = this.#sync === null || (syncRow < this.#sync.rows && this.#syncAt(syncRow) === number);
      if (sync) syncRow++;
      const duration = nextDuration();
      const size = this.size(number);
      const { position, entry } = nextPlace(size);
      yield { number, dts, duration, offset: nextOffset(), size, sync, position, entry };
      dts += duration;
    }
  }

  /** Where samples from `first` on lie: called once a sample, with its size. */
  #places(first: number): (size: number) => { position: number; entry: number } {
    const { at, rows } = this.#stsc;
    let row = lastAtMost(this.#rowSamples, first);
    const read = (column: number) => this.#view.getUint32(at + row * 12 + column);
    const within = first - (this.#rowSamples[row] ?? 0);
    let chunk = read(0) - 1 + Math.floor(within / read(4));
    let sample = within % read(4);
    let position = this.#chunkPosition(chunk);
    for (let before = first - sample; before < first; before++) position += this.size(before);
    return (size) => {
      if (sample === read(4)) {
        chunk++;
        sample = 0;
        if (row + 1 < rows && this.#view.getUint32(at + (row + 1) * 12) === chunk + 1) row++;
        position = this.#chunkPosition(chunk);
      }
      const here = { position, entry: read(8) - 1 };
      sample++;
      position += size;
      return here;
    };
  }

  #syncAt(row: number): number {
    return this.#view.getUint32((this.#sync?.at ?? 0) + row * 4) - 1;
  }

  /** The last row of `stss` at or before a sample; -1 where there is none. */
  #syncRow(sample: number): number {
    let [low, high] = [0, this.#sync?.rows ?? 0];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#syncAt(middle) <= sample) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  #chunkPosition(chunk: number): number {
    const { at, count, wide } = this.#chunks;
    if (chunk >= count) throw new Corrupt(`chunk ${chunk} of ${count}`);
    if (!wide) return this.#view.getUint32(at + chunk * 4);
    return this.#view.getUint32(at + chunk * 8) * 2 ** 32 + this.#view.getUint32(at + chunk * 8 + 4);
  }

  #sumChunks(): Float64Array {
    const { at, rows } = this.#stsc;
    const starts = new Float64Array(rows);
    let samples = 0;
    for (let row = 0; row < rows; row++) {
      starts[row] = samples;
      const first = this.#view.getUint32(at + row * 12);
      const next = row + 1 < rows ? this.#view.getUint32(at + (row + 1) * 12) : this.#chunks.count + 1;
      const perChunk = this.#view.getUint32(at + row * 12 + 4);
      if (perChunk === 0 || next <= first || first === 0) throw new Corrupt(`stsc: row ${row}`);
      samples += (next - first) * perChunk;
    }
    if (samples < this.count) throw new Corrupt(`chunks of ${samples} samples, ${this.count} sizes`);
    return starts;
  }
}
