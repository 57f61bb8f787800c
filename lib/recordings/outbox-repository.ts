/**
 * The rows of `recording_events` (written by a trigger, see migrations/003_outbox.sql) and `event_deliveries`. Time is
 * passed in; an attempt under way holds its delivery by having moved `next_attempt_at` ahead.
 */
import type { Queryable } from '../platform/database.ts';

export type EventType = 'recording.started' | 'recording.completed' | 'recording.failed' | 'recording.reopened';

export interface RecordingEvent {
  readonly id: string;
  readonly recordingId: string;
  readonly sequence: number;
  readonly type: EventType;
  readonly occurredAt: Date;
  readonly data: Record<string, unknown>;
}

/** An event with what became of its deliveries, over all targets. */
export interface ToldEvent extends RecordingEvent {
  readonly pending: number;
  readonly delivered: number;
  readonly dead: number;
}

export interface ClaimedDelivery extends RecordingEvent {
  /** This attempt's number, from 1; writes about the attempt carry it. */
  readonly attempts: number;
  readonly giveUpAt: Date;
}

const EVENT = `e.id, e.recording_id AS "recordingId", e.sequence, e.type, e.occurred_at AS "occurredAt", e.data`;
const OPEN = 'delivered_at IS NULL AND dead_at IS NULL';
const FAN_OUT_AT_ONCE = 500;

export class OutboxRepository {
  readonly #db: Queryable;

  constructor(db: Queryable) {
    this.#db = db;
  }

  /**
   * Plans a delivery of each new event to each target. Two of these wait for each other: were one to pass over rows
   * that the other holds, a later event could be sent before an earlier one is planned.
   */
  async fanOut(targets: readonly string[], now: Date, giveUpAt: Date): Promise<number> {
    const result = await this.#db.query(
      `WITH fresh AS (
         SELECT id, recording_id, sequence FROM recording_events WHERE fanned_out_at IS NULL
          ORDER BY position LIMIT ${FAN_OUT_AT_ONCE} FOR UPDATE),
       planned AS (
         INSERT INTO event_deliveries (event_id, target, recording_id, sequence, next_attempt_at, give_up_at)
         SELECT id, target, recording_id, sequence, $2, $3 FROM fresh CROSS JOIN unnest($1::text[]) AS t (target)
         ON CONFLICT DO NOTHING)
       UPDATE recording_events e SET fanned_out_at = $2 FROM fresh WHERE e.id = fresh.id`,
      [targets, now, giveUpAt],
    );
    return result.rowCount ?? 0;
  }

  /** Gives up deliveries whose time is over to targets that are configured no longer; nobody else would. */
  async expire(targets: readonly string[], now: Date): Promise<number> {
    const result = await this.#db.query(
      `UPDATE event_deliveries SET dead_at = $2, last_error = coalesce(last_error, 'the target is not configured')
        WHERE ${OPEN} AND target <> ALL ($1::text[]) AND give_up_at <= $2`,
      [targets, now],
    );
    return result.rowCount ?? 0;
  }

  /**
   * Takes deliveries to a target that are due, of each recording only the first that is open: its order is kept. They
   * come back at `leaseUntil` unless their attempt ends before.
   */
  async claim(target: string, limit: number, now: Date, leaseUntil: Date): Promise<ClaimedDelivery[]> {
    const result = await this.#db.query<ClaimedDelivery & Record<string, unknown>>(
      `WITH due AS (
         SELECT d.event_id FROM event_deliveries d
          WHERE d.target = $1 AND d.delivered_at IS NULL AND d.dead_at IS NULL AND d.next_attempt_at <= $2
            AND NOT EXISTS (
              SELECT 1 FROM event_deliveries p
               WHERE p.recording_id = d.recording_id AND p.target = d.target AND p.sequence < d.sequence
                 AND p.delivered_at IS NULL AND p.dead_at IS NULL)
          ORDER BY d.next_attempt_at LIMIT $3 FOR UPDATE OF d SKIP LOCKED)
       UPDATE event_deliveries d SET attempts = d.attempts + 1, next_attempt_at = $4
         FROM due JOIN recording_events e ON e.id = due.event_id
        WHERE d.event_id = due.event_id AND d.target = $1
       RETURNING ${EVENT}, d.attempts, d.give_up_at AS "giveUpAt"`,
      [target, now, limit, leaseUntil],
    );
    return result.rows;
  }

  async markDelivered(eventId: string, target: string, attempt: number, now: Date): Promise<void> {
    await this.#db.query(
      `UPDATE event_deliveries SET delivered_at = $4, last_error = NULL
        WHERE event_id = $1 AND target = $2 AND attempts = $3 AND ${OPEN}`,
      [eventId, target, attempt, now],
    );
  }

  /** `nextAttemptAt` null gives the delivery up. */
  async markFailed(
    delivery: { eventId: string; target: string; attempt: number },
    why: string,
    nextAttemptAt: Date | null,
    now: Date,
  ): Promise<void> {
    await this.#db.query(
      `UPDATE event_deliveries SET last_error = $4, next_attempt_at = coalesce($5, next_attempt_at),
              dead_at = CASE WHEN $5::timestamptz IS NULL THEN $6::timestamptz END
        WHERE event_id = $1 AND target = $2 AND attempts = $3 AND ${OPEN}`,
      [delivery.eventId, delivery.target, delivery.attempt, why.slice(0, 500), nextAttemptAt, now],
    );
  }

  async list(recordingId: string): Promise<ToldEvent[]> {
    const result = await this.#db.query<ToldEvent & Record<string, unknown>>(
      `SELECT ${EVENT}, count(d.event_id) FILTER (WHERE d.delivered_at IS NULL AND d.dead_at IS NULL)::int AS pending,
              count(d.delivered_at)::int AS delivered, count(d.dead_at)::int AS dead
         FROM recording_events e LEFT JOIN event_deliveries d ON d.event_id = e.id
        WHERE e.recording_id = $1 GROUP BY e.id ORDER BY e.sequence`,
      [recordingId],
    );
    return result.rows;
  }

  /** Plans events from a sequence number on again, to all targets; their ids stay. Returns the number of events. */
  async replay(
    recordingId: string,
    fromSequence: number,
    targets: readonly string[],
    now: Date,
    giveUpAt: Date,
  ): Promise<number> {
    const result = await this.#db.query<{ events: number }>(
      `WITH again AS (
         UPDATE recording_events SET fanned_out_at = $4 WHERE recording_id = $1 AND sequence >= $2
         RETURNING id, recording_id, sequence),
       planned AS (
         INSERT INTO event_deliveries AS d (event_id, target, recording_id, sequence, next_attempt_at, give_up_at)
         SELECT id, target, recording_id, sequence, $4, $5 FROM again CROSS JOIN unnest($3::text[]) AS t (target)
         ON CONFLICT (event_id, target) DO UPDATE
            SET attempts = 0, next_attempt_at = $4, give_up_at = $5, delivered_at = NULL, dead_at = NULL, last_error = NULL)
       SELECT count(*)::int AS events FROM again`,
      [recordingId, fromSequence, targets, now, giveUpAt],
    );
    return result.rows[0]?.events ?? 0;
  }
}
