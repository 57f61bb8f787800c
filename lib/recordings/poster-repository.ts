/** The rows of `recording_pictures`: which pictures there are of each recording, and who makes more of them. */
import type { Queryable } from '../platform/database.ts';
import { COLUMNS, type Storyboard, type Tile } from './poster-plan.ts';

export interface PicturesRow {
  readonly recordingId: string;
  /** Of the recording when they were made: one that is made anew has other times. */
  readonly generation: number;
  readonly intervalMs: number;
  readonly tileWidth: number;
  readonly tileHeight: number;
  readonly tiles: readonly Tile[];
  readonly spriteTiles: number;
  readonly spriteIntervalMs: number;
  readonly spriteMs: number;
  readonly spriteVersion: number;
  readonly posterAtMs: number | null;
  readonly done: boolean;
}

const FIELDS = `recording_id AS "recordingId", generation, interval_ms AS "intervalMs", tile_width AS "tileWidth", tile_height AS "tileHeight",
  tiles, sprite_tiles AS "spriteTiles", sprite_interval_ms AS "spriteIntervalMs", sprite_ms AS "spriteMs",
  sprite_version AS "spriteVersion", poster_at_ms AS "posterAtMs", done`;

export class PictureRepository {
  readonly #db: Queryable;

  constructor(db: Queryable) {
    this.#db = db;
  }

  async find(recordingId: string): Promise<PicturesRow | null> {
    const result = await this.#db.query<PicturesRow & Record<string, unknown>>(
      `SELECT ${FIELDS} FROM recording_pictures WHERE recording_id = $1`,
      [recordingId],
    );
    return result.rows[0] ?? null;
  }

  /** Takes the recording that needs pictures most: one without any, else the one looked at longest ago. */
  async claim(now: Date, until: Date): Promise<PicturesRow | null> {
    const result = await this.#db.query<PicturesRow & Record<string, unknown>>(
      `WITH next AS (
         SELECT r.id FROM recordings r LEFT JOIN recording_pictures p ON p.recording_id = r.id
          WHERE NOT coalesce(p.done AND p.generation = r.generation, FALSE) AND coalesce(p.lease_until, '-infinity') <= $1 AND r.duration > 0
          ORDER BY p.poster_at_ms IS NOT NULL, p.updated_at NULLS FIRST, r.started_at DESC LIMIT 1
       )
       INSERT INTO recording_pictures (recording_id, interval_ms, lease_until, updated_at) SELECT id, 0, $2, $1 FROM next
       ON CONFLICT (recording_id) DO UPDATE SET lease_until = $2, updated_at = $1
        WHERE coalesce(recording_pictures.lease_until, '-infinity') <= $1
       RETURNING ${FIELDS}`,
      [now, until],
    );
    return result.rows[0] ?? null;
  }

  /** Keeps what was made; not looked at again before `next`. */
  async save(row: PicturesRow, next: Date): Promise<void> {
    await this.#db.query(
      `UPDATE recording_pictures SET interval_ms = $2, tile_width = $3, tile_height = $4, tiles = $5, sprite_tiles = $6,
              sprite_interval_ms = $7, sprite_ms = $8, sprite_version = $9, poster_at_ms = $10, done = $11, lease_until = $12, generation = $13
        WHERE recording_id = $1`,
      [
        row.recordingId,
        row.intervalMs,
        row.tileWidth,
        row.tileHeight,
        JSON.stringify(row.tiles),
        row.spriteTiles,
        row.spriteIntervalMs,
        row.spriteMs,
        row.spriteVersion,
        row.posterAtMs,
        row.done,
        next,
        row.generation,
      ],
    );
  }
}

/** The stored sprite; null while there is none. */
export function storyboardOf(row: PicturesRow | null): Storyboard | null {
  if (!row || row.spriteTiles === 0) return null;
  return {
    intervalMs: row.spriteIntervalMs,
    tiles: row.spriteTiles,
    columns: COLUMNS,
    version: row.spriteVersion,
    coversMs: row.spriteMs,
    width: row.tileWidth,
    height: row.tileHeight,
  };
}
