/**
 * Learns from ffmpeg what our own remux may do: the tracks of a slice are described by what ffmpeg made of it, and
 * believed only if we make equal samples of the same slice. Owns that comparison.
 */
import type { Piece } from '../mp4/sample-index.ts';
import { audioFraming } from './remux-audio.ts';
import type { RemuxMemory } from './remux-payload.ts';
import {
  configOf,
  type RemuxContext,
  remuxSlice,
  type TrackDescription,
  type TrackDescriptions,
} from './remux-slice.ts';
import { latestSets } from './stream-sets.ts';
import type { PlannedStream, SlicePlan } from './ts-carry.ts';
import { pesHeader } from './ts-packets.ts';
import { pesBytes } from './ts-scan.ts';

/** What ffmpeg made of a slice: chunk positions count from the first byte of the media. */
export interface MadeByFfmpeg {
  readonly media: Uint8Array;
  readonly pieces: readonly Piece[];
}

export type Learned =
  | { readonly descriptions: TrackDescriptions }
  /** Why the next slices of the run are ffmpeg's as well. */
  | { readonly declined: string };

/** Makes the slice again on our own, and says what can be relied on. */
export function learnFrom(
  input: RemuxMemory,
  plan: SlicePlan,
  made: MadeByFfmpeg,
  context: Omit<RemuxContext, 'descriptions'>,
): Learned {
  const descriptions: Record<string, TrackDescription> = {};
  for (const stream of plan.streams) {
    const piece = made.pieces.find(({ position }) => position === stream.position);
    if (piece !== undefined) descriptions[stream.cut.stream.pid] = describe(input, stream, piece);
  }
  const ours = remuxSlice(input, plan, { ...context, descriptions });
  if ('declined' in ours) return ours;
  const difference = differenceOf(made, ours);
  return difference === undefined ? { descriptions } : { declined: `our samples differ from ffmpeg's: ${difference}` };
}

function describe(input: RemuxMemory, { cut }: PlannedStream, piece: Piece): TrackDescription {
  const ts = input.memory.subarray(0, input.tsBytes);
  const own = cut.first === undefined ? [] : latestSets(ts, cut.stream, [cut.first]);
  return {
    config: configOf(cut.stream),
    signature: cut.first === undefined ? '' : signatureAt(ts, cut.stream.name, cut.stream.pid, cut.first.packet),
    sets: own.length > 0 ? own : cut.setsBefore,
    entry: Buffer.from(piece.entry).toString('base64'),
    timescale: piece.timescale,
    language: piece.language,
    width: piece.width,
    height: piece.height,
    frame: cut.kind === 'audio' ? (piece.durations.at(-1) ?? 0) : 0,
  };
}

function signatureAt(ts: Uint8Array, streamName: string, pid: number, packet: number): string {
  const { bytes } = pesBytes(ts, pid, packet, 9 + 255 + 16);
  return audioFraming(streamName)?.signatureOf(bytes, pesHeader(bytes)?.headerBytes ?? 0) ?? '';
}

/** All that is written down of a sample, and its bytes; where chunks lie is no difference. */
function differenceOf(theirs: MadeByFfmpeg, ours: MadeByFfmpeg): string | undefined {
  if (theirs.pieces.length !== ours.pieces.length) return 'another number of tracks';
  for (const a of theirs.pieces) {
    const b = ours.pieces.find(({ position }) => position === a.position);
    if (b === undefined || a.kind !== b.kind || a.ordinal !== b.ordinal) return 'other tracks';
    const differs = (['dts', 'durations', 'offsets', 'sizes', 'sync'] as const).find((field) =>
      typeof a[field] === 'number' ? a[field] !== b[field] : Buffer.compare(bytesOf(a[field]), bytesOf(b[field])) !== 0,
    );
    if (differs !== undefined) return `${differs} of track ${a.position}`;
    if (!sameMedia(theirs, a, ours, b)) return `the bytes of track ${a.position}`;
  }
  return undefined;
}

function bytesOf(column: number | ArrayBufferView): Buffer {
  return typeof column === 'number' ? Buffer.of() : Buffer.from(column.buffer, column.byteOffset, column.byteLength);
}

function sameMedia(theirs: MadeByFfmpeg, a: Piece, ours: MadeByFfmpeg, b: Piece): boolean {
  const [theirAt, ourAt] = [positionsOf(a), positionsOf(b)];
  return a.sizes.every((size, i) => {
    const [from, to] = [theirAt[i] ?? 0, ourAt[i] ?? 0];
    return Buffer.compare(theirs.media.subarray(from, from + size), ours.media.subarray(to, to + size)) === 0;
  });
}

/** Where each sample lies. */
function positionsOf({ chunkOffsets, chunkSamples, sizes }: Piece): number[] {
  const positions: number[] = [];
  for (const [chunk, offset] of chunkOffsets.entries()) {
    let at = offset;
    for (let i = 0; i < (chunkSamples[chunk] ?? 0); i++) {
      positions.push(at);
      at += sizes[positions.length - 1] ?? 0;
    }
  }
  return positions;
}
