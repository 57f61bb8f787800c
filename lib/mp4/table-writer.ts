/**
 * The growing content of a sample table. The tables of a recording of 12 hours are tens of megabytes, so that they are
 * kept in blocks and never copied to grow. Owns blocks and run lengths; what the numbers mean is track-tables.ts.
 */
import { ByteWriter } from './byte-writer.ts';

const BLOCK_BYTES = 1 << 18;

/** Numbers of 32 bits, big-endian. */
export class TableWriter {
  readonly #full: Uint8Array[] = [];
  #open = new ByteWriter(1 << 10);
  #fullBytes = 0;

  get length(): number {
    return this.#fullBytes + this.#open.length;
  }

  u32(value: number): void {
    this.#open.u32(value);
    if (this.#open.length >= BLOCK_BYTES) this.#close();
  }

  u32s(values: Uint32Array): void {
    this.#open.u32s(values);
    if (this.#open.length >= BLOCK_BYTES) this.#close();
  }

  copyTo(out: ByteWriter): void {
    for (const block of this.#full) out.put(block);
    out.put(this.#open.bytes);
  }

  #close(): void {
    this.#full.push(this.#open.bytes);
    this.#fullBytes += this.#open.length;
    this.#open = new ByteWriter(BLOCK_BYTES + (BLOCK_BYTES >> 2));
  }
}

/** Values as pairs of how often and what, 8 bytes each; negative values as two's complement. */
export class RunWriter {
  readonly table = new TableWriter();
  #count = 0;
  #value = 0;
  /** Used again for each call of addRuns. */
  #pairs = new Uint32Array(0);

  add(value: number, times = 1): void {
    if (value !== this.#value) this.finish();
    this.#value = value;
    this.#count += times;
  }

  /** As add for each of them. With B-frames nearly every sample is a run of its own. */
  addRuns(counts: Uint32Array, values: Uint32Array | Int32Array): void {
    if (this.#pairs.length < counts.length * 2) this.#pairs = new Uint32Array(counts.length * 3);
    const pairs = this.#pairs;
    let used = 0;
    let count = this.#count;
    let value = this.#value;
    for (let i = 0; i < counts.length; i++) {
      const next = values[i] ?? 0;
      if (next !== value && count > 0) {
        pairs[used] = count;
        pairs[used + 1] = value;
        used += 2;
        count = 0;
      }
      value = next;
      count += counts[i] ?? 0;
    }
    this.table.u32s(pairs.subarray(0, used));
    this.#count = count;
    this.#value = value;
  }

  /** Closes the open run. */
  finish(): void {
    if (this.#count === 0) return;
    this.table.u32(this.#count);
    this.table.u32(this.#value);
    this.#count = 0;
  }
}
