/**
 * Decoder configurations of H.264 and HEVC (ISO/IEC 14496-15 sections 5.3.3 and 8.3.3). Owns one thing: parameter sets
 * without the zero that the byte stream had before its next start code, which ffmpeg keeps in some parts and not in others.
 */
import { ByteReader } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';

/** The content of an `avcC` box. */
export function normaliseAvcC(content: Uint8Array): Uint8Array {
  const reader = new ByteReader(content);
  const out = new ByteWriter(content.length);
  out.put(reader.slice(5));
  // Sequence parameter sets, their number in five bits; then picture parameter sets, theirs in eight.
  for (const mask of [0x1f, 0xff]) {
    const count = reader.u8();
    out.u8(count);
    for (let i = count & mask; i > 0; i--) copySet(reader, out);
  }
  // Chroma format and bit depths of the high profiles.
  return out.put(reader.slice(reader.left)).bytes;
}

/** The content of an `hvcC` box. */
export function normaliseHvcC(content: Uint8Array): Uint8Array {
  const reader = new ByteReader(content);
  const out = new ByteWriter(content.length);
  out.put(reader.slice(22));
  const arrays = reader.u8();
  out.u8(arrays);
  for (let i = 0; i < arrays; i++) {
    out.u8(reader.u8());
    const units = reader.u16();
    out.u16(units);
    for (let unit = 0; unit < units; unit++) copySet(reader, out);
  }
  return out.put(reader.slice(reader.left)).bytes;
}

/** A NAL unit never ends in a zero byte (ITU-T H.264 section 7.4.1), so one at the end is not its own. */
function copySet(reader: ByteReader, out: ByteWriter): void {
  const unit = reader.slice(reader.u16());
  let end = unit.length;
  while (end > 0 && unit[end - 1] === 0) end--;
  out.u16(end).put(unit.subarray(0, end));
}
