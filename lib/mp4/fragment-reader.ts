/**
 * Reads one movie fragment (ISO/IEC 14496-12 section 8.8): moof, traf, tfhd, tfdt, trun. Owns where each sample lies, how
 * long it lasts and whether it can be sought to; the tracks it belongs to come from reader.ts.
 */
import { type Box, childrenOf, fullBox, requireChild } from './box-reader.ts';
import { Corrupt, Truncated, Unsupported } from './errors.ts';
import type { FragmentRun, InitTrack } from './reader.ts';

/** sample_is_non_sync_sample, section 8.8.3.1. */
const NON_SYNC = 0x0001_0000;

interface TrackFragment {
  readonly track: InitTrack;
  readonly base: number;
  readonly duration: number;
  readonly size: number;
  readonly flags: number;
}

/**
 * The runs of one `moof`. `nextDts` remembers, by track, where the fragment before ended, for one without a tfdt.
 */
export function readMoof(
  bytes: Uint8Array,
  moof: Box,
  tracks: readonly InitTrack[],
  nextDts: Map<number, number>,
): FragmentRun[] {
  const runs: FragmentRun[] = [];
  for (const traf of childrenOf(bytes, moof)) {
    if (traf.type !== 'traf') continue;
    const fragment = readTfhd(bytes, moof, requireChild(bytes, traf, 'tfhd'), tracks);
    const { track } = fragment;
    let dts = nextDts.get(track.id) ?? 0;
    let offset = fragment.base;
    for (const box of childrenOf(bytes, traf)) {
      if (box.type === 'tfdt') dts = readTfdt(bytes, box);
      if (box.type !== 'trun') continue;
      const run = readTrun(bytes, box, fragment, dts, offset);
      dts += run.durations.reduce((sum, duration) => sum + duration, 0);
      offset = run.offset + run.sizes.reduce((sum, size) => sum + size, 0);
      if (offset > bytes.length) throw new Truncated(`samples up to ${offset}, the file ends at ${bytes.length}`);
      if (run.sizes.length > 0) runs.push(run);
    }
    nextDts.set(track.id, dts);
  }
  return runs;
}

/** TrackFragmentHeaderBox, section 8.8.7. */
function readTfhd(bytes: Uint8Array, moof: Box, box: Box, tracks: readonly InitTrack[]): TrackFragment {
  const { reader, flags } = fullBox(bytes, box);
  const id = reader.u32();
  const track = tracks.find((candidate) => candidate.id === id);
  if (track === undefined) throw new Corrupt(`a fragment of track ${id}, which the moov does not have`);
  const explicitBase = flags & 0x1 ? reader.u64() : undefined;
  // Without either, the base of a second traf is where the data of the first ended: no writer of ours does that.
  if (explicitBase === undefined && !(flags & 0x2_0000))
    throw new Unsupported('a fragment without default-base-is-moof');
  if (flags & 0x2 && reader.u32() !== 1) throw new Unsupported('a fragment of another sample entry');
  return {
    track,
    base: explicitBase ?? moof.start,
    duration: flags & 0x8 ? reader.u32() : track.defaults.duration,
    size: flags & 0x10 ? reader.u32() : track.defaults.size,
    flags: flags & 0x20 ? reader.u32() : track.defaults.flags,
  };
}

/** TrackFragmentBaseMediaDecodeTimeBox, section 8.8.12. Signed: ffmpeg writes times before 0 as two's complement. */
function readTfdt(bytes: Uint8Array, box: Box): number {
  const { reader, version } = fullBox(bytes, box);
  return version === 1 ? reader.i64() : reader.u32();
}

/** TrackRunBox, section 8.8.8. Composition offsets are unsigned in version 0, signed in version 1. */
function readTrun(bytes: Uint8Array, box: Box, fragment: TrackFragment, dts: number, after: number): FragmentRun {
  const { reader, flags, version } = fullBox(bytes, box);
  const count = reader.u32();
  const offset = flags & 0x1 ? fragment.base + reader.i32() : after;
  const firstFlags = flags & 0x4 ? reader.u32() : undefined;
  const fields = [0x100, 0x200, 0x400, 0x800].filter((bit) => flags & bit).length;
  // A run of defaults has no bytes a sample: then the bytes of the samples themselves bound it.
  const most = fields > 0 ? reader.left / (fields * 4) : fragment.size > 0 ? bytes.length / fragment.size : 0;
  if (count > most) throw new Truncated(`a run of ${count} samples where ${Math.floor(most)} fit`);
  if (offset < 0) throw new Corrupt(`samples at ${offset}`);
  const durations: number[] = [];
  const sizes: number[] = [];
  const offsets: number[] = [];
  const sync: boolean[] = [];
  for (let i = 0; i < count; i++) {
    durations.push(flags & 0x100 ? reader.u32() : fragment.duration);
    sizes.push(flags & 0x200 ? reader.u32() : fragment.size);
    const own = flags & 0x400 ? reader.u32() : fragment.flags;
    const sampleFlags = i === 0 && firstFlags !== undefined ? firstFlags : own;
    sync.push((sampleFlags & NON_SYNC) === 0);
    offsets.push(flags & 0x800 ? (version === 0 ? reader.u32() : reader.i32()) : 0);
  }
  return { trackId: fragment.track.id, dts: dts + fragment.track.shift, offset, durations, sizes, offsets, sync };
}
