/** What is asked of the ledger for every part and every finish: the answer is that of all rows, without reading them. */
import { randomUUID } from 'node:crypto';
import { repositoriesOn } from '../../../lib/recordings/context.ts';
import { PlaceRepository } from '../../../lib/recordings/place-repository.ts';
import { newStream, recordingOf } from '../../support/recorded.ts';
import { type Harness, startHarness } from '../../support/service-harness.ts';

const PLACED = 5000;
const TAIL = 160;

let harness: Harness;
let recordingId: string;

beforeAll(async () => {
  harness = await startHarness();
  const streams = [newStream(), newStream()];
  for (const stream of streams) await harness.tell('stream.started', stream);
  const [mine, other] = await Promise.all(streams.map((stream) => recordingOf(harness, stream.streamId)));
  recordingId = mine?.id ?? '';
  await fill(recordingId, 'captured', PLACED, 0);
  await fill(other?.id ?? '', 'captured', 300, 0);
  for (const [state, count] of [
    ['captured', 30],
    ['missing', 3],
    ['rejected', 2],
    ['late', 4],
  ] as const)
    await fill(recordingId, state, count, null);
  await harness.context.db.query('ANALYZE recording_segments');
});
afterAll(() => harness.stop());

/** Rows of 1000 bytes, with places from `position` on or without. */
async function fill(id: string, state: string, count: number, position: number | null): Promise<void> {
  await harness.context.db.query(
    `INSERT INTO recording_segments (recording_id, source_key, source_etag, state, size, position, probe)
     SELECT $1, $2 || n, $2 || n, $3, 1000, $4::int + n, '{}' FROM generate_series(0, $5::int - 1) AS n`,
    [id, `${randomUUID()}/segment_`, state, position, count],
  );
}

/** What the work answers, and how many rows were read for it. */
async function counted<Result>(work: (places: PlaceRepository) => Promise<Result>) {
  return harness.context.db.transaction(async (client) => {
    const read = async () => {
      const { rows } = await client.query<{ rows: number }>(
        `SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) AS rows FROM pg_stat_xact_user_tables
          WHERE relname = 'recording_segments'`,
      );
      return Number(rows[0]?.rows ?? 0);
    };
    const before = await read();
    const result = await work(repositoriesOn(client).places);
    return { result, rows: (await read()) - before };
  });
}

describe('of a ledger of thousands of rows', () => {
  it('the last placed segments and all that have no place are read alone, in the order of their coming', async () => {
    const all = await harness.context.places.listForOrder(recordingId);
    const { result, rows } = await counted((places) => places.listOrderTail(recordingId, TAIL));
    expect(result).toEqual(all.filter((row) => row.position === null || row.position >= PLACED - TAIL));
    expect(result.map((row) => row.state).filter((state) => state !== 'captured')).toHaveLength(5);
    expect(rows).toBeLessThan(2 * (TAIL + 39));
  });

  it('the captured segments are counted by their places', async () => {
    const all = await harness.context.segments.list(recordingId);
    const { result, rows } = await counted((places) => places.totals(recordingId));
    const captured = all.filter((row) => row.state === 'captured' || row.state === 'late');
    expect(result).toEqual({ segments: captured.length, openBytes: 30_000 });
    expect(rows).toBeLessThan(100);
  });

  it('none are counted where there are none', async () => {
    expect(await new PlaceRepository(harness.context.db).totals(randomUUID())).toEqual({ segments: 0, openBytes: 0 });
  });
});
