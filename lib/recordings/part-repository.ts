/** Rows of `recording_parts`: what lies in the multipart upload of one generation, in plain SQL. */
import type { Queryable } from '../platform/database.ts';

export interface RecordingPart {
  /** That of the upload, but for the first one (see held-part.ts). */
  readonly partNumber: number;
  /** Null for the first one until its media, which is held back under `heldKey`, was sent as a part of its own. */
  readonly etag: string | null;
  readonly heldKey: string | null;
  /** Media bytes. */
  readonly size: number;
  readonly sampleIndex: Uint8Array;
}

export class PartRepository {
  readonly #db: Queryable;

  constructor(db: Queryable) {
    this.#db = db;
  }

  /** The parts of a generation behind one of them, with their sample indexes, in order; at most `limit`. */
  async listAfter(
    recordingId: string,
    generation: number,
    partNumber: number,
    limit: number,
  ): Promise<RecordingPart[]> {
    const result = await this.#db.query<RecordingPart & Record<string, unknown>>(
      `SELECT part_number AS "partNumber", etag, held_key AS "heldKey", size, sample_index AS "sampleIndex"
         FROM recording_parts WHERE recording_id = $1 AND generation = $2 AND part_number > $3
        ORDER BY part_number LIMIT $4`,
      [recordingId, generation, partNumber, limit],
    );
    return result.rows;
  }

  /** Parts of a generation, their media bytes and the number of the last one, without reading the indexes. */
  async totals(recordingId: string, generation: number): Promise<{ parts: number; bytes: number; last: number }> {
    const result = await this.#db.query<{ parts: number; bytes: number; last: number }>(
      `SELECT count(*)::int AS parts, coalesce(sum(size), 0)::bigint AS bytes, coalesce(max(part_number), 0) AS last
         FROM recording_parts WHERE recording_id = $1 AND generation = $2`,
      [recordingId, generation],
    );
    return result.rows[0] ?? { parts: 0, bytes: 0, last: 0 };
  }

  /** The held-back part of a generation, bytes of all indexes, and whether a part has the number behind it. */
  async findHeld(
    recordingId: string,
    generation: number,
  ): Promise<(Omit<RecordingPart, 'sampleIndex'> & { indexBytes: number; isFollowed: boolean }) | null> {
    type Found = Omit<RecordingPart, 'sampleIndex'> & { indexBytes: number; isFollowed: boolean };
    const result = await this.#db.query<Found & Record<string, unknown>>(
      `SELECT part_number AS "partNumber", etag, held_key AS "heldKey", size,
              (SELECT sum(octet_length(sample_index))::bigint FROM recording_parts
                WHERE recording_id = $1 AND generation = $2) AS "indexBytes",
              EXISTS (SELECT 1 FROM recording_parts
                       WHERE recording_id = $1 AND generation = $2 AND part_number = 2) AS "isFollowed"
         FROM recording_parts WHERE recording_id = $1 AND generation = $2 AND part_number = 1`,
      [recordingId, generation],
    );
    return result.rows[0] ?? null;
  }

  /** Notes that the media of the held-back part is in the upload. */
  async noteHeldSent(recordingId: string, generation: number, etag: string): Promise<void> {
    await this.#db.query(
      'UPDATE recording_parts SET etag = $3 WHERE recording_id = $1 AND generation = $2 AND part_number = 1',
      [recordingId, generation, etag],
    );
  }

  /** A repeated part takes the place of the one before: the upload holds what was sent last. */
  async put(recordingId: string, generation: number, part: RecordingPart, now: Date): Promise<void> {
    await this.#db.query(
      `INSERT INTO recording_parts (recording_id, generation, part_number, etag, held_key, size, sample_index, created_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
       ON CONFLICT (recording_id, generation, part_number)
       DO UPDATE SET etag = $4, held_key = $5, size = $6, sample_index = $7, created_at = $8`,
      [
        recordingId,
        generation,
        part.partNumber,
        part.etag,
        part.heldKey,
        part.size,
        Buffer.from(part.sampleIndex),
        now,
      ],
    );
  }

  async removeAll(recordingId: string): Promise<void> {
    await this.#db.query('DELETE FROM recording_parts WHERE recording_id = $1', [recordingId]);
  }
}
