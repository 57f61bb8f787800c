/**
 * The PES packet header (ISO/IEC 13818-1, 2.4.3.6 and 2.4.3.7): timestamps and where the payload begins. Owns nothing
 * else of the elementary stream.
 */

export type PesHeader =
  | { state: 'ok'; pts90k: number | null; dts90k: number | null; payloadAt: number; scrambled: boolean }
  /** More bytes are needed: the header goes on in the next packet. */
  | { state: 'incomplete' }
  | { state: 'corrupt' };

/** stream_ids without the optional header: program stream map and directory, padding, private 2, ECM, EMM, DSM-CC, type E. */
const BARE_STREAM_IDS = new Set([0xbc, 0xbe, 0xbf, 0xf0, 0xf1, 0xf2, 0xf8, 0xff]);

const INCOMPLETE: PesHeader = { state: 'incomplete' };
const CORRUPT: PesHeader = { state: 'corrupt' };

/** Reads the header at `start`; `end` is where the bytes of this packet end. */
export function readPesHeader(bytes: Uint8Array, start: number, end: number): PesHeader {
  const at = (offset: number): number => (start + offset < end ? (bytes[start + offset] ?? -1) : -1);
  if (end - start < 3) return INCOMPLETE;
  if (at(0) !== 0 || at(1) !== 0 || at(2) !== 1) return CORRUPT;
  if (end - start < 9) return INCOMPLETE;
  if (BARE_STREAM_IDS.has(at(3)))
    return { state: 'ok', pts90k: null, dts90k: null, payloadAt: start + 6, scrambled: false };
  if (at(6) >> 6 !== 2) return CORRUPT; // '10': not an MPEG-2 PES header
  const headerLength = at(8);
  const payloadAt = start + 9 + headerLength;
  if (payloadAt > end) return INCOMPLETE;
  const flags = at(7) >> 6; // PTS_DTS_flags
  const scrambled = ((at(6) >> 4) & 3) !== 0;
  const pts90k = flags >= 2 && headerLength >= 5 ? timestamp(bytes, start + 9) : null;
  const dts90k = flags === 3 && headerLength >= 10 ? timestamp(bytes, start + 14) : null;
  return { state: 'ok', pts90k, dts90k, payloadAt, scrambled };
}

/** 33 bits in three pieces, each followed by a marker bit that must be 1. */
function timestamp(bytes: Uint8Array, at: number): number | null {
  const [b0 = 0, b1 = 0, b2 = 0, b3 = 0, b4 = 0] = bytes.subarray(at, at + 5);
  if ((b0 & 1) === 0 || (b2 & 1) === 0 || (b4 & 1) === 0) return null;
  return ((b0 >> 1) & 7) * 2 ** 30 + (((b1 << 8) | b2) >> 1) * 2 ** 15 + (((b3 << 8) | b4) >> 1);
}
