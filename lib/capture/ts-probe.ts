/**
 * Judges one segment: an MPEG transport stream with usable samples, or a typed reason why not. Owns what is stored of
 * a segment in the ledger (JSON). A damaged segment counts with what is whole of it; its damage is noted.
 *
 * Reading: ts-sync (framing) → ts-scan (packets) → ts-psi (tables), ts-pes (timestamps), ts-track (units) → codec-*.
 */
import { delta90k, ticksToMs, unwrap90k } from './clock90k.ts';
import { readAudioFrames } from './codec-audio.ts';
import {
  SegmentEncryptedError,
  SegmentNoProgramError,
  SegmentNoTimestampsError,
  SegmentTruncatedError,
} from './errors.ts';
import type { ElementaryStream, TrackKind } from './ts-psi.ts';
import { readUnitPayload, type ScanDamage, SegmentScan } from './ts-scan.ts';
import { findFirstPacket } from './ts-sync.ts';
import type { TrackScan } from './ts-track.ts';

/** The audio frames of a segment's last PES packet; a PES packet of audio is at most 64 KiB (2.4.3.7). */
const LAST_UNIT_LIMIT = 66 * 1024;

interface TrackTimes {
  /** DTS of the first unit, raw 33 bits. The others are unwrapped from it: they may exceed 2^33. */
  firstDts90k: number;
  lastDts90k: number;
  /** Where the next unit is due: the last DTS plus the last unit's duration (estimated for video). */
  endDts90k: number;
  minPts90k: number;
  /** The end of the presentation: the greatest PTS plus that duration. */
  endPts90k: number;
}

export interface TrackProbe {
  pid: number;
  streamType: number;
  codec: string;
  kind: TrackKind;
  programNumber: number;
  packets: number;
  /** PES packets: frames for video, groups of frames for audio. */
  units: number;
  /** Null if the track is in the tables, but no unit with a timestamp is in the segment. */
  times: TrackTimes | null;
  /** Decoding can start with the first unit; null where that is unknown or without meaning. */
  keyframeFirst: boolean | null;
  /** Differs where the decoder must be set up anew; null if the segment does not say. */
  fingerprint: string | null;
  width: number | null;
  height: number | null;
  sampleRate: number | null;
  channels: number | null;
}

interface SegmentDamage extends ScanDamage {
  /** PES packets without a readable header. */
  corruptUnits: number;
  /** Backward or huge steps of a track's DTS within the segment. */
  timestampJumps: number;
}

export interface SegmentProbe {
  version: 1;
  /** The whole packets: joined segments must consist of them, or the next segment is misread. */
  usable: { offset: number; bytes: number };
  packets: number;
  pcrPid: number | null;
  tracks: TrackProbe[];
  /** PID of the track that the times below are of: the first video track, else the first audio track. */
  primaryPid: number;
  firstDts90k: number;
  endDts90k: number;
  durationMs: number;
  /** Decoding can start with this segment; true without video. */
  startsWithKeyframe: boolean;
  damage: SegmentDamage;
  /** What a person should know: what is damaged or assumed. Empty for a sound segment. */
  notes: string[];
}

export interface ProbeOptions {
  /** The tracks of a neighbouring segment, for one that lacks its tables. */
  knownPids?: readonly Pick<TrackProbe, 'pid' | 'streamType' | 'codec' | 'kind' | 'programNumber'>[];
}

/**
 * Reads a segment. Throws a {@link SegmentRejected}: SEGMENT_EMPTY, SEGMENT_NOT_TS, SEGMENT_TRUNCATED,
 * SEGMENT_NO_PROGRAM, SEGMENT_NO_TIMESTAMPS, SEGMENT_ENCRYPTED, SEGMENT_UNSUPPORTED.
 */
export function probeSegment(bytes: Uint8Array, options: ProbeOptions = {}): SegmentProbe {
  const start = findFirstPacket(bytes);
  const known: ElementaryStream[] = (options.knownPids ?? []).map((track) => ({ ...track, encrypted: false }));
  let scan = new SegmentScan(bytes, start);
  scan.run();
  const assumed = scan.tracks.size === 0 && known.length > 0;
  if (assumed) {
    scan = new SegmentScan(bytes, start, known);
    scan.run();
  }
  const scans = [...scan.tracks.values()];
  const primary = requirePrimary(scan, scans);
  const tracks = scans.map((track) => probeTrack(bytes, track));
  const times = primaryTimes(tracks, primary);
  const damage = damageOf(scan, scans);
  return {
    version: 1,
    usable: { offset: start, bytes: scan.end - start },
    packets: scan.packets,
    pcrPid: scan.pcrPid,
    tracks,
    primaryPid: primary.stream.pid,
    ...times,
    startsWithKeyframe: primary.stream.kind !== 'video' || primary.keyframeFirst === true,
    damage,
    notes: notesOf(start, damage, assumed),
  };
}

/** The bytes of a segment that may be joined with others: whole packets only. */
export function usableBytes(bytes: Uint8Array, probe: Pick<SegmentProbe, 'usable'>): Uint8Array {
  return bytes.subarray(probe.usable.offset, probe.usable.offset + probe.usable.bytes);
}

function requirePrimary(scan: SegmentScan, tracks: TrackScan[]): TrackScan {
  const media = tracks.filter((track) => track.stream.kind !== 'data');
  const timed = media.filter((track) => track.firstDts90k !== null);
  const clear = timed.filter((track) => !track.stream.encrypted && track.scrambledUnits < track.units);
  const primary = clear.find((track) => track.stream.kind === 'video') ?? clear[0];
  if (primary !== undefined) return primary;
  if (scan.damage.scrambledPackets > 0) throw new SegmentEncryptedError('its packets are scrambled');
  if (timed.length > 0 || media.some((track) => track.stream.encrypted)) {
    throw new SegmentEncryptedError('its samples are (SAMPLE-AES)');
  }
  if (scan.damage.truncatedBytes > 0) throw new SegmentTruncatedError(scan.packets, scan.damage.truncatedBytes);
  if (media.length === 0) throw new SegmentNoProgramError(missingTables(scan));
  const units = media.reduce((sum, track) => sum + track.units, 0);
  throw new SegmentNoTimestampsError(`${units} PES packets in ${media.length} tracks, none with a PTS`);
}

function missingTables(scan: SegmentScan): string {
  if (!scan.sawPat) return 'there is no valid program association table';
  return scan.sawPmt ? 'its program map lists none' : 'there is no valid program map table';
}

function probeTrack(bytes: Uint8Array, track: TrackScan): TrackProbe {
  const { stream, video } = track;
  const duration90k = lastUnitDuration90k(bytes, track);
  const first = track.firstDts90k;
  const times: TrackTimes | null =
    first === null
      ? null
      : {
          firstDts90k: first,
          lastDts90k: track.lastDts90k,
          endDts90k: track.lastDts90k + duration90k,
          minPts90k: track.minPts90k,
          endPts90k: track.maxPts90k + duration90k,
        };
  return {
    pid: stream.pid,
    streamType: stream.streamType,
    codec: stream.codec,
    kind: stream.kind,
    programNumber: stream.programNumber,
    packets: track.packets,
    units: track.units,
    times,
    keyframeFirst: stream.kind === 'video' ? track.keyframeFirst : null,
    fingerprint: video?.fingerprint ?? track.audio?.fingerprint ?? null,
    width: video?.width ?? null,
    height: video?.height ?? null,
    sampleRate: track.audio?.sampleRate ?? null,
    channels: track.audio?.channels ?? null,
  };
}

/** Audio: the frames of the last PES packet, counted. Video: the usual distance of frames. 0 if unknown. */
function lastUnitDuration90k(bytes: Uint8Array, track: TrackScan): number {
  if (track.stream.kind === 'audio' && track.lastUnitAt >= 0) {
    const payload = readUnitPayload(bytes, track.lastUnitAt, LAST_UNIT_LIMIT);
    const { duration90k } = readAudioFrames(track.stream.codec, payload);
    if (duration90k > 0) return Math.round(duration90k);
  }
  return track.medianDelta90k() ?? 0;
}

function primaryTimes(
  tracks: TrackProbe[],
  primary: TrackScan,
): Pick<SegmentProbe, 'firstDts90k' | 'endDts90k' | 'durationMs'> {
  const probe = tracks.find((track) => track.pid === primary.stream.pid)?.times;
  const firstDts90k = probe?.firstDts90k ?? 0;
  const last = probe?.lastDts90k ?? 0;
  let frame = (probe?.endDts90k ?? last) - last;
  if (frame === 0) frame = loneFrame90k(tracks, firstDts90k);
  const duration90k = primary.elapsed90k + frame * (1 + primary.timestampJumps);
  return { firstDts90k, endDts90k: last + frame, durationMs: ticksToMs(duration90k) };
}

/** A single video frame says nothing of its duration: the sound beside it does. */
function loneFrame90k(tracks: TrackProbe[], from: number): number {
  const ends = tracks.flatMap(({ kind, times }) =>
    kind === 'audio' && times !== null ? [delta90k(from, unwrap90k(from, times.endDts90k))] : [],
  );
  const longest = Math.max(0, ...ends);
  return longest <= 60 * 90_000 ? longest : 0;
}

function damageOf(scan: SegmentScan, tracks: TrackScan[]): SegmentDamage {
  const sum = (of: (track: TrackScan) => number) => tracks.reduce((total, track) => total + of(track), 0);
  return {
    ...scan.damage,
    corruptUnits: sum((track) => track.corruptUnits),
    timestampJumps: sum((track) => (track.stream.kind === 'data' ? 0 : track.timestampJumps)),
  };
}

function notesOf(start: number, damage: SegmentDamage, assumed: boolean): string[] {
  const notes: [boolean, string][] = [
    [start > 0, `${start} bytes before the first packet were left out`],
    [damage.truncatedBytes > 0, `cut off: ${damage.truncatedBytes} bytes after the last whole packet were left out`],
    [damage.droppedBytes > 0, `${damage.droppedBytes} bytes between packets are no packets`],
    [damage.continuityErrors > 0, `packets are lost at ${damage.continuityErrors} places`],
    [damage.transportErrors > 0, `${damage.transportErrors} packets were damaged before packaging`],
    [damage.corruptPackets > 0, `${damage.corruptPackets} packets are corrupt`],
    [damage.corruptUnits > 0, `${damage.corruptUnits} PES packets are corrupt`],
    [damage.scrambledPackets > 0, `${damage.scrambledPackets} packets are scrambled`],
    [damage.timestampJumps > 0, `timestamps jump ${damage.timestampJumps} times within the segment`],
    [assumed, 'its tables are missing: track layout taken from a neighbour'],
  ];
  return notes.flatMap(([applies, note]) => (applies ? [note] : []));
}
