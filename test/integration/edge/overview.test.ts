/** What an operator sees at a glance: what is under way, what failed and why, what is silent or has gaps. */
import { randomUUID } from 'node:crypto';
import { routes } from '../../../functions/recordings.ts';
import { overviewAnswer } from '../../../lib/recordings/overview.ts';
import { type Caller, callerOf } from '../../support/lambda.ts';
import { type Harness, startHarness } from '../../support/service-harness.ts';

let harness: Harness;
let call: Caller;
beforeAll(async () => {
  harness = await startHarness();
  call = callerOf(routes, harness.context);
});
afterAll(() => harness.stop());
beforeEach(() => harness.context.db.query('DELETE FROM recordings'));

async function insert(status: string, columns: Record<string, unknown> = {}): Promise<string> {
  const row = { id: randomUUID(), stream_id: randomUUID(), file_path: '', status, ...columns };
  const names = Object.keys(row);
  await harness.context.db.query(
    `INSERT INTO recordings (${names.join(', ')}) VALUES (${names.map((_, at) => `$${at + 1}`).join(', ')})`,
    Object.values(row),
  );
  return row.id;
}

async function lose(recordingId: string, state: string, reason: string, attempts = 3): Promise<void> {
  await harness.context.db.query(
    `INSERT INTO recording_segments (recording_id, source_key, state, reason, attempts) VALUES ($1, $2, $3, $4, $5)`,
    [recordingId, `key/${randomUUID()}.ts`, state, reason, attempts],
  );
}

const ago = (ms: number) => new Date(Date.now() - ms);

async function overview() {
  const answer = await call('GET', '/overview');
  expect(answer.status).toBe(200);
  return overviewAnswer.parse(answer.json).overview;
}

describe('GET /overview', () => {
  it('counts what is under way and what failed, and says nothing of what is well', async () => {
    for (const status of ['recording', 'recording', 'processing', 'completed', 'completed']) await insert(status);
    expect(await overview()).toEqual({ recordings: { recording: 2, processing: 1, failed: 0 }, attention: [] });
  });

  it('says why a recording failed, newest first, and hides what only the log may tell', async () => {
    const older = await insert('failed', {
      started_at: ago(7_200_000),
      failure_code: 'NO_SEGMENTS',
      failure_message: 'The bucket has no segment',
    });
    const newer = await insert('failed', { failure_code: 'UNEXPECTED', failure_message: 'secret of the inside' });
    expect((await overview()).attention).toEqual([
      {
        recording_id: newer,
        status: 'failed',
        problem: 'failed',
        code: 'UNEXPECTED',
        message: 'An unexpected error; the log has it',
      },
      {
        recording_id: older,
        status: 'failed',
        problem: 'failed',
        code: 'NO_SEGMENTS',
        message: 'The bucket has no segment',
      },
    ]);
  });

  it('tells what is tried again, with the last error', async () => {
    const why = { failure_code: 'STORAGE_UNAVAILABLE', failure_message: 'connect refused' };
    const id = await insert('processing', { ...why, attempts: 1 });
    await insert('processing', { ...why, attempts: 0 });
    expect((await overview()).attention).toMatchObject([
      { recording_id: id, problem: 'retrying', code: 'STORAGE_UNAVAILABLE', message: 'connect refused' },
    ]);
  });

  it('forgets an error of a live recording when the next work on it is well', async () => {
    const why = { failure_code: 'STORAGE_UNAVAILABLE', failure_message: 'connect refused', attempts: 1 };
    const lease = { lease_token: randomUUID(), lease_until: ago(-60_000) };
    const id = await insert('recording', { ...why, ...lease });
    expect((await overview()).attention).toMatchObject([{ recording_id: id, problem: 'retrying' }]);
    await harness.context.leases.releaseWell(id, lease.lease_token);
    expect((await overview()).attention).toEqual([]);
  });

  it('tells a live recording for which nothing has come for a minute', async () => {
    const silent = await insert('recording', { last_segment_at: ago(61_000), created_at: ago(600_000) });
    await insert('recording', { last_segment_at: ago(20_000), created_at: ago(600_000) });
    expect((await overview()).attention).toMatchObject([{ recording_id: silent, problem: 'silent', code: null }]);
  });

  it('tells gaps; not what came twice, and not what is still waited for', async () => {
    const id = await insert('completed');
    await lose(id, 'missing', 'not available, tried 3 of 3 times');
    await lose(id, 'rejected', 'SEGMENT_NOT_TS: html');
    await lose(id, 'rejected', 'DUPLICATE: the same media');
    const live = await insert('recording');
    await lose(live, 'missing', 'not available, tried 1 of 3 times', 1);
    expect((await overview()).attention).toEqual([
      { recording_id: id, status: 'completed', problem: 'incomplete', code: null, message: '2 segments missing' },
    ]);
  });
});
