/**
 * Segments of a handful of packets that say of themselves which they are: one frame of video in each half second, with
 * the segment's name in its payload. Owns writing them and reading their frames out of any bytes; a file made of them
 * tells what is in it.
 */
import { AV, h264Slice, TsBuilder } from '../../unit/capture/ts-builder.ts';

export const FRAMES = 4;
export const FRAME_90K = 45_000;
export const SEGMENT_90K = FRAMES * FRAME_90K;
export const SEGMENT_MS = SEGMENT_90K / 90;
const PACKET = 188;
const VIDEO_PID = 0x100;
const WRAP = 2 ** 33;
const MARK = /\[([a-z0-9.]+)#(\d)\]/;

/** A whole segment; `id` of lower-case letters, digits and dots. */
export function writeSegment(id: string, first90k: number): Uint8Array {
  const ts = new TsBuilder();
  ts.pat().pmt(AV.slice(0, 1));
  for (let frame = 0; frame < FRAMES; frame += 1) {
    const slice = h264Slice(frame === 0, 130);
    Buffer.from(`[${id}#${frame}]`, 'latin1').copy(slice, 12);
    ts.pes(VIDEO_PID, { pts: (first90k + frame * FRAME_90K) % WRAP, payload: slice, randomAccess: frame === 0 });
  }
  return ts.bytes();
}

/** Only its first half, and a piece of a packet: a download or an upload that broke off. */
export function truncateSegment(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(0, (2 + FRAMES / 2) * PACKET + 100);
}

/** A frame with the packets that lead to it. */
export interface Frame {
  readonly bytes: Uint8Array;
  readonly dts90k: number;
  readonly sync: boolean;
}

/** The frames of a segment, in order; all its bytes are theirs. */
export function readFrames(segment: Uint8Array): Frame[] {
  const starts: number[] = [];
  for (let at = 0; at + PACKET <= segment.length; at += PACKET) {
    const pid = (((segment[at + 1] ?? 0) & 0x1f) << 8) | (segment[at + 2] ?? 0);
    if (pid === VIDEO_PID && ((segment[at + 1] ?? 0) & 0x40) !== 0) starts.push(at);
  }
  return starts.map((start, index) => ({
    bytes: segment.subarray(index === 0 ? 0 : start, starts[index + 1] ?? segment.length),
    dts90k: ptsOf(segment.subarray(start, start + PACKET)),
    sync: index === 0,
  }));
}

function ptsOf(packet: Uint8Array): number {
  const pes = 4 + ((packet[3] ?? 0) & 0x20 ? 1 + (packet[4] ?? 0) : 0);
  const [a = 0, b = 0, c = 0, d = 0, e = 0] = packet.subarray(pes + 9, pes + 14);
  return ((a >> 1) & 7) * 2 ** 30 + b * 2 ** 22 + (c >> 1) * 2 ** 15 + d * 2 ** 7 + (e >> 1);
}

/** Which frame these bytes are. @throws where they are none of ours */
export function markOf(bytes: Uint8Array): { readonly id: string; readonly frame: number } {
  const found = MARK.exec(Buffer.from(bytes).toString('latin1'));
  if (!found) throw new Error('a sample is no frame of any segment');
  return { id: found[1] ?? '', frame: Number(found[2]) };
}
