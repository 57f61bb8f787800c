/**
 * Where captured segments stand in the file, in plain SQL: what the order is made of, the places that were given, and what
 * has none yet. How a segment gets into the ledger is segment-repository.ts.
 */
import { COLUMNS, LedgerRows, type LedgerSegment } from './ledger-rows.ts';

export class PlaceRepository extends LedgerRows {
  /**
   * All rows that the order is made of, without the probes of those that have their place: of a long recording only
   * what is new is read whole.
   */
  async listForOrder(recordingId: string): Promise<LedgerSegment[]> {
    return this.many(
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
    return this.many(
      `(SELECT ${COLUMNS.replace('probe,', 'NULL::jsonb AS probe,')} ${rows} AND position IS NOT NULL
         ORDER BY position DESC LIMIT $2)
        UNION ALL
        (SELECT ${COLUMNS} ${rows} AND position IS NULL)
        ORDER BY id`,
      [recordingId, placed],
    );
  }

  /** Gives segments their place in the file. */
  async give(
    recordingId: string,
    places: ReadonlyArray<{ id: number; position: number; run: number }>,
    partNumber: number | null,
  ): Promise<void> {
    await this.db.query(
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
  async clear(recordingId: string): Promise<void> {
    await this.db.query(
      `UPDATE recording_segments SET position = NULL, run = NULL, part_number = NULL,
              state = CASE WHEN state = 'late' THEN 'captured' ELSE state END
        WHERE recording_id = $1 AND state IN ('captured', 'late')`,
      [recordingId],
    );
  }

  /** Takes segments out of the file that is made, with the reason. */
  async markLeftOut(
    recordingId: string,
    ids: readonly number[],
    state: 'late' | 'rejected',
    reason: string,
  ): Promise<void> {
    await this.db.query(
      'UPDATE recording_segments SET state = $3, reason = $4 WHERE recording_id = $1 AND id = ANY($2::bigint[])',
      [recordingId, ids, state, reason],
    );
  }

  /** Captured segments without a place. */
  async countUnplaced(recordingId: string): Promise<number> {
    const result = await this.db.query<{ count: number }>(
      `SELECT count(*)::int AS count FROM recording_segments WHERE recording_id = $1 AND state = 'captured' AND position IS NULL`,
      [recordingId],
    );
    return result.rows[0]?.count ?? 0;
  }

  /**
   * How many segments are captured, and the bytes of those without a place. Positions count from 0 without holes, so that
   * those with a place need not be counted: of a long recording they are tens of thousands.
   */
  async totals(recordingId: string): Promise<{ segments: number; openBytes: number }> {
    const result = await this.db.query<{ segments: number; openBytes: number }>(
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

  /** Recordings that are being recorded and have at least a part's bytes without a place. */
  async findRollable(partBytes: number): Promise<string[]> {
    const result = await this.db.query<{ id: string }>(
      `SELECT r.id FROM recordings r JOIN recording_segments s ON s.recording_id = r.id
        WHERE r.status = 'recording' AND s.state = 'captured' AND s.position IS NULL
        GROUP BY r.id HAVING sum(s.size) >= $1`,
      [partBytes],
    );
    return result.rows.map((row) => row.id);
  }
}
