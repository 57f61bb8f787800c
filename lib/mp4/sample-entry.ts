/**
 * Sample entries (ISO/IEC 14496-12 section 8.5.2): what a decoder must know. Owns making two of them comparable: ffmpeg
 * writes bit rates measured over each part into them, which say nothing about the decoder.
 */
import { boxesIn } from './box-reader.ts';
import { ByteReader, copyOf } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';
import { normaliseAvcC, normaliseHvcC } from './decoder-config.ts';
import { Corrupt } from './errors.ts';

/** Bytes of a sample entry before its child boxes: VisualSampleEntry 86, AudioSampleEntry version 0 36. */
const VISUAL_FIELDS = 86;
const AUDIO_FIELDS = 36;

export type TrackKind = 'video' | 'audio';

/**
 * The entry without what differs from part to part: no `btrt`, bit rates and buffer size of `esds` set to 0, parameter
 * sets without trailing zeros.
 */
export function normaliseEntry(entry: Uint8Array, kind: TrackKind): Uint8Array {
  const fields = kind === 'video' ? VISUAL_FIELDS : AUDIO_FIELDS;
  if (entry.length < fields) throw new Corrupt(`a sample entry of ${entry.length} bytes`);
  const out = new ByteWriter(entry.length);
  out.put(entry.subarray(0, fields));
  for (const child of boxesIn(entry, fields)) {
    if (child.type === 'btrt') continue;
    const content = normaliseChild(child.type, entry.subarray(child.start, child.end), child.body - child.start);
    out
      .u32(content.length + 8)
      .ascii(child.type)
      .put(content);
  }
  out.patchU32(0, out.length);
  return copyOf(out.bytes);
}

/** The content of a box of `header` bytes and content. */
function normaliseChild(type: string, box: Uint8Array, header: number): Uint8Array {
  if (type === 'avcC') return normaliseAvcC(box.subarray(header));
  if (type === 'hvcC') return normaliseHvcC(box.subarray(header));
  if (type !== 'esds') return box.subarray(header);
  const esds = copyOf(box);
  clearBitRates(esds);
  return esds.subarray(header);
}

/** `avc1`, `hev1`, `mp4a.40` …: what must be equal for two configurations to share one track. */
export function codecOf(entry: Uint8Array, kind: TrackKind): string {
  const fourcc = new ByteReader(entry, 4).fourcc();
  if (fourcc !== 'mp4a' && fourcc !== 'mp4v') return fourcc;
  const fields = kind === 'video' ? VISUAL_FIELDS : AUDIO_FIELDS;
  for (const box of boxesIn(entry, fields)) {
    if (box.type === 'esds') return `${fourcc}.${objectType(entry.subarray(box.start, box.end)).toString(16)}`;
  }
  return fourcc;
}

function objectType(esds: Uint8Array): number {
  const at = decoderConfig(esds);
  return at === undefined ? 0 : (esds[at] ?? 0);
}

/** DecoderConfigDescriptor: objectType 1, streamType 1, bufferSizeDB 3, maxBitrate 4, avgBitrate 4. */
function clearBitRates(esds: Uint8Array): void {
  const at = decoderConfig(esds);
  if (at !== undefined && at + 13 <= esds.length) esds.fill(0, at + 2, at + 13);
}

/** Where the content of the DecoderConfigDescriptor begins (ISO/IEC 14496-1 section 7.2.6.6). */
function decoderConfig(esds: Uint8Array): number | undefined {
  const reader = new ByteReader(esds, 12);
  if (reader.u8() !== 3) return undefined;
  skipLength(reader);
  reader.skip(2);
  const flags = reader.u8();
  if (flags & 0x80) reader.skip(2);
  if (flags & 0x40) reader.skip(reader.u8());
  if (flags & 0x20) reader.skip(2);
  if (reader.u8() !== 4) return undefined;
  skipLength(reader);
  return reader.position;
}

/** A descriptor's length: up to four bytes of seven bits. */
function skipLength(reader: ByteReader): void {
  for (let i = 0; i < 4; i++) if (reader.u8() < 0x80) return;
}
