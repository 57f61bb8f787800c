/**
 * Audio frames of our own remux: which streams it knows, where the frames of a PES packet are, what must be the same in
 * all of them. Owns nothing of times; lengths of frames are audio-frames.ts.
 */
import { frameLengthOf } from './audio-frames.ts';
import { Declined } from './remux-payload.ts';

export interface AudioFraming {
  readonly lengthOf: (bytes: Uint8Array, at: number) => number;
  /** What of a header describes the decoder, the same in all frames of a track: as text, and compared with it. */
  readonly signatureOf: (bytes: Uint8Array, at: number) => string;
  readonly matcherOf: (signature: string) => (bytes: Uint8Array, at: number) => boolean;
  /** Bytes of a frame that are not in its sample. @throws {Declined} */
  readonly headerBytes: (bytes: Uint8Array, at: number) => number;
}

const SIGNED: Readonly<Record<string, readonly number[]>> = {
  // adts_fixed_header (ISO/IEC 13818-7 section 6.2.1): 28 bits, of them protection_absent not the decoder's business.
  AAC: [0xff, 0xfe, 0xff, 0xf0],
  // Version and layer; sampling frequency; mode (ISO/IEC 11172-3 section 2.4.1.3).
  'MPEG audio': [0xff, 0xfe, 0x0c, 0xc0],
  // fscod; bsid and bsmod; acmod (ETSI TS 102 366 section 4.3).
  'AC-3': [0xff, 0xff, 0, 0, 0xc0, 0xff, 0xe0],
};

/** Undefined for codecs whose frames are left to ffmpeg. E-AC-3 is: several of its frames may be one sample. */
export function audioFraming(streamName: string): AudioFraming | undefined {
  const lengthOf = frameLengthOf(streamName);
  const mask = SIGNED[streamName];
  if (lengthOf === undefined || mask === undefined) return undefined;
  return {
    lengthOf,
    signatureOf: (bytes, at) => Buffer.from(mask.map((bits, i) => bits & (bytes[at + i] ?? 0))).toString('hex'),
    matcherOf: (signature) => {
      const wanted = Buffer.from(signature, 'hex');
      return (bytes, at) => wanted.every((value, i) => ((bytes[at + i] ?? 0) & (mask[i] ?? 0)) === value);
    },
    headerBytes: streamName === 'AAC' ? adtsHeaderBytes : () => 0,
  };
}

/** 7, or 9 with a CRC; a sample of MP4 has neither (ISO/IEC 14496-14 section 3.1.2). */
function adtsHeaderBytes(bytes: Uint8Array, at: number): number {
  const isProtected = ((bytes[at + 1] ?? 0) & 1) === 0;
  const channels = (((bytes[at + 2] ?? 0) & 1) << 2) | ((bytes[at + 3] ?? 0) >> 6);
  // Several raw data blocks in a frame, or channels that only the first block tells.
  if (((bytes[at + 6] ?? 0) & 3) !== 0 || channels === 0) throw new Declined('AAC that needs more than its headers');
  return isProtected ? 9 : 7;
}

/**
 * Finds the frames that fill `bytes` from one position to another exactly, and tells what each is to be, in order.
 * @throws {Declined} where they do not, or one is of another configuration
 */
export function eachFrame(
  bytes: Uint8Array,
  { from, to }: { readonly from: number; readonly to: number },
  framing: AudioFraming,
  matches: (bytes: Uint8Array, at: number) => boolean,
  tell: (from: number, to: number) => void,
): void {
  for (let at = from; at < to; ) {
    const length = framing.lengthOf(bytes, at);
    if (length === 0 || at + length > to) throw new Declined('sound whose frames cross PES packets');
    if (!matches(bytes, at)) throw new Declined('sound of another configuration');
    tell(at + framing.headerBytes(bytes, at), at + length);
    at += length;
  }
}
