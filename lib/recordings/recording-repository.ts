/**
 * The rows of `recordings`, in plain SQL: finding them, and what starts, ends and late segments make of them. Every
 * transition is a conditional write that says which state it leaves. Time is passed in.
 */
import type { EventSource, PlaylistState, Recording, RecordingFacts, RecordingStatus } from './recording.ts';
import { COLUMNS, LIVE_STATES, RecordingRows, utc } from './recording-rows.ts';

export interface NewRecording {
  readonly id: string;
  readonly streamId: string;
  readonly streamKey: string;
  readonly userId: string | null;
  readonly objectKey: string;
  readonly startedAt: Date;
  readonly startSource: EventSource;
  /** Of a broadcast that was over when we heard of it: another one of its stream may be running. */
  readonly over?: BroadcastEnd;
}

/** An end as it was told, and when the file may be made. */
export interface BroadcastEnd {
  readonly endedAt: Date;
  readonly source: EventSource;
  readonly firstAttempt: Date;
}

export interface ListFilter {
  readonly limit: number;
  readonly status?: RecordingStatus | undefined;
  readonly streamId?: string | undefined;
  /** The last row of the page before, its start as PostgreSQL writes it: a Date would lose the microseconds. */
  readonly before?: { readonly startedAt: string; readonly id: string } | undefined;
}

/** Of one that has failed for want of segments the first one that comes is late. */
const TAKES_LATE = `(status = 'completed' OR (status = 'failed' AND failure_code = 'NO_SEGMENTS'))`;

export class RecordingRepository extends RecordingRows {
  async find(id: string): Promise<Recording | null> {
    return this.one(`SELECT ${COLUMNS} FROM recordings WHERE id = $1`, [id]);
  }

  /** Newest first by start; keyset paging by the last row of the page before. */
  async list(filter: ListFilter): Promise<Recording[]> {
    return this.many(
      `SELECT ${COLUMNS} FROM recordings
        WHERE ($2::text IS NULL OR status = $2::recording_status)
          AND ($3::uuid IS NULL OR stream_id = $3)
          AND ($4::timestamp IS NULL OR (started_at, id) < ($4::timestamp, $5::uuid))
        ORDER BY started_at DESC, id DESC LIMIT $1`,
      [
        filter.limit,
        filter.status ?? null,
        filter.streamId ?? null,
        filter.before?.startedAt ?? null,
        filter.before?.id ?? null,
      ],
    );
  }

  /** All recordings of a stream, the row of the stream locked until the transaction ends. */
  async lockStream(streamId: string, streamKey: string, userId: string | null, now: Date): Promise<Recording[]> {
    await this.db.query(
      `INSERT INTO streams (stream_id, stream_key, user_id, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
      [streamId, streamKey, userId, now],
    );
    await this.db.query('SELECT 1 FROM streams WHERE stream_id = $1 FOR UPDATE', [streamId]);
    return this.many(`SELECT ${COLUMNS} FROM recordings WHERE stream_id = $1 ORDER BY started_at`, [streamId]);
  }

  /** Recordings that a segment of this stream key could belong to: open ones, and those that ended after `since`. */
  async findByStreamKey(streamKey: string, since: Date): Promise<Recording[]> {
    return this.many(
      `SELECT ${COLUMNS} FROM recordings
        WHERE stream_key = $1 AND (${LIVE_STATES} OR ended_at >= $2 OR completed_at >= ${utc('$2')})
        ORDER BY started_at`,
      [streamKey, since],
    );
  }

  async findActive(): Promise<Recording[]> {
    return this.many(`SELECT ${COLUMNS} FROM recordings WHERE status = 'recording' ORDER BY started_at`, []);
  }

  /** Recordings that still may take a segment: open ones, and those within the window for late segments. */
  async findOpen(since: Date): Promise<Recording[]> {
    return this.many(
      `SELECT ${COLUMNS} FROM recordings
        WHERE ${LIVE_STATES} OR (${TAKES_LATE} AND completed_at >= ${utc('$1')} AND staging_removed_at IS NULL)
        ORDER BY started_at`,
      [since],
    );
  }

  /** Last recordings of streams, ended after `since`: by STALE_TIMEOUT, or though their stream is among the `live` ones. */
  async findMayGoOn(since: Date, live: readonly string[]): Promise<Recording[]> {
    return this.many(
      `SELECT ${COLUMNS} FROM recordings ended
        WHERE ended_at >= $1 AND (end_source = 'stale' OR stream_id = ANY($2::uuid[]))
          AND NOT EXISTS (SELECT 1 FROM recordings later
                           WHERE later.stream_id = ended.stream_id AND later.started_at > ended.started_at)`,
      [since, live],
    );
  }

  /** Recordings in `processing` whose next attempt is due and that nobody works on. */
  async findDue(now: Date, limit: number): Promise<Recording[]> {
    return this.many(
      `SELECT ${COLUMNS} FROM recordings
        WHERE status = 'processing' AND coalesce(next_attempt_at, '-infinity') <= $1 AND coalesce(lease_until, '-infinity') <= $1
        ORDER BY next_attempt_at NULLS FIRST LIMIT $2`,
      [now, limit],
    );
  }

  /** Streams of the given ids that have no recording in status `recording`, with what is known of the others. */
  async findByStreams(streamIds: readonly string[]): Promise<Recording[]> {
    return this.many(`SELECT ${COLUMNS} FROM recordings WHERE stream_id = ANY($1::uuid[])`, [streamIds]);
  }

  /** False where the key or the start is taken: the caller tries the next key. */
  async insert(recording: NewRecording, now: Date): Promise<boolean> {
    const { over } = recording;
    const result = await this.db.query(
      `INSERT INTO recordings (id, stream_id, stream_key, user_id, object_key, file_path, duration, file_size, status,
                               started_at, start_source, created_at, updated_at, ended_at, end_heard_at, end_source, next_attempt_at)
       VALUES ($1, $2, $3, $4, $5, '', 0, 0, CASE WHEN $9::timestamptz IS NULL THEN 'recording' ELSE 'processing' END::recording_status,
               ${utc('$6')}, $7, $8, $8, $9, CASE WHEN $9::timestamptz IS NOT NULL THEN $8::timestamptz END, $10, $11)
       ON CONFLICT DO NOTHING`,
      [
        recording.id,
        recording.streamId,
        recording.streamKey,
        recording.userId,
        recording.objectKey,
        recording.startedAt,
        recording.startSource,
        now,
        over?.endedAt ?? null,
        over?.source ?? null,
        over?.firstAttempt ?? null,
      ],
    );
    return result.rowCount === 1;
  }

  /** recording → processing. False where it was not `recording` any more. */
  async end(id: string, endedAt: Date, source: EventSource, nextAttemptAt: Date, now: Date): Promise<boolean> {
    return this.changed(
      `UPDATE recordings SET status = 'processing', ended_at = $2, end_heard_at = $5, end_source = $3, next_attempt_at = $4, attempts = 0, facts = facts - 'faults', updated_at = $5
        WHERE id = $1 AND status = 'recording'`,
      [id, endedAt, source, nextAttemptAt, now],
    );
  }

  /** processing → recording: the stream came back before the file was finished. One that still runs only notes it. */
  async resume(id: string, facts: RecordingFacts, now: Date): Promise<boolean> {
    return this.changed(
      `UPDATE recordings SET status = 'recording', ended_at = NULL, end_heard_at = NULL, end_source = NULL, next_attempt_at = NULL, attempts = 0,
              lease_token = NULL, lease_until = NULL, facts = (facts - 'faults') || $2, updated_at = $3
        WHERE id = $1 AND ${LIVE_STATES}`,
      [id, facts, now],
    );
  }

  /** A start that was guessed moves to the one that is told, another one only to an earlier one. */
  async moveStart(id: string, startedAt: Date, source: EventSource, now: Date): Promise<boolean> {
    return this.changed(
      `UPDATE recordings SET started_at = ${utc('$2')}, start_source = $3, updated_at = $4
        WHERE id = $1 AND (start_source = 'ended-event' OR started_at > ${utc('$2')})`,
      [id, startedAt, source, now],
    );
  }

  /** What is found of a start that nobody could say anything of, unless it was told since. */
  async learnStart(id: string, startedAt: Date, now: Date): Promise<boolean> {
    return this.changed(
      `UPDATE recordings SET started_at = ${utc('$2')}, facts = facts - 'isStartUnknown', updated_at = $3
        WHERE id = $1 AND start_source = 'ended-event' AND facts ? 'isStartUnknown'`,
      [id, startedAt, now],
    );
  }

  /** The end of a broadcast that is over was an earlier one. */
  async moveEnd(id: string, endedAt: Date, source: EventSource, now: Date): Promise<boolean> {
    return this.changed(
      `UPDATE recordings SET ended_at = $2, end_source = $3, updated_at = $4 WHERE id = $1 AND ended_at > $2`,
      [id, endedAt, source, now],
    );
  }

  async recordProgress(id: string, durationSeconds: number, now: Date): Promise<void> {
    await this.db.query(
      `UPDATE recordings SET duration = $2, updated_at = $3 WHERE id = $1 AND ${LIVE_STATES} AND duration IS DISTINCT FROM $2`,
      [id, durationSeconds, now],
    );
  }

  async recordPlaylist(id: string, playlist: PlaylistState): Promise<void> {
    await this.db.query('UPDATE recordings SET playlist = $2 WHERE id = $1', [id, playlist]);
  }

  async note(id: string, facts: RecordingFacts): Promise<void> {
    await this.db.query('UPDATE recordings SET facts = facts || $2 WHERE id = $1', [id, facts]);
  }

  /** failed → processing, or whatever takes late segments → processing, as a new generation of the file. */
  async reopen(id: string, from: 'failed' | 'late', now: Date): Promise<boolean> {
    return this.changed(
      `UPDATE recordings SET status = 'processing', generation = generation + 1, completed_at = NULL, attempts = 0, upload_id = NULL,
              engine_state = NULL, next_attempt_at = $2, ended_at = coalesce(ended_at, $2), updated_at = $2,
              facts = (facts - 'faults') || $3
        WHERE id = $1 AND ${from === 'late' ? TAKES_LATE : `status = 'failed'`} AND staging_removed_at IS NULL`,
      [id, now, { reopenedAt: now.toISOString() } satisfies RecordingFacts],
    );
  }

  /** Finished recordings with a segment that came late and still could be taken in. */
  async findOverlooked(): Promise<string[]> {
    const result = await this.db.query<{ id: string }>(
      `SELECT DISTINCT r.id FROM recording_segments s JOIN recordings r ON r.id = s.recording_id
        WHERE s.state = 'late' AND ${TAKES_LATE} AND r.staging_removed_at IS NULL`,
      [],
    );
    return result.rows.map((row) => row.id);
  }

  async logEvent(
    event: { streamId: string; event: string; occurredAt: Date; source: string; outcome: string },
    now: Date,
  ): Promise<void> {
    await this.db.query(
      `INSERT INTO stream_events (stream_id, event, occurred_at, source, outcome, received_at)
       VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
      [event.streamId, event.event, event.occurredAt, event.source, event.outcome, now],
    );
  }
}
