/**
 * Access units of our own remux: H.264 and HEVC in a byte stream (ITU-T H.264 and H.265, annex B) become samples with
 * lengths (ISO/IEC 14496-15 section 5.3.2). Owns which units a plain access unit has, whether decoding can begin with it,
 * and the bytes; parameter sets must be those the track is described by.
 */
import { nalCodec } from './parameter-sets.ts';
import { Declined } from './remux-payload.ts';

/** Room behind which an access unit is gathered: each start code of three bytes makes its sample a byte longer. */
export const SAMPLE_SLACK = 512;

const CODE = Buffer.of(0, 0, 1);

/** What of a plain access unit parameter-sets.ts does not know of its codec. */
interface UnitRules {
  readonly isSlice: (type: number) => boolean;
  /** May stand before the first slice; nothing else may. */
  readonly before: ReadonlySet<number>;
  readonly behind: ReadonlySet<number>;
  /** Bytes of a unit's header; the first bit behind it says that a slice begins a picture. */
  readonly headerBytes: number;
  readonly isKey: (type: number) => boolean;
  /** Units that hold messages, where a recovery point makes a key picture as well. */
  readonly message: number | undefined;
  /** libavformat's parser gives the first zero of the next picture's start code to the picture before it. */
  readonly takesNextZero: boolean;
}

const H264: UnitRules = {
  // Data partitions and extensions (2 to 4, 14, 20) are ffmpeg's.
  isSlice: (type) => type === 1 || type === 5,
  before: new Set([6, 7, 8, 9]),
  behind: new Set([12]),
  headerBytes: 1,
  isKey: (type) => type === 5,
  message: 6,
  takesNextZero: false,
};

const HEVC: UnitRules = {
  isSlice: (type) => type <= 9 || (type >= 16 && type <= 21),
  before: new Set([32, 33, 34, 35, 39]),
  behind: new Set([38, 40]),
  headerBytes: 2,
  // Intra random access pictures (7.4.2.2).
  isKey: (type) => type >= 16,
  message: undefined,
  takesNextZero: true,
};

/** By stream_type of the program map. */
const RULES: ReadonlyMap<number, UnitRules> = new Map([
  [27, H264],
  [36, HEVC],
]);

/** Undefined for codecs that are left to ffmpeg. */
export function unitRules(streamType: number): UnitRules | undefined {
  return RULES.get(streamType);
}

export interface Sample {
  readonly end: number;
  readonly sync: boolean;
}

export interface AccessUnit {
  readonly from: number;
  readonly to: number;
  /** Where its sample is to begin, at most SAMPLE_SLACK ahead of it. */
  readonly at: number;
  readonly streamType: number;
  /** The parameter sets of the track's description, base64. */
  readonly sets: ReadonlySet<string>;
  /** The next picture's start code has four bytes; false where none follows. */
  readonly zeroFollows: boolean;
}

/** Turns an access unit in memory into a sample. @throws {Declined} */
export function writeSample(memory: Buffer, accessUnit: AccessUnit): Sample {
  const { from, to, at, streamType, sets } = accessUnit;
  const rules = RULES.get(streamType);
  const codec = nalCodec(streamType);
  if (rules === undefined || codec === undefined) throw new Declined('a codec that is left to ffmpeg');
  const unit = memory.subarray(from, to);
  // The byte before the first start code, and zeros at the end, are where parsers differ.
  const lead = unit[2] === 1 ? 0 : 1;
  if (unit[0] !== 0 || unit[1] !== 0 || unit[lead + 1] !== 0 || unit[lead + 2] !== 1 || unit.at(-1) === 0)
    throw new Declined('a picture that does not fill its PES packet');
  let out = at;
  let slices = 0;
  let sync = false;
  for (let code = lead; code >= 0; ) {
    const start = code + 3;
    const next = unit.indexOf(CODE, start);
    // A zero before a start code belongs to it.
    const end = next < 0 ? unit.length : unit[next - 1] === 0 ? next - 1 : next;
    const added = next < 0 && rules.takesNextZero && accessUnit.zeroFollows ? 1 : 0;
    const type = codec.typeOf(unit[start] ?? 0);
    const isFirst = code === lead;
    if (end - start <= rules.headerBytes) throw new Declined('an empty unit');
    if (rules.isSlice(type)) {
      const beginsPicture = ((unit[start + rules.headerBytes] ?? 0) & 0x80) !== 0;
      if (beginsPicture !== (slices === 0)) throw new Declined('not one picture in a PES packet');
      slices += 1;
      sync ||= rules.isKey(type);
    } else {
      const allowed = slices === 0 ? rules.before : rules.behind;
      if (!allowed.has(type) || (type === codec.delimiter && !isFirst)) throw new Declined(`a unit of type ${type}`);
      if (codec.sets.has(type) && !sets.has(base64(unit.subarray(start, end))))
        throw new Declined('parameter sets of another configuration');
      if (type === rules.message) sync ||= hasRecoveryPoint(unit.subarray(start + rules.headerBytes, end));
    }
    if (out + 4 > from + start) throw new Declined('a picture of very many units');
    const length = end - start;
    memory.copyWithin(out + 4, from + start, from + end);
    memory.writeUInt32BE(length + added, out);
    out += 4 + length;
    if (added > 0) memory[out++] = 0;
    code = next;
  }
  if (slices === 0) throw new Declined('a PES packet without a picture');
  return { end: out, sync };
}

/** As parameter-sets.ts names them: without the zeros behind. */
function base64(unit: Buffer): string {
  let end = unit.length;
  while (end > 0 && unit[end - 1] === 0) end--;
  return unit.toString('base64', 0, end);
}

/** recovery_point (H.264 annex D.1.8, payload type 6): decoding can begin here; ffmpeg calls it a key frame. */
function hasRecoveryPoint(message: Uint8Array): boolean {
  const bytes = withoutEmulation(message);
  let at = 0;
  // rbsp_trailing_bits: one byte.
  while (at + 2 < bytes.length) {
    let type = 0;
    let size = 0;
    for (; bytes[at] === 255; at++) type += 255;
    type += bytes[at++] ?? 0;
    for (; bytes[at] === 255; at++) size += 255;
    size += bytes[at++] ?? 0;
    if (type === 6) return true;
    at += size;
  }
  return false;
}

/** Takes out emulation_prevention_three_byte (7.4.1). */
function withoutEmulation(bytes: Uint8Array): Uint8Array {
  const code = Buffer.of(0, 0, 3);
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const pieces: Buffer[] = [];
  let from = 0;
  for (let at = buffer.indexOf(code); at >= 0; at = buffer.indexOf(code, from)) {
    pieces.push(buffer.subarray(from, at + 2));
    from = at + 3;
  }
  return pieces.length === 0 ? buffer : Buffer.concat([...pieces, buffer.subarray(from)]);
}
