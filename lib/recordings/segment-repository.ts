/**
 * What capture writes into the ledger and asks of it, in plain SQL: segments as they are found, and those that should be
 * there. Where they stand in the file is place-repository.ts.
 */
import type { SegmentProbe } from '../capture/ts-probe.ts';
import { COLUMNS, LedgerRows, type LedgerSegment, type SegmentState } from './ledger-rows.ts';
import type { Recording } from './recording.ts';

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

export class SegmentRepository extends LedgerRows {
  async list(recordingId: string): Promise<LedgerSegment[]> {
    return this.many(`SELECT ${COLUMNS} FROM recording_segments WHERE recording_id = $1 ORDER BY id`, [recordingId]);
  }

  /** Of the given keys, those that the ledger has an object of. */
  async findHeldKeys(recordingId: string, keys: readonly string[]): Promise<Set<string>> {
    if (keys.length === 0) return new Set();
    const result = await this.db.query<{ key: string }>(
      `SELECT DISTINCT source_key AS key FROM recording_segments
        WHERE recording_id = $1 AND source_key = ANY($2::text[]) AND state IN ('captured', 'rejected')`,
      [recordingId, keys],
    );
    return new Set(result.rows.map((row) => row.key));
  }

  /** Of the given source objects, those whose bytes some recording's ledger has under that key: see isSameWrite. */
  async findSources(objects: ReadonlyArray<{ key: string; etag: string }>): Promise<KnownSource[]> {
    if (objects.length === 0) return [];
    const result = await this.db.query<KnownSource & Record<string, unknown>>(
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
    const result = await this.db.query<(AddedSegment | { id: null }) & Record<string, unknown>>(
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
    const result = await this.db.query<{ attempts: number }>(
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
    await this.db.query(
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

  async findLastProbe(recordingId: string): Promise<SegmentProbe | null> {
    const result = await this.db.query<{ probe: SegmentProbe }>(
      `SELECT probe FROM recording_segments WHERE recording_id = $1 AND state = 'captured' ORDER BY id DESC LIMIT 1`,
      [recordingId],
    );
    return result.rows[0]?.probe ?? null;
  }

  /** Sets `duration` of every recording that is not finished to the media it has captured. */
  async updateDurations(now: Date): Promise<void> {
    await this.db.query(
      `UPDATE recordings r SET duration = s.seconds, updated_at = $1
         FROM (SELECT recording_id, round(sum(duration_ms) / 1000.0)::int AS seconds FROM recording_segments
                WHERE state = 'captured' AND recording_id IN (SELECT id FROM recordings WHERE status IN ('recording', 'processing'))
                GROUP BY recording_id) s
        WHERE r.id = s.recording_id AND r.status IN ('recording', 'processing') AND r.duration IS DISTINCT FROM s.seconds`,
      [now],
    );
  }
}
