/**
 * Parameter sets of H.264 and HEVC in a byte stream (ITU-T H.264 and H.265, annex B), and the sequence header of MPEG-2
 * video. Owns finding and wrapping them: a part that begins between two key frames has none of its own, and without them
 * its pictures cannot be described.
 */
import { channelElement, withChannelElement } from './channel-element.ts';

/** nal_unit_type of what is looked for. */
interface Codec {
  readonly typeOf: (header: number) => number;
  readonly sequenceSet: number;
  readonly sets: ReadonlySet<number>;
  readonly delimiter: number;
  readonly isSlice: (type: number) => boolean;
}

const H264: Codec = {
  typeOf: (header) => header & 31,
  sequenceSet: 7,
  sets: new Set([7, 8, 13, 15]),
  delimiter: 9,
  isSlice: (type) => type >= 1 && type <= 5,
};
const HEVC: Codec = {
  typeOf: (header) => (header >> 1) & 63,
  sequenceSet: 33,
  sets: new Set([32, 33, 34]),
  delimiter: 35,
  isSlice: (type) => type < 32,
};

/** By stream_type of the program map; undefined for codecs without parameter sets. */
export function nalCodec(streamType: number): Codec | undefined {
  return streamType === 27 ? H264 : streamType === 36 ? HEVC : undefined;
}

/** How what describes a codec is found at the beginning of an access unit, and put before another one. */
export interface SetRules {
  readonly find: (accessUnit: Uint8Array) => Uint8Array[];
  readonly putBefore: (units: readonly Uint8Array[], accessUnit: Uint8Array) => Uint8Array;
  /** What of them is then in its sample. */
  readonly asSample: (units: readonly Uint8Array[]) => Uint8Array;
}

const MPEG_VIDEO: SetRules = {
  find: sequenceHeader,
  putBefore: (units, accessUnit) => Buffer.concat([...units, accessUnit]),
  asSample: Buffer.concat,
};

/** ffmpeg takes the element out of its first frame again. */
const AAC: SetRules = { find: channelElement, putBefore: withChannelElement, asSample: () => Buffer.of() };

/** By stream_type of the program map; undefined for codecs that need nothing to be described. */
export function setRules(streamType: number): SetRules | undefined {
  if (streamType === 1 || streamType === 2) return MPEG_VIDEO;
  if (streamType === 15) return AAC;
  const codec = nalCodec(streamType);
  return codec && { find: (accessUnit) => parameterSets(accessUnit, codec), putBefore, asSample };
}

interface Nal {
  readonly type: number;
  /** Position of its start code's 00 00 01. */
  readonly code: number;
  readonly bytes: Uint8Array;
}

/** The parameter sets at the beginning of an access unit, each as one NAL unit; empty when it has no sequence set. */
export function parameterSets(accessUnit: Uint8Array, codec: Codec): Uint8Array[] {
  const units = nalUnits(accessUnit, codec);
  if (!units.some((unit) => unit.type === codec.sequenceSet)) return [];
  return units.filter((unit) => codec.sets.has(unit.type)).map((unit) => unit.bytes);
}

const SEQUENCE = Buffer.of(0, 0, 1, 0xb3);
const GROUP = Buffer.of(0, 0, 1, 0xb8);
const PICTURE = Buffer.of(0, 0, 1, 0);

/** The sequence header of MPEG-1 and MPEG-2 video and its extensions (ISO/IEC 13818-2 section 6.2.2), start codes and all. */
function sequenceHeader(accessUnit: Uint8Array): Uint8Array[] {
  const bytes = Buffer.from(accessUnit.buffer, accessUnit.byteOffset, accessUnit.length);
  const from = bytes.indexOf(SEQUENCE);
  if (from < 0) return [];
  // Verbatim up to what follows: extensions may end with zeros.
  const ends = [bytes.indexOf(GROUP, from), bytes.indexOf(PICTURE, from)].filter((at) => at >= 0);
  return ends.length > 0 ? [bytes.subarray(from, Math.min(...ends))] : [];
}

/** True where the beginning of an access unit shows that a slice comes before any parameter set: then it has none. */
export function slicesFirst(beginning: Uint8Array, codec: Codec): boolean {
  const first = nalUnits(beginning, codec).find(({ type }) => codec.isSlice(type) || codec.sets.has(type));
  return first !== undefined && codec.isSlice(first.type);
}

/** With start codes, before an access unit. */
function putBefore(units: readonly Uint8Array[], accessUnit: Uint8Array): Uint8Array {
  return Buffer.concat([...units.flatMap((unit) => [Uint8Array.of(0, 0, 0, 1), unit]), accessUnit]);
}

/** With lengths, as they stand in a sample of MP4 (ISO/IEC 14496-15 section 5.3.2). */
function asSample(units: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(
    units.flatMap((unit) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(unit.length);
      return [length, unit];
    }),
  );
}

/** Where the first access unit begins in a payload that begins with the end of another one; 0 where it begins with one. */
export function firstAccessUnit(payload: Uint8Array, codec: Codec): number {
  let at = 0;
  while (at < payload.length && payload[at] === 0) at++;
  if (at >= 2 && payload[at] === 1) return 0;
  const delimiter = nalUnits(payload, codec).find((unit) => unit.type === codec.delimiter);
  if (delimiter === undefined) return 0;
  return payload[delimiter.code - 1] === 0 ? delimiter.code - 1 : delimiter.code;
}

function nalUnits(bytes: Uint8Array, codec: Codec): Nal[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const code = Buffer.of(0, 0, 1);
  const units: Nal[] = [];
  for (let at = buffer.indexOf(code); at >= 0; ) {
    const next = buffer.indexOf(code, at + 3);
    let end = next < 0 ? buffer.length : next;
    // Zeros before a start code belong to it or trail the unit, not to it (annex B.1).
    while (next >= 0 && end > at + 3 && buffer[end - 1] === 0) end--;
    if (end > at + 3)
      units.push({ type: codec.typeOf(buffer[at + 3] ?? 0), code: at, bytes: buffer.subarray(at + 3, end) });
    at = next;
  }
  return units;
}
