/**
 * Run-length tables of a track, `stts` and `ctts` (ISO/IEC 14496-12 sections 8.6.1.2 and 8.6.1.3), read where they lie:
 * lookups by sample and by sum, and walking on from a sample. Owns nothing of what the values mean.
 */
import type { Box } from './box-reader.ts';
import { Truncated } from './errors.ts';

/** Rows between two remembered sums. */
const STRIDE = 64;

export class RunTable {
  readonly #view: DataView;
  readonly #at: number;
  readonly #rows: number;
  readonly #signed: boolean;
  /** Samples, and the sum of count times value, before every STRIDE-th row. */
  readonly #samples: Float64Array;
  readonly #sums: Float64Array;
  /** All samples, and the sum of all their values. */
  readonly samples: number;
  readonly sum: number;

  /** @throws {Truncated} */
  constructor(view: DataView, box: Box, signed: boolean) {
    this.#view = view;
    this.#rows = rowsOf(view, box, 8);
    this.#at = box.body + 8;
    this.#signed = signed;
    this.#samples = new Float64Array(Math.ceil(this.#rows / STRIDE));
    this.#sums = new Float64Array(this.#samples.length);
    let samples = 0;
    let sum = 0;
    for (let row = 0; row < this.#rows; row++) {
      if (row % STRIDE === 0) {
        this.#samples[row / STRIDE] = samples;
        this.#sums[row / STRIDE] = sum;
      }
      const count = this.#count(row);
      samples += count;
      sum += count * this.#value(row);
    }
    this.samples = samples;
    this.sum = sum;
  }

  /** The sum of the values before a sample. */
  sumBefore(sample: number): number {
    const { row, start, sum } = this.#rowOf(sample);
    return row < this.#rows ? sum + (sample - start) * this.#value(row) : sum;
  }

  /** The values from a sample on; 0 behind the last. */
  from(sample: number): () => number {
    const found = this.#rowOf(sample);
    let row = found.row;
    let left = row < this.#rows ? found.start + this.#count(row) - sample : 0;
    let value = row < this.#rows ? this.#value(row) : 0;
    return () => {
      while (left === 0 && row < this.#rows) {
        row++;
        left = row < this.#rows ? this.#count(row) : 0;
        value = row < this.#rows ? this.#value(row) : 0;
      }
      if (left > 0) left--;
      return value;
    };
  }

  /** The last sample whose sum before it is at most `target`; values must not be negative. */
  findSum(target: number): number {
    const checkpoint = lastAtMost(this.#sums, target);
    let samples = this.#samples[checkpoint] ?? 0;
    let sum = this.#sums[checkpoint] ?? 0;
    let found = samples;
    for (let row = checkpoint * STRIDE; row < this.#rows && sum <= target; row++) {
      const [count, value] = [this.#count(row), this.#value(row)];
      if (count > 0)
        found = samples + (value === 0 ? count - 1 : Math.min(count - 1, Math.floor((target - sum) / value)));
      samples += count;
      sum += count * value;
    }
    return found;
  }

  #rowOf(sample: number): { row: number; start: number; sum: number } {
    const checkpoint = lastAtMost(this.#samples, sample);
    let start = this.#samples[checkpoint] ?? 0;
    let sum = this.#sums[checkpoint] ?? 0;
    let row = checkpoint * STRIDE;
    for (; row < this.#rows; row++) {
      const count = this.#count(row);
      if (start + count > sample) break;
      start += count;
      sum += count * this.#value(row);
    }
    return { row, start, sum };
  }

  #count(row: number): number {
    return this.#view.getUint32(this.#at + row * 8);
  }

  #value(row: number): number {
    const at = this.#at + row * 8 + 4;
    return this.#signed ? this.#view.getInt32(at) : this.#view.getUint32(at);
  }
}

/** The rows of a table whose count follows version and flags. @throws {Truncated} */
export function rowsOf(view: DataView, box: Box, rowBytes: number): number {
  needBytes(box, 8);
  const rows = view.getUint32(box.body + 4);
  needBytes(box, 8 + rows * rowBytes);
  return rows;
}

export function needBytes(box: Box, bytes: number): void {
  if (bytes > box.end - box.body) throw new Truncated(`${box.type} has ${box.end - box.body} of ${bytes} bytes`);
}

/** The last of the rising values that is at most `target`; 0 where none is. */
export function lastAtMost(values: Float64Array, target: number): number {
  let [low, high] = [0, values.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((values[middle] ?? 0) <= target) low = middle + 1;
    else high = middle;
  }
  return Math.max(0, low - 1);
}
