/**
 * Builds transport streams packet by packet, for cases that no encoder makes. Owns no codec: payloads are given.
 */
import { crc32 } from '../../../lib/capture/ts-psi.ts';

export interface PesOptions {
  pts?: number;
  dts?: number;
  payload?: Uint8Array;
  streamId?: number;
  randomAccess?: boolean;
}

export class TsBuilder {
  readonly #packets: Uint8Array[] = [];
  readonly #counters = new Map<number, number>();

  bytes(): Uint8Array {
    return Buffer.concat(this.#packets);
  }

  /** One packet; the payload is stuffed by an adaptation field to 184 bytes. */
  packet(
    pid: number,
    payload: Uint8Array,
    unitStart = false,
    options: { flags?: number; tei?: boolean; scrambled?: boolean; cc?: number } = {},
  ): this {
    const counter = options.cc ?? ((this.#counters.get(pid) ?? -1) + 1) & 15;
    this.#counters.set(pid, counter);
    const packet = new Uint8Array(188).fill(0xff);
    const adaptation = payload.length < 184 || options.flags !== undefined;
    packet[0] = 0x47;
    packet[1] = (unitStart ? 0x40 : 0) | (options.tei ? 0x80 : 0) | (pid >> 8);
    packet[2] = pid & 0xff;
    packet[3] = (adaptation ? 0x30 : 0x10) | (options.scrambled ? 0xc0 : 0) | counter;
    if (adaptation) {
      const length = 183 - payload.length;
      packet[4] = length;
      if (length > 0) packet[5] = options.flags ?? 0;
    }
    packet.set(payload, 188 - payload.length);
    this.#packets.push(packet);
    return this;
  }

  raw(bytes: Uint8Array): this {
    this.#packets.push(bytes);
    return this;
  }

  pat(programs: Record<number, number> = { 1: 0x1000 }): this {
    const body = Object.entries(programs).flatMap(([program, pid]) => [
      Number(program) >> 8,
      Number(program) & 255,
      0xe0 | (pid >> 8),
      pid & 255,
    ]);
    return this.packet(0, section(0x00, 1, body), true);
  }

  pmt(
    streams: readonly { pid: number; type: number; descriptors?: number[] }[],
    { pid = 0x1000, program = 1, current = true, breakCrc = false } = {},
  ): this {
    const body = [0xe1, 0x00, 0xf0, 0x00];
    for (const stream of streams) {
      const descriptors = stream.descriptors ?? [];
      body.push(stream.type, 0xe0 | (stream.pid >> 8), stream.pid & 255, 0xf0, descriptors.length, ...descriptors);
    }
    const bytes = section(0x02, program, body, current);
    if (breakCrc) bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    return this.packet(pid, bytes, true);
  }

  /** A PES packet in as many packets as it takes. */
  pes(pid: number, options: PesOptions = {}): this {
    const { pts, dts, payload = new Uint8Array(20), streamId = 0xe0, randomAccess = false } = options;
    const times = [
      ...(pts === undefined ? [] : timestamp(dts === undefined ? 2 : 3, pts)),
      ...(dts === undefined ? [] : timestamp(1, dts)),
    ];
    const flags = pts === undefined ? 0 : dts === undefined ? 0x80 : 0xc0;
    const unit = Buffer.concat([
      Uint8Array.from([0, 0, 1, streamId, 0, 0, 0x80, flags, times.length, ...times]),
      payload,
    ]);
    for (let at = 0; at < unit.length; ) {
      const first = at === 0;
      const room = first && randomAccess ? 182 : 184;
      this.packet(pid, unit.subarray(at, at + room), first, first && randomAccess ? { flags: 0x40 } : {});
      at += room;
    }
    return this;
  }
}

function timestamp(prefix: number, ticks: number): number[] {
  const high = Math.floor(ticks / 2 ** 30) & 7;
  const middle = Math.floor(ticks / 2 ** 15) & 0x7fff;
  const low = ticks % 2 ** 15;
  return [(prefix << 4) | (high << 1) | 1, middle >> 7, ((middle & 0x7f) << 1) | 1, low >> 7, ((low & 0x7f) << 1) | 1];
}

/** A PSI section behind its pointer field. */
function section(tableId: number, id: number, body: readonly number[], current = true): Uint8Array {
  const length = body.length + 9;
  const bytes = [tableId, 0xb0 | (length >> 8), length & 255, id >> 8, id & 255, current ? 0xc1 : 0xc0, 0, 0, ...body];
  const crc = crc32(Uint8Array.from(bytes));
  return Uint8Array.from([0, ...bytes, crc >>> 24, (crc >>> 16) & 255, (crc >>> 8) & 255, crc & 255]);
}

/** ADTS frames of stereo AAC-LC at 48 kHz with `size` bytes each. */
export function adtsFrames(count: number, size = 40): Uint8Array {
  const frame = new Uint8Array(size);
  frame.set([0xff, 0xf1, 0x4c, 0x80 | (size >> 11), (size >> 3) & 255, ((size & 7) << 5) | 0x1f, 0xfc]);
  return Buffer.concat(Array.from({ length: count }, () => frame));
}

/** An H.264 unit without parameter sets: a delimiter and one slice. */
export function h264Slice(idr: boolean, size = 300): Uint8Array {
  return Buffer.concat([
    Uint8Array.from([0, 0, 0, 1, 9, 0xf0, 0, 0, 1, idr ? 0x65 : 0x41]),
    new Uint8Array(size).fill(0x55),
  ]);
}

/** A usual segment: video with B-frame-free H.264 at 25 fps from `first`, AAC beside it. */
export function plainSegment({ first = 126_000, frames = 50, tables = true, keyframe = true } = {}): TsBuilder {
  const ts = new TsBuilder();
  if (tables) ts.pat().pmt(AV);
  for (let i = 0; i < frames; i++) {
    const pts = (first + i * 3600) % 2 ** 33;
    ts.pes(0x100, { pts, payload: h264Slice(keyframe && i === 0), randomAccess: keyframe && i === 0 });
    if (i % 8 === 0)
      ts.pes(0x101, { pts: (first + (i / 8) * 15 * 1920) % 2 ** 33, payload: adtsFrames(15), streamId: 0xc0 });
  }
  return ts;
}

export const AV = [
  { pid: 0x100, type: 0x1b },
  { pid: 0x101, type: 0x0f },
];
