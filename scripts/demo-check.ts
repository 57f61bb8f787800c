/**
 * Judges a finished recording as a stranger would: reads the file, its boxes and its packets, and compares every
 * packet with one ffmpeg over the joined bytes of what was pushed. Prints nothing.
 */
import { stat } from 'node:fs/promises';
import { z } from 'zod';
import {
  assertFaststart,
  comparePackets,
  ffprobe,
  type PacketStream,
  packets,
  referenceRemux,
} from '../test/support/media/index.ts';

export interface Finding {
  readonly name: string;
  readonly says: string;
  readonly ok: boolean;
}

export interface ToJudge {
  /** The finished MP4, downloaded. */
  readonly file: string;
  /** Segments as they were pushed, in order. */
  readonly segments: readonly string[];
  readonly hasDiscontinuity: boolean;
  /** As the API gives them. */
  readonly duration: number;
  readonly fileSize: number;
}

export async function judge(recording: ToJudge): Promise<Finding[]> {
  const probe = await describeFile(recording.file);
  const { size } = await stat(recording.file);
  const seconds = Number(probe.format.duration);
  return [
    {
      name: 'duration',
      says: `${seconds.toFixed(3)} s in the file, ${recording.duration} s in the API`,
      ok: Math.abs(seconds - recording.duration) < 1,
    },
    {
      name: 'size',
      says: `${megabytes(size)} (${size} bytes in the store, ${recording.fileSize} in the API)`,
      ok: size === recording.fileSize,
    },
    { name: 'tracks', says: probe.streams.map(tellTrack).join(' · '), ok: probe.streams.length > 0 },
    await assertFaststart(recording.file).then(
      () => ({ name: 'layout', says: 'moov in front of the media: plays while it loads', ok: true }),
      (error: unknown) => ({ name: 'layout', says: String(error), ok: false }),
    ),
    await comparison(recording),
  ];
}

async function comparison({ file, segments, hasDiscontinuity }: ToJudge): Promise<Finding> {
  const reference = await referenceRemux(segments, { maps: ['0:v?', '0:a?'] });
  const [actual, expected] = await Promise.all([packets(file, { hash: true }), packets(reference, { hash: true })]);
  // Where timestamps jump, one demuxer over all bytes is no reference for times, but it is one for the bytes.
  const [have, want] = hasDiscontinuity ? [timeless(actual), timeless(expected)] : [actual, expected];
  const differences = comparePackets(have, want, 3);
  const count = expected.reduce((sum, stream) => sum + stream.packets.length, 0);
  const equal = hasDiscontinuity
    ? 'in order and bytes (times jump within this stream)'
    : 'in pts, dts, size, flags and bytes';
  return {
    name: 'packets',
    says:
      differences.length === 0 ? `${count} of ${count} equal to a single-pass remux ${equal}` : differences.join('; '),
    ok: differences.length === 0 && count > 0,
  };
}

function timeless(streams: readonly PacketStream[]): PacketStream[] {
  return streams.map((stream) => ({
    ...stream,
    packets: stream.packets.map((packet) => ({ ...packet, pts: null, dts: null })),
  }));
}

const probed = z.object({
  format: z.object({ duration: z.string() }),
  streams: z.array(
    z.object({
      codec_name: z.string().default('unknown'),
      width: z.number().optional(),
      height: z.number().optional(),
      avg_frame_rate: z.string().optional(),
      sample_rate: z.string().optional(),
      channels: z.number().optional(),
    }),
  ),
});

async function describeFile(file: string): Promise<z.output<typeof probed>> {
  const { stdout } = await ffprobe(['-show_format', '-show_streams', '-of', 'json', file]);
  return probed.parse(JSON.parse(stdout));
}

function tellTrack(track: z.output<typeof probed>['streams'][number]): string {
  if (track.width === undefined) return `${track.codec_name} ${track.sample_rate} Hz, ${track.channels} ch`;
  const [frames = 0, per = 1] = (track.avg_frame_rate ?? '0/1').split('/').map(Number);
  return `${track.codec_name} ${track.width}×${track.height}, ${Number((frames / (per || 1)).toFixed(3))} fps`;
}

export function megabytes(bytes: number): string {
  return bytes < 100_000 ? `${(bytes / 1000).toFixed(1)} kB` : `${(bytes / 1_000_000).toFixed(2)} MB`;
}
