/**
 * The ledger: rows of `recording_segments`. A row says what became of one source object (its key and ETag); whoever wants
 * to know whether something was lost reads this table and nothing else. Owns its columns as the fields of a value.
 */
import type { SegmentProbe } from '../capture/ts-probe.ts';
import type { Queryable } from '../platform/database.ts';

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

export const COLUMNS = `id, recording_id AS "recordingId", source_key AS "sourceKey", source_etag AS "sourceEtag",
  source_modified_at AS "modifiedAt", name_number AS "nameNumber", playlist_sequence AS "playlistSequence",
  discontinuity, staged_key AS "stagedKey", size, state, reason, first_dts90k AS "firstDts90k",
  end_dts90k AS "endDts90k", duration_ms AS "durationMs", probe, attempts, next_attempt_at AS "nextAttemptAt",
  position, run, part_number AS "partNumber", captured_at AS "capturedAt"`;

/** What a repository over them is made of. */
export abstract class LedgerRows {
  protected readonly db: Queryable;

  constructor(db: Queryable) {
    this.db = db;
  }

  protected async many(text: string, values: unknown[]): Promise<LedgerSegment[]> {
    // The columns are aliased to the fields of LedgerSegment; the database is the only place that knows them.
    return (await this.db.query<LedgerSegment & Record<string, unknown>>(text, values)).rows;
  }
}
