/**
 * Bytes of movie fragments cut out of a movie (ISO/IEC 14496-12 section 8.8): the `moov` in front of them, and each as
 * `moof` and `mdat`. Samples stay as they are; only boxes around them are new. Which samples is clip-plan.ts.
 */
import * as boxes from './boxes.ts';
import { ByteWriter } from './byte-writer.ts';
import type { ReadExtents } from './clip-extents.ts';
import type { Layout } from './clip-sections.ts';
import type { SourceTrack } from './clip-source.ts';
import type { Sample } from './clip-tables.ts';
import { TableWriter } from './table-writer.ts';

/** Depends on no other sample; depends on others and is none to begin with (section 8.8.3.1). */
const SYNC_FLAGS = 0x0200_0000;
const NON_SYNC_FLAGS = 0x0101_0000;
const DEFAULT_BASE_IS_MOOF = 0x02_0000;
/** Data offset; duration, size, flags and composition offset of each sample. */
const TRUN_FLAGS = 0x1 | 0x100 | 0x200 | 0x400 | 0x800;

const EMPTY = new Uint8Array(0);

function fullBox(out: ByteWriter, type: string, version: number, flags: number, content: () => void): void {
  boxes.box(out, type, () => {
    out.u32(version * 0x100_0000 + flags);
    content();
  });
}

/** `ftyp` and `moov` of a layout: what a player loads before the fragments that have it. */
export function buildInit(layout: Layout): Uint8Array {
  const out = new ByteWriter(2048);
  boxes.box(out, 'ftyp', () => out.ascii('iso5').u32(0x200).ascii('iso5').ascii('iso6').ascii('mp41'));
  boxes.box(out, 'moov', () => {
    const nextTrack = Math.max(0, ...layout.members.map(({ track }) => track.id)) + 1;
    boxes.mvhd(out, { created: 0, timescale: 1000, duration: 0, nextTrack });
    for (const { track, entry } of layout.members) trak(out, track, entry);
    boxes.box(out, 'mvex', () => {
      for (const { track } of layout.members)
        fullBox(out, 'trex', 0, 0, () => out.u32(track.id).u32(1).u32(0).u32(0).u32(0));
    });
  });
  return out.bytes.slice();
}

function trak(out: ByteWriter, track: SourceTrack, entry: number): void {
  const { id, kind, width, height, timescale, language } = track;
  boxes.box(out, 'trak', () => {
    boxes.tkhd(out, { created: 0, id, duration: 0, kind, enabled: true, width, height });
    boxes.box(out, 'mdia', () => {
      boxes.mdhd(out, { created: 0, timescale, duration: 0, language });
      boxes.hdlr(out, kind);
      boxes.box(out, 'minf', () => {
        boxes.mediaHeader(out, kind);
        boxes.dinf(out);
        boxes.box(out, 'stbl', () => {
          boxes.stsd(out, [track.entries[entry] ?? EMPTY]);
          boxes.stts(out, new TableWriter());
          boxes.stsc(out, []);
          boxes.stsz(out, new TableWriter());
          boxes.co64(out, 0);
        });
      });
    });
  });
}

/** The samples of one track of a fragment, in order. */
export interface TrackSamples {
  readonly track: SourceTrack;
  readonly samples: readonly Sample[];
}

/**
 * One fragment. Times of decoding are those of the movie's presentation plus `leadSeconds`, so that they are not
 * negative; the edit lists of the movie are thereby applied.
 * @param sequence from 1
 */
export function buildFragment(
  tracks: readonly TrackSamples[],
  sequence: number,
  leadSeconds: number,
  media: ReadExtents,
): Uint8Array {
  const mediaBytes = tracks.reduce((sum, { samples }) => sum + sizeOf(samples), 0);
  const headBytes = tracks.reduce((sum, { samples }) => sum + 100 + samples.length * 16, 100);
  const out = new ByteWriter(headBytes + mediaBytes);
  const dataOffsets: number[] = [];
  boxes.box(out, 'moof', () => {
    fullBox(out, 'mfhd', 0, 0, () => out.u32(sequence));
    for (const { track, samples } of tracks) dataOffsets.push(traf(out, track, samples, leadSeconds));
  });
  const moofBytes = out.length;
  let at = moofBytes + 8;
  for (const [index, { samples }] of tracks.entries()) {
    out.patchU32(dataOffsets[index] ?? 0, at);
    at += sizeOf(samples);
  }
  out.u32(mediaBytes + 8).ascii('mdat');
  for (const { samples } of tracks) {
    for (const { position, size } of samples) out.put(media.at(position, size));
  }
  return out.bytes;
}

/** Answers where the position of its data is to be written. */
function traf(out: ByteWriter, track: SourceTrack, samples: readonly Sample[], leadSeconds: number): number {
  let dataOffset = 0;
  boxes.box(out, 'traf', () => {
    fullBox(out, 'tfhd', 0, DEFAULT_BASE_IS_MOOF, () => out.u32(track.id));
    const first = (samples[0]?.dts ?? 0) + track.shift + leadSeconds * track.timescale;
    fullBox(out, 'tfdt', 1, 0, () => out.u64(first));
    fullBox(out, 'trun', 1, TRUN_FLAGS, () => {
      out.u32(samples.length);
      dataOffset = out.length;
      out.u32(0);
      for (const { duration, size, sync, offset } of samples) {
        out
          .u32(duration)
          .u32(size)
          .u32(sync ? SYNC_FLAGS : NON_SYNC_FLAGS)
          .i32(offset);
      }
    });
  });
  return dataOffset;
}

function sizeOf(samples: readonly Sample[]): number {
  return samples.reduce((sum, { size }) => sum + size, 0);
}
