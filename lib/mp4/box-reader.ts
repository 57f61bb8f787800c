/**
 * Walks boxes (ISO/IEC 14496-12 section 4.2) inside given bounds. Owns sizes and nesting; the content of a box is read by
 * reader.ts and movie-summary.ts.
 */
import { ByteReader } from './byte-reader.ts';
import { Corrupt, Truncated } from './errors.ts';

export interface Box {
  readonly type: string;
  /** Position of the size field. */
  readonly start: number;
  /** Position behind the header. */
  readonly body: number;
  readonly end: number;
}

/** The boxes between `start` and `end`, which they fill exactly. Each step moves on by at least 8 bytes. */
export function* boxesIn(bytes: Uint8Array, start = 0, end = bytes.length): Generator<Box> {
  let at = start;
  while (at < end) {
    const reader = new ByteReader(bytes, at, end);
    const short = reader.u32();
    const type = reader.fourcc();
    const size = short === 1 ? reader.u64() : short === 0 ? end - at : short;
    if (size < reader.position - at) throw new Corrupt(`box ${printable(type)} of ${size} bytes at ${at}`);
    if (size > end - at)
      throw new Truncated(`box ${printable(type)} at ${at} has ${size} bytes, ${end - at} are there`);
    yield { type, start: at, body: reader.position, end: at + size };
    at += size;
  }
}

export function childrenOf(bytes: Uint8Array, parent: Box): Generator<Box> {
  return boxesIn(bytes, parent.body, parent.end);
}

/** The first child of that type. */
export function findChild(bytes: Uint8Array, parent: Box, type: string): Box | undefined {
  for (const box of childrenOf(bytes, parent)) if (box.type === type) return box;
  return undefined;
}

/** The box at the end of a path of types; Corrupt when one is missing. */
export function requireChild(bytes: Uint8Array, parent: Box, ...path: readonly string[]): Box {
  let box = parent;
  for (const type of path) {
    const child = findChild(bytes, box, type);
    if (child === undefined) throw new Corrupt(`box ${printable(box.type)} at ${box.start} has no ${type}`);
    box = child;
  }
  return box;
}

/** A reader over the content, after version and flags (section 4.2, FullBox). */
export function fullBox(bytes: Uint8Array, box: Box): { reader: ByteReader; version: number; flags: number } {
  const reader = new ByteReader(bytes, box.body, box.end);
  const version = reader.u8();
  return { reader, version, flags: reader.u24() };
}

function printable(type: string): string {
  return type.replace(/[^\x20-\x7e]/g, '?');
}
