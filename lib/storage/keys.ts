/**
 * The map of every key the service knows, who writes it and who deletes it. No other file builds a key, but for the uploader's layout.ts,
 * which puts files where the packager would.
 *
 * live-segments (the recorder only reads; the packager owns it)
 *   {stream_key}/{name}.ts, .m3u8         packager writes and deletes; for servers that write to disk, the uploader
 *                                         (lib/upload), which deletes only where it is told to
 *
 * recordings
 *   {stream_key}.mp4                      finalizer, one CompleteMultipartUpload; retention deletes
 *   {stream_key}-{started_at}.mp4         the same, when the stream key already owns an earlier recording
 *   .staging/{recording_id}/segments/{id} capture, one PUT a segment; the poller deletes, LATE_SEGMENT_WINDOW after
 *                                         the finished object was verified
 *   .staging/{recording_id}/parts/{generation}-{n}-{lease}
 *                                         roll: the first media, held back (held-part.ts); deleted with the segments
 *   clips/{recording_id}/{clip_id}.mp4    whoever asked for the clip, or the poller; retention deletes
 *   clips/{recording_id}/audio-{generation}.m4a
 *                                         the sound alone, made when it is first asked for; retention deletes
 *   pictures/{recording_id}/poster.jpg, storyboard.jpg
 *                                         poller, while it records; retention deletes
 *   pictures/{recording_id}/tiles/{ms}.jpg
 *                                         poller: the storyboard's pictures one by one; deleted when it is finished
 *   What is below .staging/ and pictures/ of a recording that is gone: the poller (heal-orphans.ts)
 */
import { createHash } from 'node:crypto';

/** Below it lies what is captured and not yet, or no longer, part of a finished file. */
export const STAGING_PREFIX = '.staging/';
export const PICTURES_PREFIX = 'pictures/';

/** Everything of a recording that is not its file lies below this prefix. */
export function stagingPrefix(recordingId: string): string {
  return `${STAGING_PREFIX}${recordingId}/`;
}

/**
 * Where a captured segment is staged. The name depends on the source object alone (key and ETag), so that
 * capturing twice writes the same object twice.
 */
export function stagedSegmentKey(recordingId: string, sourceKey: string, sourceEtag: string): string {
  const digest = createHash('sha256').update(`${sourceKey}\n${sourceEtag}`).digest('hex').slice(0, 40);
  return `${stagingPrefix(recordingId)}segments/${digest}.ts`;
}

/**
 * Where the first media of a recording waits until the moov in front of it is known. Each worker has its own key: one
 * that lost its lease while it stood still must not write over what its successor planned otherwise.
 */
export function heldPartKey(recordingId: string, generation: number, partNumber: number, leaseToken: string): string {
  return `${stagingPrefix(recordingId)}parts/${generation}-${partNumber}-${leaseToken}`;
}

export function clipKey(recordingId: string, clipId: string): string {
  return `clips/${recordingId}/${clipId}.mp4`;
}

/** The sound of one making of the file. */
export function audioKey(recordingId: string, generation: number): string {
  return `clips/${recordingId}/audio-${generation}.m4a`;
}

export function pictureKey(recordingId: string, name: 'poster' | 'storyboard'): string {
  return `${PICTURES_PREFIX}${recordingId}/${name}.jpg`;
}

/** A picture of the storyboard, until the storyboard is finished. */
export function tileKey(recordingId: string, atMs: number): string {
  return `${PICTURES_PREFIX}${recordingId}/tiles/${atMs}.jpg`;
}

/** Every prefix that belongs to one recording alone: what goes with it when it is deleted. */
export function recordingPrefixes(recordingId: string): string[] {
  return [stagingPrefix(recordingId), `clips/${recordingId}/`, `${PICTURES_PREFIX}${recordingId}/`];
}

/** The recording id in a key below one of the prefixes, or null where there is none: the object is somebody else's. */
export function recordingOfKey(prefix: string, key: string): string | null {
  return /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\//.exec(key.slice(prefix.length))?.[1] ?? null;
}

/** `20251005T180000Z` */
function compactUtc(time: Date): string {
  return `${time.toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`;
}

/** What a final key may tell of its recording. */
export interface KeyParts {
  readonly id: string;
  readonly streamId: string;
  readonly streamKey: string;
  readonly startedAt: Date;
}

/**
 * The final keys a recording may take, best first: the one of the template (RECORDING_KEY_TEMPLATE; `{stream_key}.mp4`
 * by default), the one with its start, then the start with a counter (two broadcasts of one key that began in the same
 * second). A template without `{stream_key}` names objects that do not reveal the key.
 */
export function finalKeyCandidates(recording: KeyParts, template: string): string[] {
  const fill = (text: string) =>
    text
      .replaceAll('{stream_key}', () => recording.streamKey)
      .replaceAll('{stream_id}', recording.streamId)
      .replaceAll('{recording_id}', recording.id)
      .replaceAll('{started_at}', compactUtc(recording.startedAt));
  const stem = template.replace(/\.mp4$/, '');
  const dated = fill(stem.includes('{started_at}') ? stem : `${stem}-{started_at}`);
  const first = `${fill(stem)}.mp4`;
  const counted = Array.from({ length: 8 }, (_, index) => `${dated}-${index + 2}.mp4`);
  return [...new Set([first, `${dated}.mp4`, ...counted])];
}
