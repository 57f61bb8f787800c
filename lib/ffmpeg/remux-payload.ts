/**
 * Gathers the data of one PES packet behind each other, in memory that also holds the transport stream, and refuses what
 * is not plain. Owns transport packets and PES headers on our own way; what the data is, is remux-video.ts and
 * remux-audio.ts.
 */
import { PACKET, packetAt, pesHeader } from './ts-packets.ts';
import { pesBytes } from './ts-scan.ts';

/** Something that ffmpeg may see otherwise than we do: the slice is its, not ours. Never leaves lib/ffmpeg. */
export class Declined extends Error {}

/** One stretch of memory: the transport stream first, room for the samples behind it. */
export interface RemuxMemory {
  readonly memory: Buffer;
  /** Bytes of transport stream at its beginning. */
  readonly tsBytes: number;
}

/** Continuity counters are followed from packet to packet; a break where a PES packet begins loses nothing. */
export class PayloadReader {
  readonly #memory: Buffer;
  readonly #ts: Uint8Array;
  readonly #pid: number;

  constructor({ memory, tsBytes }: RemuxMemory, pid: number) {
    this.#memory = memory;
    this.#ts = memory.subarray(0, tsBytes);
    this.#pid = pid;
  }

  /**
   * Writes the data of the PES packet that begins in transport packet `from` to `at`, up to the packet `to`, where the
   * next one of its PID begins. Answers with the end. @throws {Declined}
   */
  gather(from: number, to: number, at: number): number {
    const memory = this.#memory;
    const pid = this.#pid;
    let out = at;
    let continuity = -1;
    let length = 0;
    for (let start = from * PACKET; start < to * PACKET; start += PACKET) {
      const second = memory[start + 1] ?? 0;
      if ((((second & 0x1f) << 8) | (memory[start + 2] ?? 0)) !== pid) continue;
      const fourth = memory[start + 3] ?? 0;
      // transport_error_indicator, transport_scrambling_control; adaptation_field_control without a payload.
      if ((second & 0x80) !== 0 || (fourth & 0xc0) !== 0) throw new Declined('a damaged or scrambled packet');
      if ((fourth & 0x10) === 0) continue;
      const adaptation = (fourth & 0x20) === 0 ? 0 : 1 + (memory[start + 4] ?? 0);
      let payload = start + 4 + adaptation;
      const end = start + PACKET;
      if (payload > end) throw new Declined('an adaptation field longer than its packet');
      if (continuity < 0) {
        const header = this.#header(from, payload, end);
        payload += header.headerBytes;
        // PES_packet_length counts from behind itself; 0 leaves it open.
        length = header.length === 0 ? 0 : header.length + 6 - header.headerBytes;
      } else if ((second & 0x40) !== 0) throw new Declined('a PES packet without a time stamp');
      else if ((fourth & 0x0f) !== ((continuity + 1) & 0x0f)) throw new Declined('a packet is missing, or came twice');
      continuity = fourth & 0x0f;
      if (out + PACKET > memory.length) throw new Declined('more data than there is room for');
      memory.copyWithin(out, payload, end);
      out += end - payload;
    }
    if (length !== 0 && out - at !== length) throw new Declined('a PES packet of another length than it says');
    return out;
  }

  /** Where the data of the PES packet that begins in transport packet `packet` lies; behind everything where none does. */
  dataOf(packet: number): number {
    const at = packet * PACKET;
    if (at >= this.#ts.length) return this.#memory.length;
    const { payload } = packetAt(this.#ts, at);
    const data = at + payload + this.#header(packet, at + payload, at + PACKET).headerBytes;
    if (data + 4 > at + PACKET) throw new Declined('a PES packet whose data begins in its second packet');
    return data;
  }

  #header(packet: number, payload: number, end: number) {
    const header = pesHeader(this.#memory.subarray(payload, end));
    if (header !== undefined) return header;
    const { bytes } = pesBytes(this.#ts, this.#pid, packet, 9 + 255);
    throw new Declined(pesHeader(bytes) ? 'a PES header over two packets' : 'no PES header');
  }
}
