/** Rows of `recording_parts`: what lies in the multipart upload of one generation, in plain SQL. */
import type { Queryable } from '../platform/database.ts';

export interface RecordingPart {
  readonly partNumber: number;
  /** Null for part 1, whose media is held back under `heldKey` until the head in front of it is known. */
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

  /** Parts of a generation and their media bytes, without reading the indexes. */
  async totals(recordingId: string, generation: number): Promise<{ parts: number; bytes: number }> {
    const result = await this.#db.query<{ parts: number; bytes: number }>(
      `SELECT count(*)::int AS parts, coalesce(sum(size), 0)::bigint AS bytes
         FROM recording_parts WHERE recording_id = $1 AND generation = $2`,
      [recordingId, generation],
    );
    return result.rows[0] ?? { parts: 0, bytes: 0 };
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
