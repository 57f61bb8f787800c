/**
 * Which connection of a publisher an event of a hook is about. The decisions are pure, the rows are `stream_sessions`.
 * A recording must survive what servers tell:
 *
 *   start A · start A · end A · end A     a client that repeats
 *   start A · start B · end A             the end of a lost connection after the start of the one that replaced it
 *   start A · start B · end B · … end A   nginx-rtmp: B is refused, since A publishes, and is told of all the same
 *   start A · start B · … end A           SRS: the same, without an end of B
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
/** A connection that ends this soon while an older one is open was refused by the server. */
const REFUSED_MS = 5000;
/** A connection that came this shortly before the end of an older one has taken the stream over. */
const TAKEOVER_MS = 2000;

export type SessionStart =
  /** A broadcast begins. */
  | { readonly kind: 'new'; readonly startedAt: Date }
  /** The start of a connection that is known, told again: `startedAt` is that of the first. */
  | { readonly kind: 'repeated'; readonly startedAt: Date }
  /** The server is about to refuse it, since another one publishes; or has lost that one without telling. */
  | { readonly kind: 'second'; readonly startedAt: Date };

/**
 * @param isLive the stream is being recorded
 * @param refusesSecond the server lets nobody publish a stream that is being published, but tells of the attempt all the same
 */
export function decideSessionStart(
  known: readonly StreamSession[],
  session: string | null,
  at: Date,
  { isLive, refusesSecond }: { isLive: boolean; refusesSecond: boolean },
): SessionStart {
  const open = known.filter(({ endedAt }) => endedAt === null);
  const same = open.filter((one) => session !== null && one.session === session);
  const repeated = same.find((one) => Math.abs(at.getTime() - one.startedAt.getTime()) <= REPEATED_MS);
  if (repeated) return { kind: 'repeated', startedAt: repeated.startedAt };
  // A number of a connection that is given out again: the server has restarted, and nobody else publishes.
  const isSecond = refusesSecond && isLive && session !== null && same.length === 0 && open.length > 0;
  return { kind: isSecond ? 'second' : 'new', startedAt: at };
}

/** `unheard`: of a connection that may have been refused, for all that is known. */
export type SessionEnd = 'ends' | 'goes-on' | 'unheard';

/** Whether an end ends the stream: not where another connection has taken it over meanwhile, or is publishing it. */
export function decideSessionEnd(
  known: readonly StreamSession[],
  session: string | null,
  at: Date,
  { refusesSecond }: { refusesSecond: boolean },
): SessionEnd {
  if (session === null) return 'ends';
  const open = known
    .filter((one) => one.endedAt === null)
    .toSorted((a, b) => a.startedAt.getTime() - b.startedAt.getTime());
  const newest = open.at(-1);
  if (refusesSecond) return decideOnlyEnd(known, open, session, at);
  if (!newest || newest.session === session) return 'ends';
  return at.getTime() - newest.startedAt.getTime() > LATE_END_MS ? 'ends' : 'goes-on';
}

/** Where the server has one publisher at a time: the oldest, unless it was lost and the server never said so. */
function decideOnlyEnd(
  known: readonly StreamSession[],
  open: readonly StreamSession[],
  session: string,
  at: Date,
): SessionEnd {
  const mine = open.findLast((one) => one.session === session);
  const others = open.filter((one) => one.session !== session);
  if (!mine) {
    if (others.length > 0) return 'goes-on';
    return known.some((one) => one.session === session) ? 'ends' : 'unheard';
  }
  const newer = others.findLast((one) => one.startedAt > mine.startedAt);
  if (newer) return at.getTime() - newer.startedAt.getTime() <= TAKEOVER_MS ? 'goes-on' : 'ends';
  const wasRefused = others.length > 0 && at.getTime() - mine.startedAt.getTime() <= REFUSED_MS;
  return wasRefused ? 'goes-on' : 'ends';
}

/** Sessions that are over are of no use after a day; those whose end was lost, after a month. */
const IS_OLD = `coalesce(ended_at + interval '1 day', started_at + interval '30 days') < $2::timestamptz`;

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

  /**
   * A new broadcast's connection is the only one that is open: whatever was open before it was lost. One that has come
   * since, where this start is told late, stays open.
   */
  async start(streamId: string, session: string | null, at: Date, now: Date): Promise<void> {
    await this.#db.query(`DELETE FROM stream_sessions WHERE stream_id = $1 AND ${IS_OLD}`, [streamId, now]);
    await this.#db.query(
      'UPDATE stream_sessions SET ended_at = $2 WHERE stream_id = $1 AND ended_at IS NULL AND started_at <= $2',
      [streamId, at],
    );
    await this.add(streamId, session, at);
  }

  /** A connection beside one that is open. */
  async add(streamId: string, session: string | null, at: Date): Promise<void> {
    await this.#db.query(
      'INSERT INTO stream_sessions (stream_id, session, started_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING',
      [streamId, session ?? '', at],
    );
  }

  async endAll(streamId: string, at: Date): Promise<void> {
    await this.#db.query('UPDATE stream_sessions SET ended_at = $2 WHERE stream_id = $1 AND ended_at IS NULL', [
      streamId,
      at,
    ]);
  }

  async end(streamId: string, session: string | null, at: Date): Promise<void> {
    await this.#db.query(
      'UPDATE stream_sessions SET ended_at = $3 WHERE stream_id = $1 AND ($2::text IS NULL OR session = $2) AND ended_at IS NULL',
      [streamId, session, at],
    );
  }
}
