/** Pictures of recordings as they are served. */
import { ObjectMissing } from '../storage/errors.ts';
import { pictureKey } from '../storage/keys.ts';
import type { RecordingContext } from './context.ts';
import { findRecording, type Media } from './playback.ts';
import { storyboardVtt } from './poster-plan.ts';
import { PictureRepository, storyboardOf } from './poster-repository.ts';

/** Poster or sprite; null while there is none. @throws {RecordingNotFound} */
export async function pictureMedia(
  context: RecordingContext,
  recordingId: string,
  name: 'poster' | 'storyboard',
): Promise<Media | null> {
  await findRecording(context, recordingId);
  const row = await new PictureRepository(context.db).find(recordingId);
  const version = name === 'poster' ? row?.posterAtMs : row?.spriteTiles ? row.spriteVersion : null;
  if (version === null || version === undefined) return null;
  const { MINIO_BUCKET, SEGMENT_DOWNLOAD_TIMEOUT } = context.config;
  try {
    const { bytes } = await context.store.get(MINIO_BUCKET, pictureKey(recordingId, name), SEGMENT_DOWNLOAD_TIMEOUT);
    return { kind: 'bytes', bytes, etag: `"${name}-${version}"` };
  } catch (error) {
    if (error instanceof ObjectMissing) return null;
    throw error;
  }
}

/** Where in the sprite each time is; without cues while there is none. @throws {RecordingNotFound} */
export async function storyboardText(context: RecordingContext, recordingId: string): Promise<string> {
  await findRecording(context, recordingId);
  return storyboardVtt(storyboardOf(await new PictureRepository(context.db).find(recordingId)));
}
