/**
 * Which connection of a publisher an event of a hook is about. Hooks come twice (a client that repeats), and the end of a
 * lost connection comes after the start of the one that replaced it; a recording must survive both. The decisions are
 * pure, the rows are `stream_sessions`.
 */
import type { Queryable } from '../platform/database.ts';

export interface StreamSession {
  /** Null where the server names no connections. */
  readonly session: string | null;
  readonly startedAt: Date;
  readonly endedAt: Date | null;
}

/** The same connection publishing again this soon is the same hook again; later, a number that is used again. */
const REPEATED_MS = 60_000;
/** How late the end of a connection that was replaced may come. */
const LATE_END_MS = 10 * 60_000;

/** When the broadcast of a start began: a repeated one is told with the time of the first. */
export function decideSessionStart(
  known: readonly StreamSession[],
  session: string | null,
  at: Date,
): { startedAt: Date; isNew: boolean } {
  const repeated = known.find(
    (one) =>
      session !== null &&
      one.session === session &&
      one.endedAt === null &&
      Math.abs(at.getTime() - one.startedAt.getTime()) <= REPEATED_MS,
  );
  return repeated ? { startedAt: repeated.startedAt, isNew: false } : { startedAt: at, isNew: true };
}

/** Whether an end ends the stream: not where another connection has taken it over meanwhile. */
export function decideSessionEnd(known: readonly StreamSession[], session: string | null, at: Date): boolean {
  if (session === null) return true;
  const newest = known
    .filter((one) => one.endedAt === null)
    .toSorted((a, b) => a.startedAt.getTime() - b.startedAt.getTime())
    .at(-1);
  if (!newest || newest.session === session) return true;
  return at.getTime() - newest.startedAt.getTime() > LATE_END_MS;
}

/** Sessions that are over are of no use after a day. */
const KEEP = "interval '1 day'";

/** The rows. The caller holds the stream's row lock. */
export class SessionRepository {
  readonly #db: Queryable;

  constructor(db: Queryable) {
    this.#db = db;
  }

  async list(streamId: string): Promise<StreamSession[]> {
    const result = await this.#db.query<{ session: string; started_at: Date; ended_at: Date | null }>(
      'SELECT session, started_at, ended_at FROM stream_sessions WHERE stream_id = $1',
      [streamId],
    );
    return result.rows.map((row) => ({
      session: row.session === '' ? null : row.session,
      startedAt: row.started_at,
      endedAt: row.ended_at,
    }));
  }

  /** A new connection is the only one that is open: whatever was open before it was lost. */
  async start(streamId: string, session: string | null, at: Date, now: Date): Promise<void> {
    await this.#db.query(
      `DELETE FROM stream_sessions WHERE stream_id = $1 AND coalesce(ended_at, started_at) < $2::timestamptz - ${KEEP}`,
      [streamId, now],
    );
    await this.#db.query('UPDATE stream_sessions SET ended_at = $2 WHERE stream_id = $1 AND ended_at IS NULL', [
      streamId,
      at,
    ]);
    await this.#db.query(
      'INSERT INTO stream_sessions (stream_id, session, started_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING',
      [streamId, session ?? '', at],
    );
  }

  async end(streamId: string, session: string | null, at: Date): Promise<void> {
    await this.#db.query(
      'UPDATE stream_sessions SET ended_at = $3 WHERE stream_id = $1 AND ($2::text IS NULL OR session = $2) AND ended_at IS NULL',
      [streamId, session, at],
    );
  }
}
