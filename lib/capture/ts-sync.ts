/**
 * Where the packets of a transport stream lie in some bytes (ISO/IEC 13818-1, 2.4.3.2: 188 bytes, sync byte 0x47), and
 * what the bytes are instead if there are none. Owns framing only.
 */
import { SegmentEmptyError, SegmentNotTsError, SegmentTruncatedError, SegmentUnsupportedError } from './errors.ts';

export const TS_PACKET = 188;
export const SYNC = 0x47;

/** Packets in a row that must agree before an offset other than 0 is believed. */
const CONFIDENT = 5;
/** Rubbish in front is skipped up to here (an HTTP chunk header, a cut first packet). */
const SEARCH_LIMIT = 64 * 1024;

/** The offset of the first packet. Throws a typed rejection if the bytes are no transport stream of 188-byte packets. */
export function findFirstPacket(bytes: Uint8Array): number {
  if (bytes.length === 0) throw new SegmentEmptyError();
  const whole = Math.floor(bytes.length / TS_PACKET);
  if (whole === 0) {
    if (bytes[0] === SYNC && !isText(bytes)) throw new SegmentTruncatedError(0, bytes.length);
    throw new SegmentNotTsError(describe(bytes));
  }
  if (inStep(bytes, 0, TS_PACKET, Math.min(CONFIDENT, whole)) && !(whole < CONFIDENT && isText(bytes))) return 0;
  for (const [stride, lead] of [[192, 4] as const, [204, 0] as const]) {
    if (inStep(bytes, lead, stride, CONFIDENT)) throw new SegmentUnsupportedError(`packets of ${stride} bytes`);
  }
  const limit = Math.min(SEARCH_LIMIT, bytes.length - CONFIDENT * TS_PACKET);
  for (let at = 1; at <= limit; at++) {
    if (bytes[at] === SYNC && inStep(bytes, at, TS_PACKET, CONFIDENT)) return at;
  }
  throw new SegmentNotTsError(describe(bytes));
}

function inStep(bytes: Uint8Array, offset: number, stride: number, count: number): boolean {
  for (let i = 0; i < count; i++) {
    if (bytes[offset + i * stride] !== SYNC) return false;
  }
  return true;
}

/**
 * The next packet at or after `from` once the sync byte was missing: confirmed by the two packets behind it, as far as
 * the bytes reach. The length of the bytes if there is none.
 */
export function findNextPacket(bytes: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(SYNC, from); at >= 0; at = bytes.indexOf(SYNC, at + 1)) {
    if (at + TS_PACKET > bytes.length) break;
    const second = bytes[at + TS_PACKET];
    const third = bytes[at + 2 * TS_PACKET];
    if ((second === undefined || second === SYNC) && (third === undefined || third === SYNC)) return at;
  }
  return bytes.length;
}

/**
 * The packets of a transport stream, each that repeats the one before it of its PID (2.4.3.3) left out. Its counter and its
 * data are the same; a program clock reference in front of them may differ.
 */
export function withoutRepetitions(bytes: Uint8Array): Uint8Array {
  const kept = new Uint8Array(bytes.length);
  const last = new Map<number, Uint8Array>();
  let length = 0;
  for (let at = findNextPacket(bytes, 0); at + TS_PACKET <= bytes.length; at += TS_PACKET) {
    if (bytes[at] !== SYNC) at = findNextPacket(bytes, at);
    const packet = bytes.subarray(at, at + TS_PACKET);
    if (packet.length < TS_PACKET) break;
    const pid = (((packet[1] ?? 0) & 0x1f) << 8) | (packet[2] ?? 0);
    const hasData = ((packet[3] ?? 0) & 0x10) !== 0;
    const before = last.get(pid);
    if (hasData && before !== undefined && isRepetition(packet, before)) continue;
    if (hasData) last.set(pid, packet);
    kept.set(packet, length);
    length += TS_PACKET;
  }
  return kept.subarray(0, length);
}

function isRepetition(packet: Uint8Array, before: Uint8Array): boolean {
  const control = packet[3] ?? 0;
  if (packet[1] !== before[1] || control !== before[3]) return false;
  const data = (control & 0x20) === 0 ? 4 : 5 + (packet[4] ?? 0);
  return packet[4] === before[4] && Buffer.compare(packet.subarray(data), before.subarray(data)) === 0;
}

const SIGNATURES: readonly (readonly [offset: number, text: string, name: string])[] = [
  [0, '#EXTM3U', 'an HLS playlist'],
  [4, 'ftyp', 'an MP4 file'],
  [4, 'styp', 'an MP4 (CMAF) segment'],
  [4, 'moof', 'an MP4 (CMAF) segment'],
  [0, 'ID3', 'an ID3 tag (packed audio)'],
  [0, '\x1f\x8b', 'gzip-compressed data'],
  [0, 'PK', 'a zip archive'],
  [0, '\x1a\x45\xdf\xa3', 'a Matroska or WebM file'],
  [0, 'FLV', 'an FLV file'],
];

function describe(bytes: Uint8Array): string {
  const head = String.fromCharCode(...bytes.subarray(0, 64));
  for (const [offset, signature, name] of SIGNATURES) {
    if (head.startsWith(signature, offset)) return name;
  }
  const text = head
    .replace(/^\xef\xbb\xbf/, '')
    .trimStart()
    .toLowerCase();
  if (isText(bytes)) {
    if (text.startsWith('<?xml') || text.startsWith('<error')) return 'XML (an error of the object store?)';
    if (text.startsWith('<')) return 'HTML';
    if (text.startsWith('{') || text.startsWith('[')) return 'JSON';
    return 'text';
  }
  if (bytes.subarray(0, 4096).every((byte) => byte === 0)) return 'zeros';
  return bytes.length % 16 === 0 ? 'noise (AES-128 encrypted?)' : 'noise';
}

function isText(bytes: Uint8Array): boolean {
  return bytes.subarray(0, 512).every((b) => (b >= 0x20 && b !== 0x7f) || b === 0x09 || b === 0x0a || b === 0x0d);
}
