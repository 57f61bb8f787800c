/**
 * Computes the SHA-256 of finished files, a bounded piece at a time: the state of the hash is kept in the database, so
 * that a file of any size is done in as many rounds as it takes. Nothing waits for it.
 */
import type { Readable } from 'node:stream';
import { createSHA256 } from 'hash-wasm';
import type { Queryable } from '../platform/database.ts';
import { nowOf, type RecordingContext } from './context.ts';

/** A round that dies holds a file for this long; one that failed tries again after it. */
const LEASE_MS = 60_000;

interface HashWork {
  readonly recordingId: string;
  readonly generation: number;
  readonly objectKey: string;
  readonly objectEtag: string;
  readonly hashedBytes: number;
  readonly state: Buffer | null;
}

/**
 * Hashes files that have no SHA-256 yet for about `budgetMs`, one after the other. Returns how many were finished.
 * Safe to call from several processes: each file is worked on by one.
 */
export async function hashFiles(context: RecordingContext, budgetMs: number): Promise<number> {
  const until = context.clock.now() + budgetMs;
  let finished = 0;
  while (context.clock.now() < until) {
    const work = await claim(context);
    if (!work) break;
    try {
      if (await hashPiece(context, work, until)) finished += 1;
    } catch (error) {
      // The lease keeps it from the next rounds; a file that is gone is the finalizer's or retention's matter.
      context.logger.warn({ err: error, recording_id: work.recordingId }, 'Could not hash the file of a recording');
    }
  }
  return finished;
}

async function claim(context: RecordingContext): Promise<HashWork | null> {
  const now = nowOf(context);
  const result = await context.db.query<HashWork & Record<string, unknown>>(
    `WITH next AS (
       SELECT r.id, r.generation FROM recordings r LEFT JOIN recording_hashes h ON h.recording_id = r.id
        WHERE r.status = 'completed' AND r.sha256 IS NULL
          AND coalesce(h.lease_until, '-infinity') <= $1 AND r.file_size > 0
        -- One that failed has kept its lease: others come first.
        ORDER BY h.lease_until NULLS FIRST, r.completed_at LIMIT 1
     ), claimed AS (
       INSERT INTO recording_hashes (recording_id, generation, lease_until) SELECT id, generation, $2 FROM next
       ON CONFLICT (recording_id) DO UPDATE
          SET lease_until = $2, generation = EXCLUDED.generation,
              hashed_bytes = CASE WHEN recording_hashes.generation = EXCLUDED.generation THEN recording_hashes.hashed_bytes ELSE 0 END,
              state = CASE WHEN recording_hashes.generation = EXCLUDED.generation THEN recording_hashes.state END
        WHERE coalesce(recording_hashes.lease_until, '-infinity') <= $1
       RETURNING *
     )
     SELECT c.recording_id AS "recordingId", c.generation, coalesce(r.object_key, '') AS "objectKey", c.object_etag AS "objectEtag",
            c.hashed_bytes AS "hashedBytes", c.state
       FROM claimed c JOIN recordings r ON r.id = c.recording_id`,
    [now, new Date(now.getTime() + LEASE_MS)],
  );
  return result.rows[0] ?? null;
}

/** Goes on with one file until its end or until time is up. True at its end. */
async function hashPiece(context: RecordingContext, work: HashWork, until: number): Promise<boolean> {
  const bucket = context.config.MINIO_BUCKET;
  const found = await context.store.head(bucket, work.objectKey);
  if (!found) throw new Error('There is no object at the final key of a completed recording');
  const hash = await createSHA256();
  hash.init();
  // An object that was replaced meanwhile is hashed from its beginning.
  const goesOn = work.objectEtag === found.etag && work.state !== null && work.hashedBytes <= found.size;
  if (goesOn && work.state) hash.load(work.state);
  let at = goesOn ? work.hashedBytes : 0;
  if (at < found.size) {
    const body: Readable = await context.store.stream(bucket, work.objectKey, { first: at, last: found.size - 1 });
    for await (const chunk of body) {
      hash.update(chunk as Buffer);
      at += (chunk as Buffer).length;
      // Leaving the loop ends the download.
      if (context.clock.now() >= until) break;
    }
  }
  if (at < found.size) {
    await keep(context.db, work, found.etag, at, hash.save());
    return false;
  }
  return finish(context, work, found.etag, at, hash.digest('hex'));
}

async function keep(db: Queryable, work: HashWork, etag: string, at: number, state: Uint8Array): Promise<void> {
  await db.query(
    `UPDATE recording_hashes SET object_etag = $3, hashed_bytes = $4, state = $5, lease_until = NULL
      WHERE recording_id = $1 AND generation = $2`,
    [work.recordingId, work.generation, etag, at, Buffer.from(state)],
  );
}

/** The hash is noted only of the generation that was hashed, and only while it is the one that is served. */
async function finish(
  context: RecordingContext,
  work: HashWork,
  etag: string,
  at: number,
  sha256: string,
): Promise<boolean> {
  return context.db.transaction(async (client) => {
    const noted = await client.query(
      `UPDATE recordings SET sha256 = $3 WHERE id = $1 AND generation = $2 AND status = 'completed' AND file_size = $4`,
      [work.recordingId, work.generation, sha256, at],
    );
    // Where it could not be noted the lease stays, so that the next try is not at once.
    await client.query(
      `UPDATE recording_hashes SET object_etag = $3, hashed_bytes = $4, state = NULL, lease_until = CASE WHEN $5 THEN NULL ELSE lease_until END
        WHERE recording_id = $1 AND generation = $2`,
      [work.recordingId, work.generation, etag, at, noted.rowCount === 1],
    );
    return noted.rowCount === 1;
  });
}
