/**
 * Rows of a made-up ledger, as an encoder and its uploads would leave them. Owns the shapes that the tests of order,
 * runs and completeness share.
 */
import type { OrderRow } from '../../../lib/capture/order.ts';
import type { RunSegment } from '../../../lib/capture/runs.ts';
import type { SegmentProbe, TrackProbe } from '../../../lib/capture/ts-probe.ts';

export const T0 = Date.UTC(2025, 9, 5, 18, 0, 0);
const FIRST_DTS = 126_000;

export interface RowShape {
  number: number;
  /** Seconds after T0 at which it was uploaded. */
  at: number;
  /** Tells epochs apart in the tests' expectations: part of ETag and id. */
  take?: string;
  seconds?: number;
  firstDts?: number | null;
  sequence?: number | null;
  name?: string;
  position?: number;
}

/** A segment of a stream whose timestamps begin at 1.4 s with number 0, as ffmpeg's do. Its id is like `a3`. */
export function row({
  number,
  at,
  take = 'a',
  seconds = 2,
  firstDts,
  sequence = null,
  name,
  position,
}: RowShape): OrderRow {
  const first = firstDts === undefined ? FIRST_DTS + number * seconds * 90_000 : firstDts;
  return {
    id: `${take}${number}`,
    name: name ?? `segment_${number}.ts`,
    number,
    playlistSequence: sequence,
    modifiedAtMs: T0 + at * 1000,
    firstDts90k: first,
    endDts90k: first === null ? null : first + seconds * 90_000,
    durationMs: seconds * 1000,
    etag: `${take}-${number}`,
    ...(position === undefined ? {} : { position }),
  };
}

/** Numbers `from` to `to`, uploaded every two seconds from `at` on. */
export function rows(from: number, to: number, at: number, shape: Partial<RowShape> = {}): OrderRow[] {
  return Array.from({ length: to - from + 1 }, (_, i) => row({ ...shape, number: from + i, at: at + i * 2 }));
}

export interface ProbeShape {
  first?: number;
  seconds?: number;
  /** How much later the sound begins and ends than the picture, in ticks. */
  audioOffset?: number;
  fingerprint?: string;
  tracks?: ('video' | 'audio')[];
  audioFirst?: number;
  videoFirst?: number;
}

/** A probe of 25 fps video and AAC. */
export function probe(shape: ProbeShape = {}): SegmentProbe {
  const {
    first = FIRST_DTS,
    seconds = 2,
    audioOffset = 0,
    fingerprint = 'h264:1',
    tracks = ['video', 'audio'],
  } = shape;
  const ticks = seconds * 90_000;
  const video = track(0x100, 'video', shape.videoFirst ?? first, ticks, 3600, fingerprint);
  const audio = track(0x101, 'audio', shape.audioFirst ?? first + audioOffset, ticks, 1920, 'aac:2:48000:2');
  return {
    version: 1,
    usable: { offset: 0, bytes: 188_000 },
    packets: 1000,
    pcrPid: 0x100,
    tracks: [video, audio].filter(({ kind }) => tracks.includes(kind as 'video' | 'audio')),
    primaryPid: 0x100,
    firstDts90k: first,
    endDts90k: first + ticks,
    durationMs: seconds * 1000,
    startsWithKeyframe: true,
    damage: {
      continuityErrors: 0,
      repeatedPackets: 0,
      transportErrors: 0,
      corruptPackets: 0,
      droppedBytes: 0,
      truncatedBytes: 0,
      scrambledPackets: 0,
      corruptUnits: 0,
      timestampJumps: 0,
    },
    notes: [],
  };
}

function track(
  pid: number,
  kind: 'video' | 'audio',
  first: number,
  ticks: number,
  frame: number,
  fingerprint: string,
): TrackProbe {
  return {
    pid,
    streamType: kind === 'video' ? 0x1b : 0x0f,
    codec: kind === 'video' ? 'h264' : 'aac',
    kind,
    programNumber: 1,
    packets: 500,
    units: 50,
    times: {
      firstDts90k: first,
      lastDts90k: first + ticks - frame,
      endDts90k: first + ticks,
      minPts90k: first,
      endPts90k: first + ticks,
    },
    keyframeFirst: kind === 'video' ? true : null,
    fingerprint,
    width: null,
    height: null,
    sampleRate: null,
    channels: null,
  };
}

export interface RunSegmentShape extends ProbeShape {
  number: number;
  epoch?: number;
  discontinuity?: boolean;
  afterGap?: boolean;
  at?: number;
}

export function runSegment({
  number,
  epoch = 0,
  discontinuity = false,
  afterGap = false,
  at,
  ...shape
}: RunSegmentShape): RunSegment {
  const first = shape.first ?? FIRST_DTS + number * 180_000;
  return {
    number,
    epoch,
    discontinuity,
    afterGap,
    modifiedAtMs: T0 + (at ?? number * 2 + 2) * 1000,
    probe: probe({ ...shape, first }),
  };
}
