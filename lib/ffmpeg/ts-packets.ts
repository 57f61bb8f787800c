/**
 * MPEG-2 transport stream packets and PES headers (ISO/IEC 13818-1 sections 2.4.3.2 to 2.4.3.7): reading, re-stamping,
 * packing. Pure functions over bytes; which packets belong where is ts-carry.ts.
 */

export const PACKET = 188;
const SYNC = 0x47;
/** Time stamps count to 2^33 at 90 kHz, 26.5 h, and begin again. */
export const WRAP = 2 ** 33;

export interface PacketInfo {
  readonly pid: number;
  /** payload_unit_start_indicator */
  readonly starts: boolean;
  readonly continuity: number;
  /** Position of the payload in the packet, PACKET when it has none. */
  readonly payload: number;
}

/** The packet at `at`, which has its sync byte and PACKET bytes. */
export function packetAt(ts: Uint8Array, at: number): PacketInfo {
  const second = ts[at + 1] ?? 0;
  const fourth = ts[at + 3] ?? 0;
  const hasPayload = (fourth & 0x10) !== 0;
  const adaptation = fourth & 0x20 ? 1 + (ts[at + 4] ?? 0) : 0;
  return {
    pid: ((second & 0x1f) << 8) | (ts[at + 2] ?? 0),
    starts: (second & 0x40) !== 0 && hasPayload,
    continuity: fourth & 0x0f,
    payload: hasPayload ? Math.min(PACKET, 4 + adaptation) : PACKET,
  };
}

/**
 * Only whole packets, each beginning with the sync byte: what is between them is lost sync, and dropped. Sync is found
 * again where two packets follow each other.
 */
export function aligned(bytes: Uint8Array): Uint8Array {
  const whole = bytes.length - (bytes.length % PACKET);
  let at = 0;
  while (at < whole && bytes[at] === SYNC) at += PACKET;
  if (at === whole) return bytes.subarray(0, whole);
  const kept = new Uint8Array(whole);
  kept.set(bytes.subarray(0, at));
  let length = at;
  let inSync = at > 0;
  while (at + PACKET <= bytes.length) {
    const isFollowed = at + PACKET === bytes.length || bytes[at + PACKET] === SYNC;
    inSync = bytes[at] === SYNC && (inSync || isFollowed);
    if (inSync) {
      kept.set(bytes.subarray(at, at + PACKET), length);
      length += PACKET;
    }
    at += inSync ? PACKET : 1;
  }
  return kept.subarray(0, length);
}

export interface PesHeader {
  readonly streamId: number;
  /** Position of PES_packet_length in the packet's bytes, and its value. */
  readonly length: number;
  /** Bytes from the start of the PES packet to its data. */
  readonly headerBytes: number;
  /** In 90 kHz ticks modulo WRAP. */
  readonly pts: number | undefined;
  /** The PTS where the header has no DTS. */
  readonly dts: number | undefined;
}

/** Reads a PES header from its first bytes; undefined where these are none, or too few. */
export function pesHeader(bytes: Uint8Array): PesHeader | undefined {
  if (bytes.length < 9 || bytes[0] !== 0 || bytes[1] !== 0 || bytes[2] !== 1) return undefined;
  const streamId = bytes[3] ?? 0;
  const headerBytes = 9 + (bytes[8] ?? 0);
  // Only streams with the optional header, which begins with the bits 10.
  if (((bytes[6] ?? 0) & 0xc0) !== 0x80 || headerBytes > bytes.length) return undefined;
  const flags = (bytes[7] ?? 0) >> 6;
  const pts = flags & 2 && headerBytes >= 14 ? readStamp(bytes, 9) : undefined;
  const dts = flags === 3 && headerBytes >= 19 ? readStamp(bytes, 14) : pts;
  return { streamId, length: ((bytes[4] ?? 0) << 8) | (bytes[5] ?? 0), headerBytes, pts, dts };
}

/** 33 bits in five bytes with marker bits between (section 2.4.3.6). */
export function readStamp(bytes: Uint8Array, at: number): number {
  const [a = 0, b = 0, c = 0, d = 0, e = 0] = bytes.subarray(at, at + 5);
  return ((a >> 1) & 7) * 2 ** 30 + ((b << 22) | ((c >> 1) << 15) | (d << 7) | (e >> 1));
}

/** Keeps the four bits before the stamp. */
export function writeStamp(bytes: Uint8Array, at: number, ticks: number): void {
  const value = ((ticks % WRAP) + WRAP) % WRAP;
  const low = value % 2 ** 30;
  bytes[at] = ((bytes[at] ?? 0) & 0xf0) | (Math.floor(value / 2 ** 30) << 1) | 1;
  bytes[at + 1] = (low >> 22) & 0xff;
  bytes[at + 2] = ((low >> 14) & 0xfe) | 1;
  bytes[at + 3] = (low >> 7) & 0xff;
  bytes[at + 4] = ((low << 1) & 0xfe) | 1;
}

/** How much later `ticks` is than `reference`, between -WRAP/2 and WRAP/2. */
export function ticksSince(ticks: number, reference: number): number {
  const difference = (((ticks - reference) % WRAP) + WRAP) % WRAP;
  return difference >= WRAP / 2 ? difference - WRAP : difference;
}

/**
 * Packs one PES packet into transport packets whose last one has continuity counter `lastContinuity`, so that what
 * follows of that PID continues it. Into `count` packets where given and possible, to take the place of as many.
 */
export function packetise(pes: Uint8Array, pid: number, lastContinuity: number, count = 1): Uint8Array {
  const room = PACKET - 4;
  const total = Math.min(Math.max(count, Math.ceil(pes.length / room)), pes.length);
  const out = new Uint8Array(total * PACKET);
  let from = 0;
  for (let i = 0; i < total; i++) {
    const at = i * PACKET;
    // Full packets while that leaves a byte for each of the rest.
    const chunk = pes.subarray(from, from + Math.min(room, pes.length - from - (total - 1 - i)));
    from += chunk.length;
    const stuffing = room - chunk.length;
    out[at] = SYNC;
    out[at + 1] = (i === 0 ? 0x40 : 0) | (pid >> 8);
    out[at + 2] = pid & 0xff;
    const continuity = (((lastContinuity - (total - 1 - i)) % 16) + 16) % 16;
    out[at + 3] = (stuffing > 0 ? 0x30 : 0x10) | continuity;
    if (stuffing > 0) {
      out[at + 4] = stuffing - 1;
      if (stuffing > 1) out.fill(0xff, at + 6, at + 4 + stuffing);
    }
    out.set(chunk, at + 4 + stuffing);
  }
  return out;
}

/** The PES packet with another payload; its length field follows, 0 (unbounded) where 16 bits do not hold it. */
export function withPayload(header: Uint8Array, payload: Uint8Array): Uint8Array {
  const pes = new Uint8Array(header.length + payload.length);
  pes.set(header);
  pes.set(payload, header.length);
  const announced = ((pes[4] ?? 0) << 8) | (pes[5] ?? 0);
  const length = announced === 0 || pes.length - 6 > 0xffff ? 0 : pes.length - 6;
  pes[4] = length >> 8;
  pes[5] = length & 0xff;
  return pes;
}
