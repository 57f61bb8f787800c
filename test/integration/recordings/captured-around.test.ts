/** What a segment is compared with: of a long ledger the few rows near it, whatever brings them near. */
import { findCapturedAround } from '../../../lib/recordings/captured-around.ts';
import { newStream, recordingOf } from '../../support/recorded.ts';
import { type Harness, startHarness } from '../../support/service-harness.ts';

const ROWS = 300;
/** The clock runs over behind number 99. */
const dtsOf = (number: number) => (2 ** 33 - 100 * 180_000 + number * 180_000) % 2 ** 33;

let harness: Harness;
let id: string;
beforeAll(async () => {
  harness = await startHarness();
  const stream = newStream();
  await harness.tell('stream.started', stream);
  ({ id } = await recordingOf(harness, stream.streamId));
  await harness.context.db.query(
    `INSERT INTO recording_segments (recording_id, source_key, source_etag, source_modified_at, name_number,
                                     first_dts90k, end_dts90k, duration_ms, state)
     SELECT $1, 'k/' || n || '.ts', 'e', to_timestamp(2 * n), n, (8571934592 + n::bigint * 180000) % 8589934592,
            (8571934592 + (n + 1)::bigint * 180000) % 8589934592, 2000, CASE n WHEN 201 THEN 'missing' ELSE 'captured' END
       FROM generate_series(0, ${ROWS - 1}) AS n`,
    [id],
  );
});
afterAll(() => harness.stop());

const LAST = ROWS - 1;
const nowhere = { key: 'k/none.ts', number: null, firstDts90k: null, endDts90k: null };

it.each<[string, Parameters<typeof findCapturedAround>[2], number[]]>([
  ['nothing but the last one', nowhere, []],
  ['its own name', { ...nowhere, key: 'k/7.ts' }, [7]],
  [
    'five numbers on either side, but for what was never there',
    { ...nowhere, number: 204 },
    [199, 200, 202, 203, 204, 205, 206, 207, 208, 209],
  ],
  ['where it begins: those that begin or end there', { ...nowhere, firstDts90k: dtsOf(50) + 100 }, [49, 50]],
  ['where it ends: the one that begins there', { ...nowhere, endDts90k: dtsOf(50) - 100 }, [50]],
  ['both, where the clock runs over', { ...nowhere, firstDts90k: 10, endDts90k: 180_010 }, [99, 100, 101]],
  ['the same, a moment before', { ...nowhere, firstDts90k: 2 ** 33 - 10, endDts90k: 179_990 }, [99, 100, 101]],
])('is near by %s', async (_name, segment, expected) => {
  const { last, near } = await findCapturedAround(harness.context.db, id, segment);
  expect(last?.number).toBe(LAST);
  const numbers = near.map(({ number }) => number ?? -1).filter((number) => number !== LAST);
  expect(numbers.toSorted((a, b) => a - b)).toEqual(expected);
  expect(near.filter(({ isSameKey }) => isSameKey).map(({ number }) => number)).toEqual(
    segment.key === 'k/7.ts' ? [7] : [],
  );
});
