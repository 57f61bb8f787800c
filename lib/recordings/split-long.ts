/**
 * Ends recordings that have run for MAX_RECORDING_DURATION and goes on with the next one of the same stream, so that
 * a stream that never ends still has files. What was uploaded before the cut is the first one's, the rest the next's.
 */
import { databaseNow } from '../platform/database.ts';
import { nowOf, type RecordingContext, repositoriesOn } from './context.ts';
import { insertRecording } from './record-stream-event.ts';
import type { Recording } from './recording.ts';

/** Splits every recording that is due. Does nothing where no limit is set. */
export async function splitLongRecordings(context: RecordingContext): Promise<void> {
  const limitMs = context.config.MAX_RECORDING_DURATION;
  if (limitMs === 0) return;
  for (const recording of await context.recordings.findActive()) {
    if (context.clock.now() - recording.startedAt.getTime() >= limitMs) await split(context, recording);
  }
}

async function split(context: RecordingContext, recording: Recording): Promise<void> {
  const { streamId, streamKey, userId } = recording;
  const next = await context.db.transaction(async (client) => {
    const { recordings } = repositoriesOn(client);
    await recordings.lockStream(streamId, streamKey, userId, nowOf(context));
    const now = await databaseNow(client);
    const ended = await recordings.end(recording.id, now, 'max-duration', now, now);
    return ended
      ? insertRecording(context, recordings, { streamId, streamKey, userId, source: 'max-duration' }, now, now)
      : null;
  });
  if (!next) return;
  context.logger.warn(
    { recording_id: recording.id, next_recording_id: next },
    'Recording reached MAX_RECORDING_DURATION; the stream goes on in the next one',
  );
  await context.queues.requestAdvance(recording.id, `max-duration:${context.clock.now()}`);
}
