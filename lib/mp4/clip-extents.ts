/** Which bytes of a file samples lie in: few ranges to read instead of one a sample. Reads nothing itself. */
import { Corrupt } from './errors.ts';

/** Bytes `first` up to `end`, exclusive, of a file. */
export interface Extent {
  readonly first: number;
  readonly end: number;
}

/**
 * The ranges that hold all these samples, in the order of the file. Ranges that are at most `nearBytes` apart become
 * one: reading a little too much costs less than another request.
 */
export function extentsOf(
  samples: Iterable<{ readonly position: number; readonly size: number }>,
  nearBytes: number,
): Extent[] {
  const merged: Array<{ first: number; end: number }> = [];
  const ranges: Array<{ first: number; end: number }> = [];
  for (const { position, size } of samples) {
    const last = ranges.at(-1);
    // Samples mostly lie one behind the other: sorting is left with one entry a chunk.
    if (last !== undefined && last.end === position) last.end += size;
    else ranges.push({ first: position, end: position + size });
  }
  for (const range of ranges.sort((a, b) => a.first - b.first)) {
    const last = merged.at(-1);
    if (last !== undefined && range.first - last.end <= nearBytes) last.end = Math.max(last.end, range.end);
    else merged.push({ ...range });
  }
  return merged;
}

export function extentBytes(extents: readonly Extent[]): number {
  return extents.reduce((sum, { first, end }) => sum + end - first, 0);
}

/** Answers positions of the file from extents that were read. */
export class ReadExtents {
  readonly #extents: readonly Extent[];
  readonly #bytes: readonly Uint8Array[];

  /** `bytes` are those of `extents`, one by one. */
  constructor(extents: readonly Extent[], bytes: readonly Uint8Array[]) {
    this.#extents = extents;
    this.#bytes = bytes;
    for (const [at, { first, end }] of extents.entries()) {
      if (bytes[at]?.length !== end - first) throw new Corrupt(`${bytes[at]?.length} bytes read of ${end - first}`);
    }
  }

  at(position: number, size: number): Uint8Array {
    const index = this.#extents.findIndex(({ first, end }) => position >= first && position + size <= end);
    const extent = this.#extents[index];
    const bytes = this.#bytes[index];
    if (extent === undefined || bytes === undefined) throw new Corrupt(`${size} bytes at ${position} were not read`);
    return bytes.subarray(position - extent.first, position - extent.first + size);
  }
}
