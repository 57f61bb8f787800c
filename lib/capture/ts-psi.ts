/**
 * PAT and PMT of a transport stream (ISO/IEC 13818-1, 2.4.4): which PID carries which kind of elementary stream.
 * Owns section reassembly, its CRC and the names of codecs; ignores every other table.
 */

export type TrackKind = 'video' | 'audio' | 'data';

export interface ElementaryStream {
  pid: number;
  streamType: number;
  /** ffmpeg's name of the codec, or `type-0x..`. */
  codec: string;
  kind: TrackKind;
  encrypted: boolean;
  programNumber: number;
}

/** stream_type (ISO/IEC 13818-1, table 2-34, and registrations of ATSC, Blu-ray and Apple). */
const STREAM_TYPES: Readonly<Record<number, readonly [codec: string, kind: TrackKind]>> = {
  1: ['mpeg1video', 'video'],
  2: ['mpeg2video', 'video'],
  3: ['mp3', 'audio'],
  4: ['mp3', 'audio'],
  15: ['aac', 'audio'],
  16: ['mpeg4', 'video'],
  17: ['aac_latm', 'audio'],
  21: ['timed_id3', 'data'],
  27: ['h264', 'video'],
  36: ['hevc', 'video'],
  51: ['vvc', 'video'],
  129: ['ac3', 'audio'],
  130: ['dts', 'audio'],
  134: ['scte_35', 'data'],
  135: ['eac3', 'audio'],
  193: ['ac3', 'audio'],
  194: ['eac3', 'audio'],
  207: ['aac', 'audio'],
  219: ['h264', 'video'],
};

/** Apple's SAMPLE-AES variants of AC-3, E-AC-3, AAC and H.264. */
const SAMPLE_AES = new Set([0xc1, 0xc2, 0xcf, 0xdb]);

/** format_identifier of a registration descriptor on private data (stream_type 0x06). */
const REGISTRATIONS: Readonly<Record<string, readonly [codec: string, kind: TrackKind]>> = {
  'AC-3': ['ac3', 'audio'],
  EAC3: ['eac3', 'audio'],
  Opus: ['opus', 'audio'],
  HEVC: ['hevc', 'video'],
  AV01: ['av1', 'video'],
  DTS1: ['dts', 'audio'],
  DTS2: ['dts', 'audio'],
  DTS3: ['dts', 'audio'],
};

/** DVB descriptors on private data (ETSI EN 300 468, 6.1): AC-3, enhanced AC-3, DTS. */
const DVB_DESCRIPTORS: Readonly<Record<number, readonly [codec: string, kind: TrackKind]>> = {
  106: ['ac3', 'audio'],
  122: ['eac3', 'audio'],
  123: ['dts', 'audio'],
};

const SECTION_LIMIT = 1024; // 3 + section_length of at most 1021 (2.4.4.3, 2.4.4.8)

/** Collects the sections of one PID across packets. */
export class SectionAssembler {
  readonly #buffer = new Uint8Array(SECTION_LIMIT + 188);
  #length = 0;
  #active = false;

  /** Takes one packet's payload; returns the sections that became complete (2.4.4.1, pointer_field). */
  push(payload: Uint8Array, unitStart: boolean): Uint8Array[] {
    const sections: Uint8Array[] = [];
    let at = 0;
    if (unitStart) {
      const pointer = payload[0] ?? 0;
      if (1 + pointer > payload.length) return this.#reset();
      if (this.#active) this.#append(payload.subarray(1, 1 + pointer), sections);
      at = 1 + pointer;
      this.#length = 0;
      this.#active = true;
    }
    if (this.#active) this.#append(payload.subarray(at), sections);
    return sections;
  }

  #reset(): Uint8Array[] {
    this.#active = false;
    this.#length = 0;
    return [];
  }

  #append(bytes: Uint8Array, sections: Uint8Array[]): void {
    if (this.#length + bytes.length > this.#buffer.length) {
      this.#reset();
      return;
    }
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
    while (this.#length >= 3) {
      if (this.#buffer[0] === 0xff) {
        this.#reset(); // stuffing up to the end of the packet
        return;
      }
      const size = 3 + ((((this.#buffer[1] ?? 0) & 0x0f) << 8) | (this.#buffer[2] ?? 0));
      if (size > SECTION_LIMIT) {
        this.#reset();
        return;
      }
      if (this.#length < size) return;
      sections.push(this.#buffer.slice(0, size));
      this.#buffer.copyWithin(0, size, this.#length);
      this.#length -= size;
    }
  }
}

export interface PatSection {
  /** program_map_PID by program_number; the network PID (program 0) is left out. */
  programs: Map<number, number>;
}

/** program_association_section (2.4.4.3). Null for other tables, future ones and damaged ones. */
export function readPat(section: Uint8Array): PatSection | null {
  if (!isCurrent(section, 0x00)) return null;
  const programs = new Map<number, number>();
  for (let at = 8; at + 4 <= section.length - 4; at += 4) {
    const program = u16(section, at);
    if (program !== 0) programs.set(program, u16(section, at + 2) & 0x1fff);
  }
  return { programs };
}

export interface PmtSection {
  programNumber: number;
  pcrPid: number;
  streams: ElementaryStream[];
}

/** TS_program_map_section (2.4.4.8). Null for other tables, future ones and damaged ones. */
export function readPmt(section: Uint8Array): PmtSection | null {
  if (!isCurrent(section, 0x02) || section.length < 16) return null;
  const programNumber = u16(section, 3);
  const end = section.length - 4;
  const streams: ElementaryStream[] = [];
  let at = 12 + (u16(section, 10) & 0x0fff);
  while (at + 5 <= end) {
    const streamType = section[at] ?? 0;
    const pid = u16(section, at + 1) & 0x1fff;
    const infoEnd = at + 5 + (u16(section, at + 3) & 0x0fff);
    if (infoEnd > end) break;
    const [codec, kind] = identify(streamType, section.subarray(at + 5, infoEnd));
    streams.push({ pid, streamType, codec, kind, encrypted: SAMPLE_AES.has(streamType), programNumber });
    at = infoEnd;
  }
  return { programNumber, pcrPid: u16(section, 8) & 0x1fff, streams };
}

function identify(streamType: number, descriptors: Uint8Array): readonly [string, TrackKind] {
  const known = STREAM_TYPES[streamType];
  if (known !== undefined) return known;
  const unknown = [`type-0x${streamType.toString(16).padStart(2, '0')}`, 'data'] as const;
  for (let at = 0; at + 2 <= descriptors.length; at += 2 + (descriptors[at + 1] ?? 0)) {
    const tag = descriptors[at] ?? 0;
    const body = descriptors.subarray(at + 2, at + 2 + (descriptors[at + 1] ?? 0));
    const registered = tag === 0x05 ? REGISTRATIONS[String.fromCharCode(...body.subarray(0, 4))] : undefined;
    const found = registered ?? (streamType === 0x06 ? DVB_DESCRIPTORS[tag] : undefined);
    if (found !== undefined) return found;
  }
  return unknown;
}

function isCurrent(section: Uint8Array, tableId: number): boolean {
  if (section.length < 12 || section[0] !== tableId) return false;
  const currentNext = ((section[5] ?? 0) & 1) === 1; // 0: not yet applicable
  return currentNext && crc32(section) === 0;
}

function u16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

/** CRC_32 (annex A): polynomial 0x04C11DB7, all ones first; zero over a section with its own checksum. */
export function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte << 24;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x80000000 ? (crc << 1) ^ 0x04c11db7 : crc << 1;
  }
  return crc >>> 0;
}
