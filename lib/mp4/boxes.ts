/**
 * One builder a box, named by its four-character code, taking values and writing bytes (ISO/IEC 14496-12; the section
 * stands at each). Owns formats only: which values a recording gets is moov.ts.
 */
import type { ByteWriter } from './byte-writer.ts';
import type { TrackKind } from './sample-entry.ts';
import type { TableWriter } from './table-writer.ts';

/** Unity, 16.16 and 2.30 (section 6.2.2). */
const MATRIX = [0x0001_0000, 0, 0, 0, 0x0001_0000, 0, 0, 0, 0x4000_0000] as const;

/** A box around what `content` writes (section 4.2). */
export function box(out: ByteWriter, type: string, content: () => void): void {
  const start = out.length;
  out.u32(0).ascii(type);
  content();
  out.patchU32(start, out.length - start);
}

function fullBox(out: ByteWriter, type: string, version: number, flags: number, content: () => void): void {
  box(out, type, () => {
    out.u32(version * 0x100_0000 + flags);
    content();
  });
}

/** Section 4.3. iso4 is the first brand with signed composition offsets; isom and mp41 let old readers in. */
export function ftyp(out: ByteWriter): void {
  box(out, 'ftyp', () => out.ascii('isom').u32(0x200).ascii('isom').ascii('iso2').ascii('iso4').ascii('mp41'));
}

/** The 64-bit header of `mdat` (section 8.1.1), whose content is `bytes` long. */
export function mdatHeader(out: ByteWriter, bytes: number): void {
  out
    .u32(1)
    .ascii('mdat')
    .u64(bytes + 16);
}

/** Section 8.2.2. Times in seconds since 1904, 0 for unknown; duration in units of the timescale. */
export function mvhd(
  out: ByteWriter,
  value: { created: number; timescale: number; duration: number; nextTrack: number },
): void {
  fullBox(out, 'mvhd', 1, 0, () => {
    out.u64(value.created).u64(value.created).u32(value.timescale).u64(value.duration);
    out.u32(0x0001_0000).u16(0x0100).zeros(10);
    for (const cell of MATRIX) out.u32(cell);
    out.zeros(24).u32(value.nextTrack);
  });
}

export interface TrackHeader {
  readonly created: number;
  readonly id: number;
  readonly duration: number;
  readonly kind: TrackKind;
  /** Shown unless the viewer chooses another. */
  readonly enabled: boolean;
  readonly width: number;
  readonly height: number;
}

/** Section 8.3.2. Sound tracks are alternatives of each other: group 1. */
export function tkhd(out: ByteWriter, value: TrackHeader): void {
  fullBox(out, 'tkhd', 1, value.enabled ? 3 : 2, () => {
    out.u64(value.created).u64(value.created).u32(value.id).u32(0).u64(value.duration).zeros(8);
    out
      .u16(0)
      .u16(value.kind === 'audio' ? 1 : 0)
      .u16(value.kind === 'audio' ? 0x0100 : 0)
      .u16(0);
    for (const cell of MATRIX) out.u32(cell);
    out.u32(value.width * 0x1_0000).u32(value.height * 0x1_0000);
  });
}

export interface Edit {
  /** In units of the movie's timescale. */
  readonly duration: number;
  /** In units of the track's timescale, -1 for an empty edit. */
  readonly mediaTime: number;
}

/** Sections 8.6.5 and 8.6.6. */
export function edts(out: ByteWriter, edits: readonly Edit[]): void {
  box(out, 'edts', () => {
    fullBox(out, 'elst', 1, 0, () => {
      out.u32(edits.length);
      for (const edit of edits) out.u64(edit.duration).i64(edit.mediaTime).u32(0x0001_0000);
    });
  });
}

/** Section 8.4.2. */
export function mdhd(
  out: ByteWriter,
  value: { created: number; timescale: number; duration: number; language: string },
): void {
  fullBox(out, 'mdhd', 1, 0, () => {
    out.u64(value.created).u64(value.created).u32(value.timescale).u64(value.duration);
    let packed = 0;
    for (const letter of value.language) packed = packed * 32 + ((letter.charCodeAt(0) - 0x60) & 31);
    out.u16(packed).u16(0);
  });
}

/** Section 8.4.3. */
export function hdlr(out: ByteWriter, kind: TrackKind): void {
  fullBox(out, 'hdlr', 0, 0, () => {
    out
      .u32(0)
      .ascii(kind === 'video' ? 'vide' : 'soun')
      .zeros(12);
    out.ascii(kind === 'video' ? 'VideoHandler' : 'SoundHandler').u8(0);
  });
}

/** Sections 12.1.2 and 12.2.2. */
export function mediaHeader(out: ByteWriter, kind: TrackKind): void {
  if (kind === 'video') fullBox(out, 'vmhd', 0, 1, () => out.zeros(8));
  else fullBox(out, 'smhd', 0, 0, () => out.zeros(4));
}

/** Sections 8.7.1 and 8.7.2: the media is in this file. */
export function dinf(out: ByteWriter): void {
  box(out, 'dinf', () => {
    fullBox(out, 'dref', 0, 0, () => {
      out.u32(1);
      fullBox(out, 'url ', 0, 1, () => {});
    });
  });
}

/** Section 8.5.2. Each entry is a whole box. */
export function stsd(out: ByteWriter, entries: readonly Uint8Array[]): void {
  fullBox(out, 'stsd', 0, 0, () => {
    out.u32(entries.length);
    for (const entry of entries) out.put(entry);
  });
}

/** Section 8.6.1.2: pairs of count and delta, 8 bytes each. */
export function stts(out: ByteWriter, pairs: TableWriter): void {
  table(out, 'stts', 0, pairs, 8);
}

/** Section 8.6.1.3, version 1: pairs of count and signed offset. */
export function ctts(out: ByteWriter, pairs: TableWriter): void {
  table(out, 'ctts', 1, pairs, 8);
}

/** Section 8.6.2: numbers of the samples where decoding can begin, 4 bytes each. */
export function stss(out: ByteWriter, numbers: TableWriter): void {
  table(out, 'stss', 0, numbers, 4);
}

function table(out: ByteWriter, type: string, version: number, rows: TableWriter, rowBytes: number): void {
  fullBox(out, type, version, 0, () => rows.copyTo(out.u32(rows.length / rowBytes)));
}

/** Section 8.7.4: first chunk, samples a chunk, sample entry; a new row where either changes. */
export function stsc(out: ByteWriter, chunks: readonly { readonly samples: number; readonly entry: number }[]): void {
  fullBox(out, 'stsc', 0, 0, () => {
    const at = out.length;
    out.u32(0);
    let rows = 0;
    for (const [index, chunk] of chunks.entries()) {
      const before = chunks[index - 1];
      if (before !== undefined && before.samples === chunk.samples && before.entry === chunk.entry) continue;
      out
        .u32(index + 1)
        .u32(chunk.samples)
        .u32(chunk.entry);
      rows++;
    }
    out.patchU32(at, rows);
  });
}

/** Section 8.7.3: sizes, 4 bytes each. */
export function stsz(out: ByteWriter, sizes: TableWriter): void {
  fullBox(out, 'stsz', 0, 0, () => sizes.copyTo(out.u32(0).u32(sizes.length / 4)));
}

/**
 * Section 8.7.5: positions in the file, always 64 bits. Room for `count` of them, 8 bytes each; answers where it begins.
 */
export function co64(out: ByteWriter, count: number): number {
  fullBox(out, 'co64', 0, 0, () => out.u32(count).zeros(count * 8));
  return out.length - count * 8;
}
