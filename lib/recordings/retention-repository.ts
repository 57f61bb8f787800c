/** Recordings of which something is removed: they themselves when they expire, or only what was staged. In plain SQL. */
import type { Recording } from './recording.ts';
import { COLUMNS, RecordingRows, utc } from './recording-rows.ts';

export class RetentionRepository extends RecordingRows {
  /** Finished recordings, completed or failed, that ended before a time, but for those that somebody is deleting. */
  async findExpired(before: Date, limit: number, now: Date): Promise<Recording[]> {
    return this.many(
      `SELECT ${COLUMNS} FROM recordings
        WHERE status IN ('completed', 'failed') AND completed_at <= ${utc('$1')} AND coalesce(lease_until, '-infinity') <= $3
        ORDER BY completed_at LIMIT $2`,
      [before, limit, now],
    );
  }

  /**
   * Takes an expired recording for deletion: nothing reopens it from here on, and nobody else deletes it until then. False
   * where it was reopened, or taken, since it was found.
   */
  async takeExpired(id: string, before: Date, now: Date, until: Date): Promise<boolean> {
    return this.changed(
      `UPDATE recordings SET staging_removed_at = coalesce(staging_removed_at, $3), lease_until = $4
        WHERE id = $1 AND status IN ('completed', 'failed') AND completed_at <= ${utc('$2')}
          AND coalesce(lease_until, '-infinity') <= $3`,
      [id, before, now, until],
    );
  }

  /** How many those are, and how large their files. */
  async countExpired(before: Date): Promise<{ count: number; bytes: number }> {
    const { rows } = await this.db.query<{ count: number; bytes: number }>(
      `SELECT count(*)::int AS count, coalesce(sum(file_size), 0)::bigint AS bytes FROM recordings
        WHERE status IN ('completed', 'failed') AND completed_at <= ${utc('$1')}`,
      [before],
    );
    return rows[0] ?? { count: 0, bytes: 0 };
  }

  /** Deletes a finished recording's row and all that hangs on it. False where it is not finished (any more). */
  async remove(id: string): Promise<boolean> {
    return this.changed(`DELETE FROM recordings WHERE id = $1 AND status IN ('completed', 'failed')`, [id]);
  }

  /** Finished recordings whose staging nobody needs any more. */
  async findStagingToRemove(completedBefore: Date, limit: number): Promise<Recording[]> {
    return this.many(
      `SELECT ${COLUMNS} FROM recordings
        WHERE status = 'completed' AND staging_removed_at IS NULL AND completed_at <= ${utc('$1')}
        ORDER BY completed_at LIMIT $2`,
      [completedBefore, limit],
    );
  }

  /** False where it is not completed (any more), or was completed anew since it was found. */
  async markStagingRemoved(id: string, completedBefore: Date, now: Date): Promise<boolean> {
    return this.changed(
      `UPDATE recordings SET staging_removed_at = $3 WHERE id = $1 AND status = 'completed' AND completed_at <= ${utc('$2')}`,
      [id, completedBefore, now],
    );
  }
}
