/**
 * The rows of `recording_cuts`: files cut out of recordings, from the wish to the stored object. Who works on one holds
 * its lease; a worker that died is followed by another when the lease has run out.
 */
import type { Queryable } from '../platform/database.ts';
import type { UploadedPart } from '../storage/object-store.ts';

export type CutKind = 'clip' | 'audio';
export type CutStatus = 'pending' | 'ready' | 'failed';

export interface CutRow {
  readonly id: string;
  readonly recordingId: string;
  readonly kind: CutKind;
  readonly generation: number;
  readonly title: string | null;
  readonly startMs: number;
  readonly endMs: number;
  readonly status: CutStatus;
  readonly objectKey: string;
  readonly fromMs: number | null;
  readonly durationMs: number | null;
  readonly size: number | null;
  readonly failure: string | null;
  readonly attempts: number;
  readonly uploadId: string | null;
  readonly sourceEtag: string | null;
  readonly parts: readonly UploadedPart[];
  readonly createdAt: Date;
  readonly readyAt: Date | null;
}

export type NewCut = Pick<
  CutRow,
  'id' | 'recordingId' | 'kind' | 'generation' | 'title' | 'startMs' | 'endMs' | 'objectKey'
>;

const COLUMNS = `id, recording_id AS "recordingId", kind, generation, title, start_ms AS "startMs", end_ms AS "endMs", status,
  object_key AS "objectKey", from_ms AS "fromMs", duration_ms AS "durationMs", size, failure, attempts, upload_id AS "uploadId",
  source_etag AS "sourceEtag", parts, created_at AS "createdAt", ready_at AS "readyAt"`;

export class CutRepository {
  readonly #db: Queryable;

  constructor(db: Queryable) {
    this.#db = db;
  }

  /** Adds a wish, unless the recording has `most` of its kind or the same sound already. */
  async insert(cut: NewCut, most: number, now: Date): Promise<boolean> {
    const result = await this.#db.query(
      `INSERT INTO recording_cuts (id, recording_id, kind, generation, title, start_ms, end_ms, object_key, created_at)
       SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9
        WHERE (SELECT count(*) FROM recording_cuts WHERE recording_id = $2 AND kind = $3) < $10
       ON CONFLICT DO NOTHING`,
      [cut.id, cut.recordingId, cut.kind, cut.generation, cut.title, cut.startMs, cut.endMs, cut.objectKey, now, most],
    );
    return result.rowCount === 1;
  }

  async listClips(recordingId: string): Promise<CutRow[]> {
    return this.#many(
      `SELECT ${COLUMNS} FROM recording_cuts WHERE recording_id = $1 AND kind = 'clip' ORDER BY created_at DESC, id`,
      [recordingId],
    );
  }

  async findClip(recordingId: string, id: string): Promise<CutRow | null> {
    return this.#one(`SELECT ${COLUMNS} FROM recording_cuts WHERE recording_id = $1 AND id = $2 AND kind = 'clip'`, [
      recordingId,
      id,
    ]);
  }

  async findAudio(recordingId: string, generation: number): Promise<CutRow | null> {
    return this.#one(
      `SELECT ${COLUMNS} FROM recording_cuts WHERE recording_id = $1 AND generation = $2 AND kind = 'audio'`,
      [recordingId, generation],
    );
  }

  /** Takes the lease of one cut, or of the one that has waited longest; null where there is none to work on. */
  async claim(id: string | null, now: Date, until: Date): Promise<CutRow | null> {
    return this.#one(
      `UPDATE recording_cuts SET lease_until = $3
        WHERE id = (SELECT id FROM recording_cuts
                     WHERE status = 'pending' AND ($1::uuid IS NULL OR id = $1) AND coalesce(lease_until, '-infinity') <= $2
                     ORDER BY created_at LIMIT 1 FOR UPDATE SKIP LOCKED)
        RETURNING ${COLUMNS}`,
      [id, now, until],
    );
  }

  /** Notes an upload that goes on, and keeps the lease for longer. */
  async saveProgress(
    id: string,
    progress: { uploadId: string | null; sourceEtag: string; parts: readonly UploadedPart[] },
    leaseUntil: Date,
  ): Promise<void> {
    await this.#db.query(
      `UPDATE recording_cuts SET upload_id = $2, source_etag = $3, parts = $4, lease_until = $5 WHERE id = $1 AND status = 'pending'`,
      [id, progress.uploadId, progress.sourceEtag, JSON.stringify(progress.parts), leaseUntil],
    );
  }

  /** False where the recording was deleted meanwhile, and the cut with it. */
  async finish(id: string, made: { fromMs: number; durationMs: number; size: number }, now: Date): Promise<boolean> {
    const result = await this.#db.query(
      `WITH made AS (
         UPDATE recording_cuts SET status = 'ready', from_ms = $2, duration_ms = $3, size = $4, ready_at = $5, failure = NULL,
                upload_id = NULL, parts = '[]'::jsonb, lease_until = NULL
          WHERE id = $1 AND status = 'pending')
       SELECT 1 FROM recording_cuts WHERE id = $1`,
      [id, made.fromMs, made.durationMs, made.size, now],
    );
    return result.rowCount === 1;
  }

  async fail(id: string, failure: string): Promise<void> {
    await this.#db.query(
      `UPDATE recording_cuts SET status = 'failed', failure = $2, upload_id = NULL, parts = '[]'::jsonb, lease_until = NULL
        WHERE id = $1 AND status = 'pending'`,
      [id, failure.slice(0, 500)],
    );
  }

  /** Leaves it to a later round; with a failure, that counts as an attempt. */
  async postpone(id: string, until: Date | null, failure: string | null): Promise<void> {
    await this.#db.query(
      `UPDATE recording_cuts SET lease_until = $2, attempts = attempts + CASE WHEN $3::text IS NULL THEN 0 ELSE 1 END, failure = $3
        WHERE id = $1 AND status = 'pending'`,
      [id, until, failure],
    );
  }

  /** Its upload is gone: the next round begins another one. */
  async forgetUpload(id: string): Promise<void> {
    await this.#db.query(
      `UPDATE recording_cuts SET upload_id = NULL, parts = '[]'::jsonb WHERE id = $1 AND status = 'pending'`,
      [id],
    );
  }

  /** A failed one is tried anew when it is asked for again. */
  async revive(id: string): Promise<void> {
    await this.#db.query(
      `UPDATE recording_cuts SET status = 'pending', attempts = 0, lease_until = NULL WHERE id = $1 AND status = 'failed'`,
      [id],
    );
  }

  async #one(text: string, values: unknown[]): Promise<CutRow | null> {
    return (await this.#many(text, values))[0] ?? null;
  }

  async #many(text: string, values: unknown[]): Promise<CutRow[]> {
    // The columns are aliased to the fields of CutRow.
    return (await this.#db.query<CutRow & Record<string, unknown>>(text, values)).rows;
  }
}
