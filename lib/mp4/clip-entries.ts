/**
 * Which sample entries set a decoder up alike. ffmpeg leaves the zero byte before a start code at the end of a parameter
 * set or not, depending on what follows: such entries differ in bytes and mean the same (ITU-T H.264 annex B.1.1).
 */
import { boxesIn } from './box-reader.ts';
import { ByteReader } from './byte-reader.ts';
import type { TrackKind } from './sample-entry.ts';

const VISUAL_FIELDS = 86;

/** For each entry the first one that is its equal. */
export function equalEntries(entries: readonly Uint8Array[], kind: TrackKind): number[] {
  if (kind === 'audio' || entries.length < 2) return entries.map((_, at) => at);
  const meanings = entries.map(meaningOf);
  return meanings.map((meaning) => meanings.indexOf(meaning));
}

function meaningOf(entry: Uint8Array): string {
  const hex = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
  // The size of the entry itself, its first four bytes, follows from the rest.
  const parts = [hex(entry.subarray(4, VISUAL_FIELDS))];
  for (const box of boxesIn(entry, VISUAL_FIELDS)) {
    const content = entry.subarray(box.body, box.end);
    if (box.type === 'btrt') continue;
    if (box.type === 'avcC') parts.push(box.type, ...avcSets(content).map(hex));
    else if (box.type === 'hvcC') parts.push(box.type, ...hevcSets(content).map(hex));
    else parts.push(box.type, hex(content));
  }
  return parts.join(' ');
}

/** The fixed fields, then each parameter set (ISO/IEC 14496-15 section 5.3.3.1). */
function avcSets(content: Uint8Array): Uint8Array[] {
  const reader = new ByteReader(content);
  const parts = [reader.slice(5)];
  parts.push(...readSets(reader, reader.u8() & 31));
  if (reader.left > 0) parts.push(...readSets(reader, reader.u8()));
  parts.push(reader.slice(reader.left));
  return parts;
}

/** Section 8.3.3.1: arrays of parameter sets, one a type. */
function hevcSets(content: Uint8Array): Uint8Array[] {
  const reader = new ByteReader(content);
  const parts = [reader.slice(22)];
  for (let arrays = reader.u8(); arrays > 0; arrays--) {
    parts.push(reader.slice(1));
    parts.push(...readSets(reader, reader.u16()));
  }
  return parts;
}

function readSets(reader: ByteReader, count: number): Uint8Array[] {
  return Array.from({ length: count }, () => {
    const set = reader.slice(reader.u16());
    let end = set.length;
    while (end > 0 && set[end - 1] === 0) end--;
    return set.subarray(0, end);
  });
}
