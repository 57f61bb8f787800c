/**
 * What a recording has captured around a segment that may be its own, in plain SQL: what lib/capture/broadcast-fit.ts
 * compares it with. Owns which rows those are.
 */
import { NEAR_NUMBERS, TOUCHES_90K } from '../capture/broadcast-fit.ts';
import type { Queryable } from '../platform/database.ts';
import type { SegmentEntry } from './segment-repository.ts';

/** A captured segment, as far as another one is compared with it. */
export interface CapturedAround {
  readonly number: number | null;
  readonly firstDts90k: number | null;
  readonly endDts90k: number | null;
  readonly modifiedAt: Date | null;
  readonly isSameKey: boolean;
}

/** What one more segment of a recording would continue, fill or repeat. */
export interface AroundSegment {
  /** The one that was captured last. */
  readonly last: CapturedAround | null;
  /** Those with the numbers around it, with its key, or whose media touches its own: encoders that restart count anew. */
  readonly near: readonly CapturedAround[];
}

/** What a recording has captured around a segment that may be its own. */
export async function findCapturedAround(
  db: Queryable,
  recordingId: string,
  segment: Pick<SegmentEntry, 'firstDts90k' | 'endDts90k'> & { readonly key: string; readonly number: number | null },
): Promise<AroundSegment> {
  const { rows } = await db.query<CapturedAround & { id: number } & Record<string, unknown>>(
    `WITH own AS NOT MATERIALIZED (
       SELECT * FROM recording_segments WHERE recording_id = $1 AND state IN ('captured', 'late')),
     near AS (
       SELECT id FROM own WHERE id = (SELECT max(id) FROM own)
       UNION SELECT id FROM own WHERE source_key = $2
       UNION SELECT id FROM own WHERE name_number BETWEEN $3::bigint - ${NEAR_NUMBERS} AND $3::bigint + ${NEAR_NUMBERS}
       UNION SELECT id FROM own WHERE ${touches('end_dts90k', '$4')}
       UNION SELECT id FROM own WHERE ${touches('first_dts90k', '$4')}
       UNION SELECT id FROM own WHERE ${touches('first_dts90k', '$5')})
     SELECT id, name_number AS number, first_dts90k AS "firstDts90k", end_dts90k AS "endDts90k",
            source_modified_at AS "modifiedAt", source_key = $2 AS "isSameKey"
       FROM own JOIN near USING (id) ORDER BY id DESC LIMIT 200`,
    [recordingId, segment.key, segment.number, segment.firstDts90k, segment.endDts90k],
  );
  const near = rows.map(({ id: _id, ...one }) => one);
  return { last: near[0] ?? null, near };
}

/** Within the tolerance, also over the end of a clock of 33 bits; as ranges, for which there are indexes. */
function touches(column: string, parameter: string): string {
  const around = (turn: string) =>
    `${column} BETWEEN ${parameter}::bigint ${turn} - ${TOUCHES_90K} AND ${parameter}::bigint ${turn} + ${TOUCHES_90K}`;
  return `(${[around(''), around('+ 8589934592'), around('- 8589934592')].join(' OR ')})`;
}
