/**
 * Finds what of the first PES packet behind a cut is still the end of a frame that began ahead of it. Owns gathering the
 * data around a cut; lengths of frames are audio-frames.ts, access units parameter-sets.ts.
 */
import { bytesOfSplitFrame, type FrameLength, frameLengthOf } from './audio-frames.ts';
import { firstAccessUnit, nalCodec } from './parameter-sets.ts';
import { PACKET, packetAt, pesHeader } from './ts-packets.ts';
import type { ElementaryStream } from './ts-program.ts';
import { type PesStart, pesBytes } from './ts-scan.ts';

/** Bytes of `next`'s payload, the first stamped PES packet behind the cut; `own` are the stamped ones ahead of it. */
export function takenBehindCut(
  ts: Uint8Array,
  stream: ElementaryStream,
  own: readonly PesStart[],
  next: PesStart,
): number {
  // Three stamped packets back, and what comes without a stamp between: a frame may be longer than a packet.
  const from = own.at(-3) ?? own[0];
  if (from === undefined) return 0;
  const { bytes } = pesBytes(ts, stream.pid, next.packet);
  const payload = bytes.subarray(pesHeader(bytes)?.headerBytes ?? 0);
  const codec = nalCodec(stream.streamType);
  if (codec !== undefined) return firstAccessUnit(payload, codec);
  const lengthOf = frameLengthOf(stream.name);
  if (lengthOf === undefined) return 0;
  if (endsWithFrame(ts, stream.pid, own.at(-1) ?? from, payload, lengthOf)) return 0;
  return bytesOfSplitFrame(payloadBetween(ts, stream.pid, from.packet, next.packet), payload, lengthOf);
}

/** The usual case, told by one walk: whole frames fill the last packet, and the next one begins with a frame. */
function endsWithFrame(ts: Uint8Array, pid: number, last: PesStart, next: Uint8Array, lengthOf: FrameLength): boolean {
  const { bytes } = pesBytes(ts, pid, last.packet);
  let at = pesHeader(bytes)?.headerBytes ?? 0;
  for (let length = 1; at < bytes.length && length > 0; at += length) length = lengthOf(bytes, at);
  return at === bytes.length && lengthOf(next, 0) > 0;
}

/** The data of a PID from one transport packet up to another, PES headers taken off; `first` begins a PES packet. */
function payloadBetween(ts: Uint8Array, pid: number, first: number, end: number): Uint8Array {
  const chunks: Uint8Array[] = [];
  for (let packet = first; packet < end; packet++) {
    const at = packet * PACKET;
    if ((((ts[at + 1] ?? 0) & 0x1f) << 8) + (ts[at + 2] ?? 0) !== pid || !packetAt(ts, at).starts) continue;
    const { bytes } = pesBytes(ts, pid, packet);
    chunks.push(bytes.subarray(pesHeader(bytes)?.headerBytes ?? 0));
  }
  return Buffer.concat(chunks);
}
