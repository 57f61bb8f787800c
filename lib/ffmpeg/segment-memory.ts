/**
 * Segments read one behind the other into one stretch of memory, which is used again for the next part: a fresh one of a
 * part's size costs more than what is done with it. Owns that memory and reading into it.
 */
import { open, stat } from 'node:fs/promises';
import { aligned } from './ts-packets.ts';

/** A segment: a file, bytes in memory, or bytes to be fetched when it is their turn, best into the memory that is given. */
export type SegmentSource =
  | { readonly path: string }
  | { readonly bytes: Uint8Array }
  | { readonly size: number; readonly read: (memory: Uint8Array) => Promise<Uint8Array> };

/** To be disposed of when nothing refers to its memory any more. */
export interface JoinedSegments extends Disposable {
  /** Whole packets, at the beginning of `memory`. */
  readonly bytes: Uint8Array;
  readonly ownBytes: number;
  /** The segments, and room for as much again behind them. */
  readonly memory: Buffer;
}

/** Memory of more than a part's usual size is not kept. */
const KEPT_BYTES = 64 * 1024 * 1024;
/** What a sample of a very short segment needs besides. */
const ROOM_BYTES = 64 * 1024;
const AT_ONCE = 8;

let spare: Buffer = Buffer.alloc(0);

/** A slice's segments, and behind them what follows. Throws what reading throws. */
export async function joinSources(
  own: readonly SegmentSource[],
  following: readonly SegmentSource[],
): Promise<JoinedSegments> {
  const sources = [...own, ...following];
  const sizes = await Promise.all(sources.map(sizeOf));
  const memory = take(2 * sizes.reduce((sum, size) => sum + size, 0) + ROOM_BYTES);
  const ends = runningSum(sizes);
  const places = sizes.map((size, at) => memory.subarray((ends[at] ?? 0) - size, ends[at]));
  const read = await readFew(sources, places);
  let bytes = 0;
  let ownBytes = 0;
  for (const [at, segment] of read.entries()) {
    if (segment.length > (sizes[at] ?? 0)) throw new RangeError(`a segment of more than ${sizes[at]} bytes`);
    // In its place already, unless one before it was shorter than expected, or it could not be put there.
    const inPlace = segment.buffer === memory.buffer && segment.byteOffset === memory.byteOffset + bytes;
    if (!inPlace) memory.set(segment, bytes);
    bytes += segment.length;
    if (at < own.length) ownBytes = bytes;
  }
  return { bytes: memory.subarray(0, bytes), ownBytes, memory, [Symbol.dispose]: () => giveBack(memory) };
}

/** A few at a time: each one on its way costs buffers of its own. */
async function readFew(sources: readonly SegmentSource[], places: readonly Buffer[]): Promise<Uint8Array[]> {
  const read: Uint8Array[] = [];
  const waiting = sources.entries();
  const reader = async () => {
    for (const [at, source] of waiting) read[at] = aligned(await readInto(source, places[at]));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, reader));
  return read;
}

function runningSum(sizes: readonly number[]): number[] {
  let end = 0;
  return sizes.map((size) => {
    end += size;
    return end;
  });
}

async function sizeOf(source: SegmentSource): Promise<number> {
  if ('bytes' in source) return source.bytes.length;
  return 'size' in source ? source.size : (await stat(source.path)).size;
}

async function readInto(source: SegmentSource, place: Buffer | undefined): Promise<Uint8Array> {
  const memory = place ?? Buffer.alloc(0);
  if ('bytes' in source) return source.bytes;
  if ('read' in source) return await source.read(memory);
  await using file = await open(source.path);
  let size = 0;
  while (size < memory.length) {
    const { bytesRead } = await file.read(memory, size, memory.length - size, null);
    if (bytesRead === 0) break;
    size += bytesRead;
  }
  return memory.subarray(0, size);
}

/** The spare memory where it is large enough; whoever comes while it is taken gets new one. */
function take(bytes: number): Buffer {
  const memory = spare.length >= bytes ? spare : Buffer.allocUnsafeSlow(Math.ceil(bytes * 1.1));
  spare = Buffer.alloc(0);
  return memory;
}

function giveBack(memory: Buffer): void {
  if (memory.length > spare.length && memory.length <= KEPT_BYTES) spare = memory;
}
