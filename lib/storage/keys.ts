/**
 * The map of every key the service knows, who writes it and who deletes it. No other file builds a key.
 *
 * live-segments (read only; the packager owns it)
 *   {stream_key}/{name}.ts, .m3u8         packager writes and deletes
 *
 * recordings
 *   {stream_key}.mp4                      finalizer, one CompleteMultipartUpload; retention deletes
 *   {stream_key}-{started_at}.mp4         the same, when the stream key already owns an earlier recording
 *   .staging/{recording_id}/segments/{id} capture, one PUT a segment; the poller deletes, LATE_SEGMENT_WINDOW after
 *                                         the finished object was verified
 *   .staging/{recording_id}/parts/{generation}-{n}
 *                                         roll: media held back for part 1; deleted with the segments
 */
import { createHash } from 'node:crypto';

const STAGING = '.staging/';

/** Everything of a recording that is not its file lies below this prefix. */
export function stagingPrefix(recordingId: string): string {
  return `${STAGING}${recordingId}/`;
}

/**
 * Where a captured segment is staged. The name depends on the source object alone (key and ETag), so that
 * capturing twice writes the same object twice.
 */
export function stagedSegmentKey(recordingId: string, sourceKey: string, sourceEtag: string): string {
  const digest = createHash('sha256').update(`${sourceKey}\n${sourceEtag}`).digest('hex').slice(0, 40);
  return `${stagingPrefix(recordingId)}segments/${digest}.ts`;
}

/** Where the first media of a recording waits until the moov in front of it is known. */
export function heldPartKey(recordingId: string, generation: number, partNumber: number): string {
  return `${stagingPrefix(recordingId)}parts/${generation}-${partNumber}`;
}

/** The recording id in a staging key, or null where the key is none. */
export function recordingOfStagingKey(key: string): string | null {
  return /^\.staging\/([0-9a-f-]{36})\//.exec(key)?.[1] ?? null;
}

/** `20251005T180000Z` */
function compactUtc(time: Date): string {
  return `${time.toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`;
}

/**
 * The final keys a recording may take, best first: the plain one, the one with its start, then the start with a
 * counter (two broadcasts of one key that began in the same second).
 */
export function finalKeyCandidates(streamKey: string, startedAt: Date): string[] {
  const dated = `${streamKey}-${compactUtc(startedAt)}`;
  return [`${streamKey}.mp4`, `${dated}.mp4`, ...Array.from({ length: 8 }, (_, index) => `${dated}-${index + 2}.mp4`)];
}
