/**
 * Reads the head of a video access unit: is it a place to start decoding, and which decoder configuration does it
 * carry. Owns H.264, HEVC and MPEG-2; other codecs stay unknown (null). Does not decode.
 */
import { createHash } from 'node:crypto';
import { BitReader, withoutEmulationPrevention } from './bit-reader.ts';

export interface VideoConfig {
  /** Equal for equal decoder configurations: `h264:` and a hash over the parameter sets. */
  fingerprint: string;
  width: number | null;
  height: number | null;
}

export interface VideoUnit {
  /** Random access: IDR, recovery point, IRAP or an intra picture behind a sequence header. Null if unknown. */
  keyframe: boolean | null;
  config: VideoConfig | null;
}

const UNKNOWN: VideoUnit = { keyframe: null, config: null };

/** `whole` says that `bytes` hold the entire unit, so that a parameter set at their very end is complete. */
export function readVideoUnit(codec: string, bytes: Uint8Array, whole: boolean): VideoUnit {
  if (codec === 'h264') return readH264(bytes, whole);
  if (codec === 'hevc') return readHevc(bytes, whole);
  if (codec === 'mpeg2video' || codec === 'mpeg1video') return readMpeg2(codec, bytes);
  return UNKNOWN;
}

/** Byte ranges between start codes (ISO/IEC 14496-10, annex B); the last one may be cut. */
function* startCodeUnits(bytes: Uint8Array): Generator<{ data: Uint8Array; last: boolean }> {
  let begin = -1;
  for (let i = 0; i + 2 < bytes.length; i++) {
    if (bytes[i] !== 0 || bytes[i + 1] !== 0 || bytes[i + 2] !== 1) continue;
    if (begin >= 0) yield { data: trimZeros(bytes.subarray(begin, i)), last: false };
    begin = i + 3;
    i += 2;
  }
  if (begin >= 0 && begin < bytes.length) yield { data: bytes.subarray(begin), last: true };
}

function trimZeros(nal: Uint8Array): Uint8Array {
  let end = nal.length;
  while (end > 0 && nal[end - 1] === 0) end--;
  return nal.subarray(0, end);
}

function fingerprintOf(codec: string, sets: Iterable<Uint8Array>): string {
  const hash = createHash('sha256');
  for (const set of sets) hash.update(`${set.length}:`).update(set);
  return `${codec}:${hash.digest('hex').slice(0, 32)}`;
}

/** Distinct parameter sets in the order of their bytes, so that repeated or reordered sets hash the same. */
function distinct(sets: Uint8Array[]): Uint8Array[] {
  const byBytes = new Map(sets.map((set) => [Buffer.from(set).toString('latin1'), set]));
  return [...byBytes].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, set]) => set);
}

function dimensions(read: () => { width: number; height: number }): { width: number | null; height: number | null } {
  try {
    const { width, height } = read();
    const plausible = (value: number) => Number.isSafeInteger(value) && value > 0 && value <= 65_536;
    return plausible(width) && plausible(height) ? { width, height } : { width: null, height: null };
  } catch {
    return { width: null, height: null }; // damaged: the fingerprint still tells one from another
  }
}

function readH264(bytes: Uint8Array, whole: boolean): VideoUnit {
  const sets: Uint8Array[] = [];
  let sps: Uint8Array | null = null;
  let recovery = false;
  let keyframe: boolean | null = null;
  for (const { data, last } of startCodeUnits(bytes)) {
    const type = (data[0] ?? 0) & 0x1f; // nal_unit_type, table 7-1
    const complete = !last || whole;
    if (type === 7 && complete) sps ??= data;
    if ((type === 7 || type === 8) && complete) sets.push(data);
    if (type === 6 && hasRecoveryPoint(data)) recovery = true;
    if (type === 5 || type === 1 || type === 2) {
      keyframe = type === 5 || recovery;
      break;
    }
  }
  if (sps === null) return { keyframe, config: null };
  const payload = withoutEmulationPrevention(sps.subarray(1));
  const size = dimensions(() => h264Size(new BitReader(payload)));
  return { keyframe, config: { fingerprint: fingerprintOf('h264', distinct(sets)), ...size } };
}

/** SEI payloadType 6 (ISO/IEC 14496-10, D.1.1 and D.1.8): decoding may start here (open GOP). */
function hasRecoveryPoint(sei: Uint8Array): boolean {
  const next = { at: 1 };
  const number = (): number => {
    let value = 0;
    while (sei[next.at] === 0xff) {
      value += 255;
      next.at++;
    }
    return value + (sei[next.at++] ?? 0);
  };
  while (next.at + 1 < sei.length) {
    const payloadType = number();
    if (payloadType === 6) return true;
    const payloadSize = number();
    next.at += payloadSize;
  }
  return false;
}

const H264_HIGH_PROFILES = new Set([100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135]);

/** seq_parameter_set_data (ISO/IEC 14496-10, 7.3.2.1.1) up to the cropping rectangle. */
function h264Size(r: BitReader): { width: number; height: number } {
  const profile = r.bits(8);
  r.skip(16);
  r.ue(); // seq_parameter_set_id
  let chroma = 1;
  if (H264_HIGH_PROFILES.has(profile)) {
    chroma = r.ue();
    if (chroma === 3) r.skip(1);
    r.ue(); // bit_depth_luma_minus8
    r.ue(); // bit_depth_chroma_minus8
    r.skip(1);
    if (r.bits(1) === 1) skipScalingLists(r, chroma === 3 ? 12 : 8);
  }
  r.ue(); // log2_max_frame_num_minus4
  const pocType = r.ue();
  if (pocType === 0) r.ue();
  if (pocType === 1) {
    r.skip(1);
    r.se();
    r.se();
    for (let left = r.ue(); left > 0; left--) r.se();
  }
  r.ue(); // max_num_ref_frames
  r.skip(1);
  const widthInMbs = r.ue() + 1;
  const heightInMapUnits = r.ue() + 1;
  const frameMbsOnly = r.bits(1);
  if (frameMbsOnly === 0) r.skip(1);
  r.skip(1);
  const crop = r.bits(1) === 1 ? [r.ue(), r.ue(), r.ue(), r.ue()] : [0, 0, 0, 0];
  const [left = 0, right = 0, top = 0, bottom = 0] = crop;
  const cropX = chroma === 1 || chroma === 2 ? 2 : 1;
  const cropY = (chroma === 1 ? 2 : 1) * (2 - frameMbsOnly);
  return {
    width: widthInMbs * 16 - (left + right) * cropX,
    height: heightInMapUnits * 16 * (2 - frameMbsOnly) - (top + bottom) * cropY,
  };
}

function skipScalingLists(r: BitReader, count: number): void {
  for (let list = 0; list < count; list++) {
    if (r.bits(1) === 0) continue;
    let last = 8;
    let next = 8;
    for (let i = 0; i < (list < 6 ? 16 : 64) && next !== 0; i++) {
      next = (last + r.se() + 256) % 256;
      last = next === 0 ? last : next;
    }
  }
}

function readHevc(bytes: Uint8Array, whole: boolean): VideoUnit {
  const sets: Uint8Array[] = [];
  let sps: Uint8Array | null = null;
  let keyframe: boolean | null = null;
  for (const { data, last } of startCodeUnits(bytes)) {
    const type = ((data[0] ?? 0) >> 1) & 0x3f; // ISO/IEC 23008-2, table 7-1
    const complete = !last || whole;
    if (type === 33 && complete) sps ??= data;
    if (type >= 32 && type <= 34 && complete) sets.push(data);
    if (type < 32) {
      keyframe = type >= 16 && type <= 21; // BLA, IDR, CRA
      break;
    }
  }
  if (sps === null) return { keyframe, config: null };
  const payload = withoutEmulationPrevention(sps.subarray(2));
  const size = dimensions(() => hevcSize(new BitReader(payload)));
  return { keyframe, config: { fingerprint: fingerprintOf('hevc', distinct(sets)), ...size } };
}

/** seq_parameter_set_rbsp (ISO/IEC 23008-2, 7.3.2.2.1) up to the conformance window. */
function hevcSize(r: BitReader): { width: number; height: number } {
  r.skip(4);
  const subLayers = r.bits(3);
  r.skip(1);
  r.skip(88 + 8); // profile_tier_level: general part and level (7.3.3)
  const present: [number, number][] = [];
  for (let i = 0; i < subLayers; i++) present.push([r.bits(1), r.bits(1)]);
  if (subLayers > 0) r.skip(2 * (8 - subLayers));
  for (const [profile, level] of present) r.skip(profile * 88 + level * 8);
  r.ue(); // sps_seq_parameter_set_id
  const chroma = r.ue();
  if (chroma === 3) r.skip(1);
  const width = r.ue();
  const height = r.ue();
  if (r.bits(1) === 0) return { width, height };
  const [left, right, top, bottom] = [r.ue(), r.ue(), r.ue(), r.ue()];
  const cropX = chroma === 1 || chroma === 2 ? 2 : 1;
  return { width: width - (left + right) * cropX, height: height - (top + bottom) * (chroma === 1 ? 2 : 1) };
}

/** Sequence header and picture header (ISO/IEC 13818-2, 6.2.2.1 and 6.2.3). */
function readMpeg2(codec: string, bytes: Uint8Array): VideoUnit {
  let config: VideoConfig | null = null;
  for (const { data } of startCodeUnits(bytes)) {
    if (data[0] === 0xb3 && data.length >= 8) {
      const size = ((data[1] ?? 0) << 16) | ((data[2] ?? 0) << 8) | (data[3] ?? 0);
      const [width, height] = [size >> 12, size & 0xfff];
      config = { fingerprint: `${codec}:${width}x${height}:${data[4] ?? 0}`, width, height };
    }
    if (data[0] === 0x00 && data.length >= 3) return { keyframe: (((data[2] ?? 0) >> 3) & 7) === 1, config };
  }
  return { keyframe: null, config };
}
