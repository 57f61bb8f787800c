/**
 * The ledger: rows of `recording_segments`, in plain SQL. A row says what became of one source object (its key and
 * ETag); whoever wants to know whether something was lost reads this table and nothing else.
 */
import type { SegmentProbe } from '../capture/ts-probe.ts';
import type { Queryable } from '../platform/database.ts';
import type { Recording } from './recording.ts';

export type SegmentState = 'captured' | 'missing' | 'rejected' | 'late';

export interface LedgerSegment {
  readonly id: number;
  readonly recordingId: string;
  readonly sourceKey: string;
  readonly sourceEtag: string;
  readonly modifiedAt: Date | null;
  readonly nameNumber: number | null;
  readonly playlistSequence: number | null;
  readonly discontinuity: boolean;
  readonly stagedKey: string | null;
  readonly size: number;
  readonly state: SegmentState;
  readonly reason: string | null;
  readonly firstDts90k: number | null;
  readonly endDts90k: number | null;
  readonly durationMs: number;
  readonly probe: SegmentProbe | null;
  readonly attempts: number;
  readonly nextAttemptAt: Date | null;
  readonly position: number | null;
  readonly run: number | null;
  readonly partNumber: number | null;
  readonly capturedAt: Date;
}

/** What capture knows of a segment whose bytes it holds. */
export interface SegmentEntry {
  readonly recordingId: string;
  readonly sourceKey: string;
  readonly sourceEtag: string;
  readonly modifiedAt: Date;
  readonly nameNumber: number | null;
  readonly stagedKey: string | null;
  readonly size: number;
  readonly reason: string | null;
  readonly firstDts90k: number | null;
  readonly endDts90k: number | null;
  readonly durationMs: number;
  readonly probe: SegmentProbe | null;
}

/** A row as it was added, and what waits for the finalizer of its recording now. */
export interface AddedSegment {
  readonly id: number;
  readonly state: SegmentState;
  /** Bytes without a place. A row that is being added at the same moment may be left out. */
  readonly openBytes: number;
  readonly parts: number;
  readonly processing: boolean;
  readonly leased: boolean;
}

/** A recording of the stream key that may take segments, as it was when it was judged whose a segment is. */
export type JudgedRecording = Pick<Recording, 'id' | 'endHeardAt'>;

/** A source object that a ledger has. */
export interface KnownSource {
  readonly sourceKey: string;
  readonly sourceEtag: string;
  readonly recordingId: string;
  readonly modifiedAt: Date | null;
}

/**
 * True for the object as it was written that time. The same bytes under the same key again are another segment where
 * another broadcast pushed them (a video that is streamed twice). Listings have milliseconds in some stores, headers never.
 */
export function isSameWrite(known: KnownSource, object: { key: string; etag: string; modifiedAtMs: number }): boolean {
  return (
    known.sourceKey === object.key &&
    known.sourceEtag === object.etag &&
    Math.floor((known.modifiedAt?.getTime() ?? 0) / 1000) === Math.floor(object.modifiedAtMs / 1000)
  );
}

const COLUMNS = `id, recording_id AS "recordingId", source_key AS "sourceKey", source_etag AS "sourceEtag",
  source_modified_at AS "modifiedAt", name_number AS "nameNumber", playlist_sequence AS "playlistSequence",
  discontinuity, staged_key AS "stagedKey", size, state, reason, first_dts90k AS "firstDts90k",
  end_dts90k AS "endDts90k", duration_ms AS "durationMs", probe, attempts, next_attempt_at AS "nextAttemptAt",
  position, run, part_number AS "partNumber", captured_at AS "capturedAt"`;

export class SegmentRepository {
  readonly #db: Queryable;

  constructor(db: Queryable) {
    this.#db = db;
  }

  async list(recordingId: string): Promise<LedgerSegment[]> {
    return this.#many(`SELECT ${COLUMNS} FROM recording_segments WHERE recording_id = $1 ORDER BY id`, [recordingId]);
  }

  /**
   * All rows that the order is made of, without the probes of those that have their place: of a long recording only
   * what is new is read whole.
   */
  async listForOrder(recordingId: string): Promise<LedgerSegment[]> {
    return this.#many(
      `SELECT ${COLUMNS.replace('probe,', 'CASE WHEN position IS NULL THEN probe END AS probe,')} FROM recording_segments
        WHERE recording_id = $1 AND state IN ('captured', 'missing', 'rejected') ORDER BY id`,
      [recordingId],
    );
  }

  /**
   * The same without all but the last `placed` of the segments that have their place. In two branches, each of which ends
   * after a few steps in an index: as one condition it is a scan of all rows.
   */
  async listOrderTail(recordingId: string, placed: number): Promise<LedgerSegment[]> {
    const rows = `FROM recording_segments WHERE recording_id = $1 AND state IN ('captured', 'missing', 'rejected')`;
    return this.#many(
      `(SELECT ${COLUMNS.replace('probe,', 'NULL::jsonb AS probe,')} ${rows} AND position IS NOT NULL
         ORDER BY position DESC LIMIT $2)
        UNION ALL
        (SELECT ${COLUMNS} ${rows} AND position IS NULL)
        ORDER BY id`,
      [recordingId, placed],
    );
  }

  /** Of the given keys, those that the ledger has an object of. */
  async findHeldKeys(recordingId: string, keys: readonly string[]): Promise<Set<string>> {
    if (keys.length === 0) return new Set();
    const result = await this.#db.query<{ key: string }>(
      `SELECT DISTINCT source_key AS key FROM recording_segments
        WHERE recording_id = $1 AND source_key = ANY($2::text[]) AND state IN ('captured', 'rejected')`,
      [recordingId, keys],
    );
    return new Set(result.rows.map((row) => row.key));
  }

  /** Of the given source objects, those whose bytes some recording's ledger has under that key: see isSameWrite. */
  async findSources(objects: ReadonlyArray<{ key: string; etag: string }>): Promise<KnownSource[]> {
    if (objects.length === 0) return [];
    const result = await this.#db.query<KnownSource & Record<string, unknown>>(
      `SELECT s.source_key AS "sourceKey", s.source_etag AS "sourceEtag", s.recording_id AS "recordingId",
              s.source_modified_at AS "modifiedAt"
         FROM unnest($1::text[], $2::text[]) AS wanted (key, etag)
         JOIN recording_segments s ON s.source_key = wanted.key AND s.source_etag = wanted.etag`,
      [objects.map((object) => object.key), objects.map((object) => object.etag)],
    );
    return result.rows;
  }

  /**
   * Adds a segment whose bytes are staged (or rejected). In one statement with a look at the recording's state,
   * which the finalizer's last transaction locks: either it sees this row, or this row sees that it came late.
   *
   *   finalizer   lock recording ── all captured rows placed? ── completed ── unlock
   *   capture                       └ waits here ┘                            └─ row becomes `late`
   *
   * Returns `known` where the source was in the ledger already: one write of an object is one recording's, whoever
   * captures it twice at once (uq_segments_write). And `stale` where it was judged by what is not so any more: the
   * recording has ended or gone on since, or another one has begun.
   */
  async add(
    entry: SegmentEntry,
    verdict: 'captured' | 'rejected',
    candidates: readonly JudgedRecording[],
    now: Date,
  ): Promise<AddedSegment | 'known' | 'stale'> {
    const result = await this.#db.query<(AddedSegment | { id: null }) & Record<string, unknown>>(
      `WITH owner AS (
         UPDATE recordings r SET last_segment_at = $14
          WHERE id = $1 AND end_heard_at IS NOT DISTINCT FROM $16
            AND NOT EXISTS (SELECT 1 FROM recordings other
                             WHERE other.stream_key = r.stream_key AND other.id <> ALL ($15::uuid[])
                               AND other.status IN ('recording', 'processing'))
         RETURNING status, generation, lease_until
       ), found AS (
         DELETE FROM recording_segments USING owner WHERE recording_id = $1 AND source_key = $2 AND state = 'missing'
       ), added AS (
       INSERT INTO recording_segments (recording_id, source_key, source_etag, source_modified_at, name_number, staged_key, size,
                                       reason, first_dts90k, end_dts90k, duration_ms, probe, state, captured_at)
       SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12,
              CASE WHEN $13 = 'rejected' THEN 'rejected' WHEN owner.status IN ('recording', 'processing') THEN 'captured' ELSE 'late' END,
              $14
         FROM owner
       ON CONFLICT DO NOTHING
       RETURNING id, state, size)
       SELECT added.id, added.state, owner.status = 'processing' AS processing, coalesce(owner.lease_until > $14, FALSE) AS leased,
              (SELECT coalesce(max(part_number), 0) FROM recording_parts p
                WHERE p.recording_id = $1 AND p.generation = owner.generation) AS parts,
              -- Of before this statement: the new row comes on top.
              (added.size + (SELECT coalesce(sum(size), 0) FROM recording_segments s
                              WHERE s.recording_id = $1 AND s.state = 'captured' AND s.position IS NULL))::bigint AS "openBytes"
         FROM owner LEFT JOIN added ON TRUE`,
      [
        entry.recordingId,
        entry.sourceKey,
        entry.sourceEtag,
        entry.modifiedAt,
        entry.nameNumber,
        entry.stagedKey,
        entry.size,
        entry.reason,
        entry.firstDts90k,
        entry.endDts90k,
        entry.durationMs,
        entry.probe === null ? null : JSON.stringify(entry.probe),
        verdict,
        now,
        candidates.map(({ id }) => id),
        candidates.find(({ id }) => id === entry.recordingId)?.endHeardAt ?? null,
      ],
    );
    const [row] = result.rows;
    if (row === undefined) return 'stale';
    return row.id === null ? 'known' : (row as AddedSegment);
  }

  /** Notes that a segment that must exist could not be had; counts the attempts. Returns how many there were. */
  async noteMissing(
    recordingId: string,
    sourceKey: string,
    nameNumber: number | null,
    reason: string,
    nextAttemptAt: Date,
    now: Date,
  ): Promise<number> {
    const result = await this.#db.query<{ attempts: number }>(
      `INSERT INTO recording_segments (recording_id, source_key, name_number, state, reason, attempts, next_attempt_at, captured_at)
       SELECT $1, $2, $3, 'missing', $4, 1, $5, $6
        WHERE NOT EXISTS (SELECT 1 FROM recording_segments
                           WHERE recording_id = $1 AND source_key = $2 AND state IN ('captured', 'late'))
       ON CONFLICT (recording_id, source_key, source_etag)
       DO UPDATE SET attempts = recording_segments.attempts + 1, reason = $4, next_attempt_at = $5
       RETURNING attempts`,
      [recordingId, sourceKey, nameNumber, reason, nextAttemptAt, now],
    );
    return result.rows[0]?.attempts ?? 0;
  }

  /** What a playlist says of captured or missing segments: their media sequence and whether a discontinuity precedes. */
  async notePlaylist(
    recordingId: string,
    entries: ReadonlyArray<{ sourceKey: string; sequence: number; discontinuity: boolean }>,
  ): Promise<void> {
    if (entries.length === 0) return;
    await this.#db.query(
      `UPDATE recording_segments s SET playlist_sequence = p.sequence, discontinuity = p.discontinuity
         FROM unnest($2::text[], $3::bigint[], $4::boolean[]) AS p (key, sequence, discontinuity)
        WHERE s.recording_id = $1 AND s.source_key = p.key AND s.position IS NULL
          AND (s.playlist_sequence IS DISTINCT FROM p.sequence OR s.discontinuity IS DISTINCT FROM p.discontinuity)
          -- A restarted encoder lists its names anew: the sequence is that of the newest object of the name.
          AND s.id = (SELECT max(n.id) FROM recording_segments n WHERE n.recording_id = $1 AND n.source_key = p.key)`,
      [
        recordingId,
        entries.map((entry) => entry.sourceKey),
        entries.map((entry) => entry.sequence),
        entries.map((entry) => entry.discontinuity),
      ],
    );
  }

  /** Gives segments their place in the file. */
  async place(
    recordingId: string,
    places: ReadonlyArray<{ id: number; position: number; run: number }>,
    partNumber: number | null,
  ): Promise<void> {
    await this.#db.query(
      `UPDATE recording_segments s SET position = p.position, run = p.run, part_number = $5
         FROM unnest($2::bigint[], $3::int[], $4::int[]) AS p (id, position, run)
        WHERE s.recording_id = $1 AND s.id = p.id`,
      [
        recordingId,
        places.map((place) => place.id),
        places.map((place) => place.position),
        places.map((place) => place.run),
        partNumber,
      ],
    );
  }

  /** Takes all places back: the file is made anew from staging. Late segments take part this time. */
  async clearPlaces(recordingId: string): Promise<void> {
    await this.#db.query(
      `UPDATE recording_segments SET position = NULL, run = NULL, part_number = NULL,
              state = CASE WHEN state = 'late' THEN 'captured' ELSE state END
        WHERE recording_id = $1 AND state IN ('captured', 'late')`,
      [recordingId],
    );
  }

  /** Captured segments without a place, those of the given ids aside. */
  async countUnplaced(recordingId: string): Promise<number> {
    const result = await this.#db.query<{ count: number }>(
      `SELECT count(*)::int AS count FROM recording_segments WHERE recording_id = $1 AND state = 'captured' AND position IS NULL`,
      [recordingId],
    );
    return result.rows[0]?.count ?? 0;
  }

  async markLeftOut(
    recordingId: string,
    ids: readonly number[],
    state: 'late' | 'rejected',
    reason: string,
  ): Promise<void> {
    await this.#db.query(
      'UPDATE recording_segments SET state = $3, reason = $4 WHERE recording_id = $1 AND id = ANY($2::bigint[])',
      [recordingId, ids, state, reason],
    );
  }

  async findLastProbe(recordingId: string): Promise<SegmentProbe | null> {
    const result = await this.#db.query<{ probe: SegmentProbe }>(
      `SELECT probe FROM recording_segments WHERE recording_id = $1 AND state = 'captured' ORDER BY id DESC LIMIT 1`,
      [recordingId],
    );
    return result.rows[0]?.probe ?? null;
  }

  /** Sets `duration` of every recording that is not finished to the media it has captured. */
  async updateDurations(now: Date): Promise<void> {
    await this.#db.query(
      `UPDATE recordings r SET duration = s.seconds, updated_at = $1
         FROM (SELECT recording_id, round(sum(duration_ms) / 1000.0)::int AS seconds FROM recording_segments
                WHERE state = 'captured' AND recording_id IN (SELECT id FROM recordings WHERE status IN ('recording', 'processing'))
                GROUP BY recording_id) s
        WHERE r.id = s.recording_id AND r.status IN ('recording', 'processing') AND r.duration IS DISTINCT FROM s.seconds`,
      [now],
    );
  }

  /** Recordings that are being recorded and have at least a part's bytes without a place. */
  async findRollable(partBytes: number): Promise<string[]> {
    const result = await this.#db.query<{ id: string }>(
      `SELECT r.id FROM recordings r JOIN recording_segments s ON s.recording_id = r.id
        WHERE r.status = 'recording' AND s.state = 'captured' AND s.position IS NULL
        GROUP BY r.id HAVING sum(s.size) >= $1`,
      [partBytes],
    );
    return result.rows.map((row) => row.id);
  }

  /**
   * How many segments are captured, and the bytes of those without a place. Positions count from 0 without holes, so that
   * those with a place need not be counted: of a long recording they are tens of thousands.
   */
  async totals(recordingId: string): Promise<{ segments: number; openBytes: number }> {
    const result = await this.#db.query<{ segments: number; openBytes: number }>(
      `SELECT open.bytes AS "openBytes", (open.count + late.count + coalesce(
                (SELECT position + 1 FROM recording_segments
                  WHERE recording_id = $1 AND state = 'captured' AND position IS NOT NULL
                  ORDER BY position DESC LIMIT 1), 0))::int AS segments
         FROM (SELECT count(*), coalesce(sum(size), 0)::bigint AS bytes FROM recording_segments
                WHERE recording_id = $1 AND state = 'captured' AND position IS NULL) AS open,
              (SELECT count(*) FROM recording_segments WHERE recording_id = $1 AND state = 'late') AS late`,
      [recordingId],
    );
    return result.rows[0] ?? { segments: 0, openBytes: 0 };
  }

  async #many(text: string, values: unknown[]): Promise<LedgerSegment[]> {
    return (await this.#db.query<LedgerSegment & Record<string, unknown>>(text, values)).rows;
  }
}
