/**
 * Finds the PES packets of every elementary stream in a transport stream held in memory. Owns walking packets; what is
 * cut where is ts-carry.ts.
 */
import { PACKET, packetAt, pesHeader } from './ts-packets.ts';
import type { ProgramReader } from './ts-program.ts';

/** A PES packet that has a time stamp. One without belongs to the packet before it: frames begin where stamps are. */
export interface PesStart {
  /** Number of the transport packet it begins in. */
  readonly packet: number;
  /** 90 kHz, modulo 2^33. */
  readonly pts: number;
  readonly dts: number;
}

/** The stamped PES packets by PID, of the streams the program map names; the map is read on the way. */
export function scanStreams(ts: Uint8Array, program: ProgramReader): Map<number, PesStart[]> {
  const found = new Map<number, PesStart[]>();
  const packets = ts.length / PACKET;
  for (let packet = 0; packet < packets; packet++) {
    const at = packet * PACKET;
    const second = ts[at + 1] ?? 0;
    const pid = ((second & 0x1f) << 8) | (ts[at + 2] ?? 0);
    const isTable = program.isTable(pid);
    if (!isTable && (second & 0x40) === 0) continue;
    const info = packetAt(ts, at);
    if (isTable) program.read(ts, at, info);
    else if (info.starts) note(found, ts, pid, packet, info.payload);
  }
  return found;
}

/** A PID is noted before the map names it: the map of a part may stand behind the first packets of its streams. */
function note(found: Map<number, PesStart[]>, ts: Uint8Array, pid: number, packet: number, payload: number): void {
  const first = ts.subarray(packet * PACKET + payload, (packet + 1) * PACKET);
  // Sections begin with the same flag (2.4.4): a table that nobody reads is no PES packet.
  if (first.length >= 3 && (first[0] !== 0 || first[1] !== 0 || first[2] !== 1)) return;
  // Almost always all of the header is in the first packet; it may have up to 9 + 255 bytes.
  const header = pesHeader(first) ?? pesHeader(pesBytes(ts, pid, packet, 9 + 255).bytes);
  if (header?.pts === undefined || header.dts === undefined) return;
  const starts = found.get(pid);
  const start = { packet, pts: header.pts, dts: header.dts };
  if (starts === undefined) found.set(pid, [start]);
  else starts.push(start);
}

export interface PesBytes {
  /** Header and data, at most as many as asked for. */
  readonly bytes: Uint8Array;
  /** The transport packets they lie in. */
  readonly packets: readonly number[];
  readonly lastContinuity: number;
}

/** The bytes of the PES packet that begins in transport packet `first`, up to the next one of its PID. */
export function pesBytes(ts: Uint8Array, pid: number, first: number, limit = Number.POSITIVE_INFINITY): PesBytes {
  const chunks: Uint8Array[] = [];
  const packets: number[] = [];
  let length = 0;
  let lastContinuity = 0;
  for (let packet = first; packet < ts.length / PACKET && length < limit; packet++) {
    const at = packet * PACKET;
    if ((((ts[at + 1] ?? 0) & 0x1f) << 8) + (ts[at + 2] ?? 0) !== pid) continue;
    const info = packetAt(ts, at);
    if (info.starts && packet !== first) break;
    packets.push(packet);
    lastContinuity = info.continuity;
    chunks.push(ts.subarray(at + info.payload, at + PACKET));
    length += PACKET - info.payload;
  }
  const bytes = chunks.length === 1 ? (chunks[0] ?? new Uint8Array()) : Buffer.concat(chunks);
  return { bytes: bytes.subarray(0, Math.min(limit, length)), packets, lastContinuity };
}
