/**
 * What the repositories over the table `recordings` share: its columns as the fields of Recording, and how a row is read
 * and a conditional write told from one that changed nothing.
 */
import type { Queryable } from '../platform/database.ts';
import type { Recording } from './recording.ts';

export const COLUMNS = `id, stream_id AS "streamId", coalesce(stream_key, '') AS "streamKey", user_id AS "userId",
  video_id AS "videoId", file_path AS "filePath", coalesce(duration, 0) AS "durationSeconds",
  coalesce(file_size, 0) AS "fileSizeBytes", status, started_at AS "startedAt", completed_at AS "completedAt",
  coalesce(object_key, '') AS "objectKey", start_source AS "startSource", ended_at AS "endedAt", end_heard_at AS "endHeardAt",
  end_source AS "endSource", generation, upload_id AS "uploadId", engine_state AS "engineState", playlist,
  failure_code AS "failureCode", failure_message AS "failureMessage", attempts,
  next_attempt_at AS "nextAttemptAt", lease_token AS "leaseToken", last_segment_at AS "lastSegmentAt", facts,
  created_at AS "createdAt", updated_at AS "updatedAt"`;

/** TIMESTAMP columns of the specified table hold UTC, whatever the session's zone is. */
export const utc = (parameter: string): string => `(${parameter}::timestamptz AT TIME ZONE 'UTC')`;

export const LIVE_STATES = `status IN ('recording', 'processing')`;

/** What a repository over them is made of: statements that answer with recordings, or that change one. */
export abstract class RecordingRows {
  protected readonly db: Queryable;

  constructor(db: Queryable) {
    this.db = db;
  }

  protected async one(text: string, values: unknown[]): Promise<Recording | null> {
    return (await this.many(text, values))[0] ?? null;
  }

  protected async many(text: string, values: unknown[]): Promise<Recording[]> {
    // The columns are aliased to the fields of Recording; the database is the only place that knows them.
    return (await this.db.query<Recording & Record<string, unknown>>(text, values)).rows;
  }

  /** True where it was one row: the state that the write leaves was that of the row. */
  protected async changed(text: string, values: unknown[]): Promise<boolean> {
    return (await this.db.query(text, values)).rowCount === 1;
  }
}
