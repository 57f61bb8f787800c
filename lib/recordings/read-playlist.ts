/** Reads a recording's playlist from the store and notes in the ledger what it says of the segments. */
import { PlaylistInvalidError, PlaylistTooLargeError, PlaylistUnsupportedError } from '../capture/errors.ts';
import { type MediaPlaylist, PLAYLIST_LIMIT, readPlaylist } from '../capture/playlist.ts';
import { ObjectMissing } from '../storage/errors.ts';
import type { ListedObject } from '../storage/object-store.ts';
import type { RecordingContext } from './context.ts';
import { capturesSinceMs, type PlaylistState, type Recording } from './recording.ts';

export interface CurrentPlaylist {
  readonly state: PlaylistState;
  readonly media: MediaPlaylist;
  /** `{stream_key}/` or the folder below it: what the names in the playlist are relative to. */
  readonly folder: string;
}

/**
 * The media playlist that was written last, or null where there is none of this broadcast. A playlist that cannot be
 * read is logged and passed over: the names and the listing still give everything but the end mark.
 */
export async function readNewestPlaylist(
  context: RecordingContext,
  recording: Recording,
  playlists: readonly ListedObject[],
): Promise<CurrentPlaylist | null> {
  const current = playlists
    .filter(
      (object) =>
        object.modifiedAtMs >= capturesSinceMs(recording) - context.config.CLOCK_SLACK && object.size <= PLAYLIST_LIMIT,
    )
    .toSorted((a, b) => b.modifiedAtMs - a.modifiedAtMs);
  for (const object of current) {
    const media = await readMedia(context, recording, object);
    if (!media) continue;
    const folder = object.key.slice(0, object.key.lastIndexOf('/') + 1);
    const state: PlaylistState = {
      endList: media.endList,
      mediaSequence: media.mediaSequence,
      names: media.segments.filter((segment) => !segment.gap).map((segment) => segment.name),
      modifiedAtMs: object.modifiedAtMs,
    };
    await context.segments.notePlaylist(
      recording.id,
      media.segments.map((segment) => ({
        sourceKey: `${folder}${segment.name}`,
        sequence: segment.sequence,
        discontinuity: segment.discontinuity,
      })),
    );
    // The window of a long EVENT playlist would be written anew every tick: only what changed is.
    if (recording.playlist?.modifiedAtMs !== state.modifiedAtMs) {
      await context.recordings.recordPlaylist(recording.id, { ...state, names: state.names.slice(-50) });
    }
    return { state, media, folder };
  }
  return null;
}

async function readMedia(
  context: RecordingContext,
  recording: Recording,
  object: ListedObject,
): Promise<MediaPlaylist | null> {
  try {
    const fetched = await context.store.get(
      context.config.LIVE_BUCKET,
      object.key,
      context.config.SEGMENT_DOWNLOAD_TIMEOUT,
    );
    const playlist = readPlaylist(new TextDecoder().decode(fetched.bytes));
    return playlist.kind === 'media' ? playlist : null;
  } catch (error) {
    if (error instanceof ObjectMissing) return null;
    if (
      error instanceof PlaylistInvalidError ||
      error instanceof PlaylistTooLargeError ||
      error instanceof PlaylistUnsupportedError
    ) {
      context.logger.warn(
        { recording_id: recording.id, reason: error.message },
        'The playlist cannot be read; going by names and times',
      );
      return null;
    }
    throw error;
  }
}
