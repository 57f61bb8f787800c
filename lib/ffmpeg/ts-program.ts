/**
 * The program map of a transport stream (ISO/IEC 13818-1 section 2.4.4): which elementary streams there are and which of
 * them MP4 can carry. Reads PAT and PMT, and writes a map of our own with only the streams a part needs.
 */
import { PACKET, type PacketInfo, packetise } from './ts-packets.ts';

export type ElementaryKind = 'video' | 'audio';

export interface ElementaryStream {
  readonly pid: number;
  readonly streamType: number;
  /** The descriptors, verbatim: language, registration. Base64, since this is kept in a row between parts. */
  readonly descriptors: string;
  /** Undefined where MP4 has no place for it. */
  readonly kind: ElementaryKind | undefined;
  /** For people, in warnings. */
  readonly name: string;
}

/** Table 2-34 and the registries that extend it: what the MP4 muxer has a sample entry for. */
const CARRIED: Readonly<Record<number, readonly [ElementaryKind, string]>> = {
  1: ['video', 'MPEG-1 video'],
  2: ['video', 'MPEG-2 video'],
  3: ['audio', 'MPEG audio'],
  4: ['audio', 'MPEG audio'],
  15: ['audio', 'AAC'],
  16: ['video', 'MPEG-4 video'],
  27: ['video', 'H.264'],
  36: ['video', 'HEVC'],
  129: ['audio', 'AC-3'],
  135: ['audio', 'E-AC-3'],
};

const LEFT_OUT: Readonly<Record<number, string>> = {
  5: 'private sections',
  6: 'private data',
  17: 'AAC in LATM',
  21: 'timed metadata (ID3)',
  134: 'SCTE-35 cues',
};

/** Descriptors that say what a stream of private data (type 6) is: ETSI EN 300 468 annex D, ATSC A/52 annex A. */
const PRIVATE_AUDIO: ReadonlyMap<string, string> = new Map([
  ['106', 'AC-3'],
  ['122', 'E-AC-3'],
  ['AC-3', 'AC-3'],
  ['EAC3', 'E-AC-3'],
]);

export function describeStream(pid: number, streamType: number, descriptors: Uint8Array): ElementaryStream {
  const base = { pid, streamType, descriptors: Buffer.from(descriptors).toString('base64') };
  const carried = CARRIED[streamType];
  if (carried !== undefined) return { ...base, kind: carried[0], name: carried[1] };
  const audio = streamType === 6 ? privateAudio(descriptors) : undefined;
  if (audio !== undefined) return { ...base, kind: 'audio', name: audio };
  return { ...base, kind: undefined, name: LEFT_OUT[streamType] ?? `stream type 0x${streamType.toString(16)}` };
}

function privateAudio(descriptors: Uint8Array): string | undefined {
  for (let at = 0; at + 2 <= descriptors.length; at += 2 + (descriptors[at + 1] ?? 0)) {
    const tag = descriptors[at] ?? 0;
    const registration = String.fromCharCode(...descriptors.subarray(at + 2, at + 6));
    const found = PRIVATE_AUDIO.get(tag === 5 ? registration : `${tag}`);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Follows PAT and PMT through the packets of a stream. */
export class ProgramReader {
  /** In order of the map; a stream a later map no longer names stays, since its last packets may still come. */
  readonly streams = new Map<number, ElementaryStream>();
  readonly #mapPids = new Set<number>();
  readonly #sections = new Map<number, number[]>();
  /** By PID: the last packet that held a whole table. Packagers repeat them ten times a second. */
  readonly #latest = new Map<number, Uint8Array>();

  constructor(known: readonly ElementaryStream[] = []) {
    for (const stream of known) this.streams.set(stream.pid, stream);
  }

  isTable(pid: number): boolean {
    return pid === 0 || this.#mapPids.has(pid);
  }

  /** Takes a packet for which isTable is true. */
  read(ts: Uint8Array, at: number, packet: PacketInfo): void {
    const payload = ts.subarray(at + packet.payload, at + PACKET);
    const latest = packet.starts ? this.#latest.get(packet.pid) : undefined;
    if (latest !== undefined && Buffer.compare(latest, payload) === 0) return;
    this.#latest.delete(packet.pid);
    if (packet.starts) {
      const pointer = payload[0] ?? 0;
      this.#sections.set(packet.pid, [...payload.subarray(1 + pointer)]);
    } else {
      // A section has at most 1021 bytes behind its length (2.4.4.9), so it spans few packets.
      const open = this.#sections.get(packet.pid);
      if (open === undefined || open.length > 1024) return;
      open.push(...payload);
    }
    if (this.#finish(packet.pid) && packet.starts) this.#latest.set(packet.pid, payload.slice());
  }

  /** True when the table is whole, and read. */
  #finish(pid: number): boolean {
    const section = Uint8Array.from(this.#sections.get(pid) ?? []);
    const length = 3 + ((((section[1] ?? 0) & 0x0f) << 8) | (section[2] ?? 0));
    if (section.length < 12 || section.length < length) return false;
    this.#sections.delete(pid);
    if (section[0] === 0 && pid === 0) this.#readPat(section.subarray(8, length - 4));
    if (section[0] === 2) this.#readPmt(section.subarray(0, length - 4));
    return true;
  }

  #readPat(entries: Uint8Array): void {
    for (let at = 0; at + 4 <= entries.length; at += 4) {
      const program = ((entries[at] ?? 0) << 8) | (entries[at + 1] ?? 0);
      const pid = (((entries[at + 2] ?? 0) & 0x1f) << 8) | (entries[at + 3] ?? 0);
      if (program !== 0) this.#mapPids.add(pid);
    }
  }

  #readPmt(section: Uint8Array): void {
    let at = 12 + ((((section[10] ?? 0) & 0x0f) << 8) | (section[11] ?? 0));
    while (at + 5 <= section.length) {
      const pid = (((section[at + 1] ?? 0) & 0x1f) << 8) | (section[at + 2] ?? 0);
      const length = (((section[at + 3] ?? 0) & 0x0f) << 8) | (section[at + 4] ?? 0);
      const stream = describeStream(pid, section[at] ?? 0, section.subarray(at + 5, at + 5 + length));
      // What a PID was first it stays, as for libavformat: its samples until then are described by it.
      if (!this.streams.has(pid)) this.streams.set(pid, stream);
      at += 5 + length;
    }
  }
}

/** PAT and PMT that name exactly these streams: what goes before a part, so that ffmpeg finds them and no others. */
export function programTables(streams: readonly ElementaryStream[]): Uint8Array {
  const used = new Set(streams.map((stream) => stream.pid));
  let mapPid = 0x1000;
  while (used.has(mapPid)) mapPid++;
  const pat = section(0, [0, 1, 0xe0 | (mapPid >> 8), mapPid & 0xff]);
  const entries = streams.flatMap((stream) => {
    const descriptors = Buffer.from(stream.descriptors, 'base64');
    const { pid, streamType } = stream;
    return [
      streamType,
      0xe0 | (pid >> 8),
      pid & 0xff,
      0xf0 | (descriptors.length >> 8),
      descriptors.length & 0xff,
      ...descriptors,
    ];
  });
  // PCR_PID 0x1fff: the stamps are all that is read.
  const pmt = section(2, [0xff, 0xff, 0xf0, 0, ...entries]);
  return Buffer.concat([packetise(pat, 0, 0), packetise(pmt, mapPid, 15)]);
}

/** A section with its pointer field before and its CRC behind, version 0, current, the only one; stuffing is 0xff. */
function section(table: number, body: readonly number[]): Uint8Array {
  const length = 5 + body.length + 4;
  const bytes = Uint8Array.from([table, 0xb0 | (length >> 8), length & 0xff, 0, 1, 0xc1, 0, 0, ...body, 0, 0, 0, 0]);
  new DataView(bytes.buffer).setUint32(bytes.length - 4, crcMpeg(bytes.subarray(0, bytes.length - 4)));
  return Uint8Array.from([0, ...bytes]);
}

/** CRC of sections, ISO/IEC 13818-1 annex A. */
export function crcMpeg(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) {
    crc ^= byte << 24;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000_0000 ? (crc << 1) ^ 0x04c1_1db7 : crc << 1;
  }
  return crc >>> 0;
}
