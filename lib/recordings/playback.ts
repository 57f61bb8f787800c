/**
 * Watching a recording in every state: its playlist, and what the playlist refers to. From the captured segments for as
 * long as they are kept (running, failed and lately finished recordings), then from the file itself, cut into fragments when
 * they are asked for.
 */
import type { z } from 'zod';
import { extentsOf } from '../mp4/clip-extents.ts';
import { buildFragment, buildInit } from '../mp4/clip-fragment.ts';
import { ObjectMissing } from '../storage/errors.ts';
import type { RecordingContext } from './context.ts';
import { RecordingNotFound } from './errors.ts';
import { readExtents } from './playback-bytes.ts';
import { MediaNotFound, NothingToPlay } from './playback-errors.ts';
import { type PlayableSegment, playableSegments } from './playback-live.ts';
import { remembered } from './playback-memory.ts';
import { MOST_BODY_BYTES, type OpenMovie, openRecordingFile } from './playback-movie.ts';
import { fragmentsPlaylist, segmentsPlaylist } from './playback-playlist.ts';
import { findPlayback, findSegmentMedia, ledgerState } from './playback-repository.ts';
import type { Recording } from './recording.ts';
import type { segmentsAnswer } from './report-schemas.ts';

/** Where a playlist may take the media from; `auto` takes what there is. */
export type MediaFrom = 'auto' | 'segments' | 'file';

/** Media to answer with: its bytes, or a link to it where it is more than a function may answer. */
export type Media =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array; readonly etag: string }
  | { readonly kind: 'link'; readonly url: string };

/** Samples this close in the file are read together with what lies between them. */
const NEAR_BYTES = 256 * 1024;
const LINK_MS = 3_600_000;

/** @throws {RecordingNotFound} */
export async function findRecording(context: RecordingContext, recordingId: string): Promise<Recording> {
  const recording = await context.recordings.find(recordingId);
  if (!recording) throw new RecordingNotFound(`There is no recording ${recordingId}`);
  return recording;
}

/** @throws {RecordingNotFound} {NothingToPlay} */
export async function playlistOf(context: RecordingContext, recordingId: string, from: MediaFrom): Promise<string> {
  const recording = await findRecording(context, recordingId);
  if (from === 'file' || (from === 'auto' && (await playsFromFile(context, recording)))) {
    const { plan, source } = await openRecordingFile(context, recording);
    if (plan.fragments.length === 0) throw new NothingToPlay('The file has no samples');
    return fragmentsPlaylist(plan, versionOf(source.etag));
  }
  const segments = await segmentsOf(context, recording);
  if (segments.length === 0) throw new NothingToPlay('Nothing of the recording can be played yet');
  return segmentsPlaylist(segments, recording.status === 'completed' || recording.status === 'failed');
}

/** The segments that play now, in order. */
export async function segmentsOf(context: RecordingContext, recording: Recording): Promise<PlayableSegment[]> {
  const now = context.clock.now();
  // What is waited for depends on the time as well: a second or two late does no harm.
  const state = `${await ledgerState(context.db, recording.id)}/${recording.status === 'recording' ? Math.floor(now / 2000) : ''}`;
  return remembered(context.db, 'playlist', recording.id, state, async () =>
    playableSegments(recording, await context.places.listForOrder(recording.id), context.config, now),
  );
}

/** The first segments that play, as the API gives them. @throws {RecordingNotFound} */
export async function listPlayable(
  context: RecordingContext,
  recordingId: string,
  limit: number,
): Promise<z.output<typeof segmentsAnswer>> {
  const all = await segmentsOf(context, await findRecording(context, recordingId));
  const segments = all.slice(0, limit).map((segment) => ({
    id: segment.id,
    start: segment.startMs / 1000,
    duration: segment.durationMs / 1000,
    size: segment.size,
    starts_run: segment.startsRun,
  }));
  return { segments, total: all.length };
}

/** True where the captured segments are gone, and the file is there. */
export async function playsFromFile(context: RecordingContext, recording: Recording): Promise<boolean> {
  if (recording.status !== 'completed') return false;
  const { stagingRemoved } = await findPlayback(context.db, recording.id);
  return stagingRemoved;
}

/** A captured segment as it was captured. @throws {MediaNotFound} */
export async function segmentMedia(context: RecordingContext, recordingId: string, segmentId: number): Promise<Media> {
  const found = await findSegmentMedia(context.db, recordingId, segmentId);
  if (!found) throw new MediaNotFound(`Recording ${recordingId} has no segment ${segmentId}`);
  const { MINIO_BUCKET, SEGMENT_DOWNLOAD_TIMEOUT } = context.config;
  if (found.size > MOST_BODY_BYTES) {
    const url = await context.links.linkTo({
      bucket: MINIO_BUCKET,
      key: found.stagedKey,
      fileName: `${segmentId}.ts`,
      contentType: 'video/mp2t',
      expiresInMs: LINK_MS,
      nowMs: context.clock.now(),
    });
    return { kind: 'link', url };
  }
  try {
    const { bytes } = await context.store.get(MINIO_BUCKET, found.stagedKey, SEGMENT_DOWNLOAD_TIMEOUT);
    return { kind: 'bytes', bytes, etag: `"segment-${segmentId}"` };
  } catch (error) {
    if (error instanceof ObjectMissing)
      throw new MediaNotFound(`Segment ${segmentId} is not kept any more`, { cause: error });
    throw error;
  }
}

/** What a player loads before the fragments of a layout. @throws {RecordingNotFound} {NothingToPlay} {MediaNotFound} */
export async function initMedia(
  context: RecordingContext,
  recordingId: string,
  layout: number,
  version: string | undefined,
): Promise<Media> {
  const { plan, source } = await openVersion(context, recordingId, version);
  const found = plan.layouts[layout];
  if (!found) throw new MediaNotFound(`The file has no layout ${layout}`);
  return { kind: 'bytes', bytes: buildInit(found), etag: `"init-${versionOf(source.etag)}-${layout}"` };
}

/** One fragment of the file. @throws {RecordingNotFound} {NothingToPlay} {MediaNotFound} */
export async function fragmentMedia(
  context: RecordingContext,
  recordingId: string,
  number: number,
  version: string | undefined,
): Promise<Media> {
  const { plan, source } = await openVersion(context, recordingId, version);
  const fragment = plan.fragments[number];
  if (!fragment) throw new MediaNotFound(`The file has no fragment ${number}`);
  const tracks = fragment.ranges.map(({ track, first, end }) => ({
    track,
    samples: [...track.samples.walk(first, end)],
  }));
  const extents = extentsOf(
    tracks.flatMap(({ samples }) => samples),
    NEAR_BYTES,
  );
  const bytes = buildFragment(tracks, number + 1, plan.leadSeconds, await readExtents(source, extents));
  return { kind: 'bytes', bytes, etag: `"fragment-${versionOf(source.etag)}-${number}"` };
}

/** A player that has an older file's playlist must load the new one: its fragments are others. */
async function openVersion(
  context: RecordingContext,
  recordingId: string,
  version: string | undefined,
): Promise<OpenMovie> {
  const open = await openRecordingFile(context, await findRecording(context, recordingId));
  if (version !== undefined && version !== versionOf(open.source.etag)) {
    throw new MediaNotFound('The file was made anew; load the playlist again');
  }
  return open;
}

/** Letters and digits of an ETag. */
export function versionOf(etag: string): string {
  return etag.replaceAll(/[^A-Za-z0-9]/g, '').slice(0, 16) || '0';
}
