/**
 * Who works on a recording, and the writes of the work, in plain SQL: each carries the token of the lease, so that a
 * worker whose lease ran out while it stood still changes nothing. Time is passed in.
 */
import { LeaseLost } from './errors.ts';
import type { Recording, RecordingFacts } from './recording.ts';
import { COLUMNS, LIVE_STATES, RecordingRows, utc } from './recording-rows.ts';

/** How often work on it has failed, with it, and why. */
export interface FailedAttempt {
  readonly attempts: number;
  /** Of these, how many failed by themselves (RecordingFacts). */
  readonly faults: number;
  readonly code: string;
  readonly message: string;
}

export class LeaseRepository extends RecordingRows {
  /** Takes the lease, or null where another holds it (or the recording is finished). */
  async acquire(id: string, token: string, now: Date, until: Date): Promise<Recording | null> {
    return this.one(
      `UPDATE recordings SET lease_token = $2, lease_until = $4
        WHERE id = $1 AND ${LIVE_STATES} AND coalesce(lease_until, '-infinity') <= $3
        RETURNING ${COLUMNS}`,
      [id, token, now, until],
    );
  }

  async renew(id: string, token: string, until: Date): Promise<boolean> {
    return this.changed('UPDATE recordings SET lease_until = $3 WHERE id = $1 AND lease_token = $2', [
      id,
      token,
      until,
    ]);
  }

  async release(id: string, token: string): Promise<void> {
    await this.db.query(
      'UPDATE recordings SET lease_token = NULL, lease_until = NULL WHERE id = $1 AND lease_token = $2',
      [id, token],
    );
  }

  /** Ends the lease after work that went well: what went wrong before is over. */
  async releaseWell(id: string, token: string): Promise<void> {
    await this.db.query(
      `UPDATE recordings SET lease_token = NULL, lease_until = NULL, failure_code = NULL, failure_message = NULL
        WHERE id = $1 AND lease_token = $2`,
      [id, token],
    );
  }

  /** Locks the row for the rest of the transaction if the lease is still ours. @throws {LeaseLost} */
  async lock(id: string, token: string): Promise<Recording> {
    const recording = await this.one(
      `SELECT ${COLUMNS} FROM recordings WHERE id = $1 AND lease_token = $2 AND ${LIVE_STATES} FOR UPDATE`,
      [id, token],
    );
    if (!recording) throw new LeaseLost(`Recording ${id} was taken over by another worker or has ended`);
    return recording;
  }

  /** Moves the recording to another final key. False where that key is taken. @throws {LeaseLost} */
  async claimKey(id: string, token: string, objectKey: string): Promise<boolean> {
    const taken = await this.db.query('SELECT 1 FROM recordings WHERE object_key = $1 AND id <> $2', [objectKey, id]);
    if (taken.rows.length > 0) return false;
    return this.changed('UPDATE recordings SET object_key = $3 WHERE id = $1 AND lease_token = $2', [
      id,
      token,
      objectKey,
    ]);
  }

  async mergeFacts(id: string, token: string, facts: RecordingFacts): Promise<void> {
    const mine = await this.changed('UPDATE recordings SET facts = facts || $3 WHERE id = $1 AND lease_token = $2', [
      id,
      token,
      facts,
    ]);
    if (!mine) throw new LeaseLost(`Recording ${id} was taken over by another worker`);
  }

  async saveEngineState(id: string, token: string, state: unknown): Promise<void> {
    await this.db.query('UPDATE recordings SET engine_state = $3 WHERE id = $1 AND lease_token = $2', [
      id,
      token,
      JSON.stringify(state),
    ]);
  }

  /** @throws {LeaseLost} the upload is then an orphan */
  async saveUpload(id: string, token: string, uploadId: string): Promise<void> {
    const mine = await this.changed('UPDATE recordings SET upload_id = $3 WHERE id = $1 AND lease_token = $2', [
      id,
      token,
      uploadId,
    ]);
    if (!mine) throw new LeaseLost(`Recording ${id} was taken over by another worker`);
  }

  /** Forgets the upload and begins the next generation of the file. */
  async restart(id: string, token: string, now: Date): Promise<void> {
    await this.db.query(
      `UPDATE recordings SET generation = generation + 1, upload_id = NULL, engine_state = NULL, updated_at = $3
        WHERE id = $1 AND lease_token = $2`,
      [id, token, now],
    );
  }

  /** processing → completed; the lease ends with it, and a hash that there is is that of the file before. */
  async complete(
    id: string,
    token: string,
    result: { filePath: string; durationSeconds: number; fileSizeBytes: number; facts: RecordingFacts },
    now: Date,
  ): Promise<boolean> {
    return this.changed(
      `UPDATE recordings SET status = 'completed', file_path = $3, duration = $4, file_size = $5, facts = facts || $6,
              completed_at = ${utc('$7')}, failure_code = NULL, failure_message = NULL, next_attempt_at = NULL,
              sha256 = NULL, upload_id = NULL, engine_state = NULL, lease_token = NULL, lease_until = NULL, updated_at = $7
        WHERE id = $1 AND lease_token = $2 AND status = 'processing'`,
      [id, token, result.filePath, result.durationSeconds, result.fileSizeBytes, result.facts, now],
    );
  }

  /** processing → failed, for good until somebody asks for a retry; the lease ends with it, staging stays. */
  async fail(id: string, token: string, code: string, message: string, now: Date): Promise<boolean> {
    return this.changed(
      `UPDATE recordings SET status = 'failed', failure_code = $3, failure_message = $4, completed_at = ${utc('$5')},
              next_attempt_at = NULL, lease_token = NULL, lease_until = NULL, updated_at = $5
        WHERE id = $1 AND lease_token = $2 AND ${LIVE_STATES}`,
      [id, token, code, message.slice(0, 2000), now],
    );
  }

  /** Notes when the next attempt may come, and the one that failed, if one has; the lease ends with it. */
  async postpone(
    id: string,
    token: string,
    nextAttemptAt: Date,
    failed: FailedAttempt | null,
    now: Date,
  ): Promise<void> {
    await this.db.query(
      `UPDATE recordings SET next_attempt_at = $3, attempts = coalesce($4, attempts), facts = facts || $5,
              failure_code = coalesce($6, failure_code), failure_message = coalesce($7, failure_message),
              lease_token = NULL, lease_until = NULL, updated_at = $8
        WHERE id = $1 AND lease_token = $2`,
      [
        ...[id, token, nextAttemptAt, failed?.attempts ?? null],
        ...[(failed ? { faults: failed.faults } : {}) satisfies RecordingFacts],
        ...[failed?.code ?? null, failed?.message.slice(0, 2000) ?? null, now],
      ],
    );
  }
}
