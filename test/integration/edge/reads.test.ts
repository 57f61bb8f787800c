/** Reading many recordings page by page, reading them again cheaply, and downloading from a private bucket. */
import { randomUUID } from 'node:crypto';
import { routes } from '../../../functions/recordings.ts';
import { recordingsAnswer } from '../../../lib/recordings/api-schemas.ts';
import { call as httpCall } from '../../support/http.ts';
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

interface Row {
  readonly startedAt: string;
  readonly status?: string;
  readonly streamId?: string;
  readonly filePath?: string;
}

async function insert(row: Row): Promise<string> {
  const id = randomUUID();
  await harness.context.db.query(
    `INSERT INTO recordings (id, stream_id, file_path, status, started_at) VALUES ($1, $2, $3, $4::recording_status, $5::timestamp)`,
    [id, row.streamId ?? randomUUID(), row.filePath ?? '', row.status ?? 'completed', row.startedAt],
  );
  return id;
}

const idsOf = (answer: { json: { recordings: Array<{ id: string }> } }) => answer.json.recordings.map(({ id }) => id);

/** The parameters of the next page, as a client finds them: the link, resolved against the request. */
function nextOf(link: string | undefined): Record<string, string> | null {
  if (!link) return null;
  const [, target = ''] = /^<([^>]+)>; rel="next"$/.exec(link) ?? [];
  const url = new URL(target, 'http://gateway.test/api/recordings?limit=1');
  expect(url.pathname).toBe('/api/recordings');
  return Object.fromEntries(url.searchParams);
}

async function walk(query: Record<string, string>): Promise<string[]> {
  const ids: string[] = [];
  let next: Record<string, string> | null = query;
  for (let page = 0; next; page += 1) {
    expect(page).toBeLessThan(50);
    const answer = await call('GET', '/recordings', { query: next });
    expect(answer.status).toBe(200);
    ids.push(...idsOf(answer));
    next = nextOf(answer.headers.link);
  }
  return ids;
}

describe('GET /recordings', () => {
  it('without parameters gives all of them, newest first, in the specified shape', async () => {
    const times = ['2025-10-05 18:00:00', '2025-10-07 18:00:00', '2025-10-06 18:00:00'];
    const ids = await Promise.all(times.map((startedAt) => insert({ startedAt })));
    const answer = await call('GET', '/recordings');
    expect(idsOf(answer)).toEqual([ids[1], ids[2], ids[0]]);
    expect(Object.keys(answer.json)).toEqual(['recordings']);
    expect(answer.headers).not.toHaveProperty('link');
    expect(recordingsAnswer.parse(answer.json).recordings[0]).toEqual({
      id: ids[1],
      stream_id: expect.any(String),
      video_id: null,
      file_path: '',
      duration: 0,
      file_size: 0,
      status: 'completed',
      started_at: '2025-10-07T18:00:00Z',
      completed_at: null,
    });
  });

  it('is the same by way of the gateway', async () => {
    const id = await insert({ startedAt: '2025-10-05 18:00:00' });
    expect((await call('GET', '/api/recordings')).text).toBe((await call('GET', '/recordings')).text);
    expect((await call('GET', `/api/recordings/${id}`)).text).toBe((await call('GET', `/recording/${id}`)).text);
  });

  it('gives every recording exactly once page by page, also those that started in one microsecond or in one millisecond', async () => {
    const startedAt = ['2025-10-05 18:00:00.123456', '2025-10-05 18:00:00.123457', '2025-10-05 18:00:00.123'];
    for (let count = 0; count < 11; count += 1) await insert({ startedAt: startedAt[count % 3] ?? '' });
    const whole = idsOf(await call('GET', '/recordings'));
    for (const limit of ['1', '2', '5', '11', '1000']) expect(await walk({ limit })).toEqual(whole);
  });

  it('keeps its place while recordings are added', async () => {
    for (let day = 1; day <= 4; day += 1) await insert({ startedAt: `2025-10-0${day} 00:00:00` });
    const before = idsOf(await call('GET', '/recordings'));
    const first = await call('GET', '/recordings', { query: { limit: '2' } });
    await insert({ startedAt: '2025-10-09 00:00:00' });
    const second = await call('GET', '/recordings', { query: nextOf(first.headers.link) ?? {} });
    expect([...idsOf(first), ...idsOf(second)]).toEqual(before);
  });

  it('filters by status and stream, and carries the filter to the next page', async () => {
    const streamId = randomUUID();
    for (let day = 1; day <= 6; day += 1) {
      await insert({ startedAt: `2025-10-0${day} 00:00:00`, streamId, status: day % 2 ? 'failed' : 'completed' });
      await insert({ startedAt: `2025-10-0${day} 00:00:01`, status: 'failed' });
    }
    expect(await walk({ stream_id: streamId, limit: '4' })).toHaveLength(6);
    expect(await walk({ status: 'failed', limit: '2' })).toHaveLength(9);
    expect(await walk({ status: 'failed', stream_id: streamId.toUpperCase(), limit: '2' })).toHaveLength(3);
    expect(await walk({ status: 'processing' })).toEqual([]);
  });

  it.each([
    ['limit', '0'],
    ['limit', '1001'],
    ['limit', 'ten'],
    ['limit', '1.5'],
    ['limit', ''],
    ['limit', '1,2'],
    ['status', 'finished'],
    ['stream_id', '7'],
    ['cursor', 'x'],
    ['cursor', ''],
    ['cursor', Buffer.from(`2025-02-30 00:00:00/${randomUUID()}`).toString('base64url')],
    ['cursor', Buffer.from(`0000-02-03 00:00:00/${randomUUID()}`).toString('base64url')],
    ['cursor', Buffer.from('2025-02-03 00:00:00/not-a-uuid-but-of-its-length-of-36-ch').toString('base64url')],
    ['cursor', Buffer.from(`2025-02-03'; DROP TABLE recordings/${randomUUID()}`).toString('base64url')],
  ])('refuses %s=%p, naming it', async (name, value) => {
    const answer = await call('GET', '/recordings', { query: { [name]: value } });
    expect(answer).toMatchObject({ status: 400, json: { error: expect.stringMatching(`: ${name}: `) } });
  });

  it('is 304 until something changed', async () => {
    const id = await insert({ startedAt: '2025-10-05 18:00:00', status: 'recording' });
    const { etag = '' } = (await call('GET', '/recordings')).headers;
    const again = () => call('GET', '/recordings', { headers: { 'if-none-match': etag } });
    expect(await again()).toMatchObject({ status: 304, text: '' });
    await harness.context.db.query('UPDATE recordings SET duration = 10 WHERE id = $1', [id]);
    expect((await again()).status).toBe(200);
  });

  it('answers one page of 100 from 5,000 recordings within 100 ms', async () => {
    await harness.context.db.query(
      `INSERT INTO recordings (stream_id, file_path, status, started_at)
       SELECT gen_random_uuid(), '', 'completed', timestamp '2025-01-01' + n * interval '1 minute' FROM generate_series(1, 5000) n`,
    );
    await harness.context.db.query('ANALYZE recordings');
    const middle = Buffer.from(`2025-01-07 00:00:00/${randomUUID()}`).toString('base64url');
    const times: number[] = [];
    for (let round = 0; round < 5; round += 1) {
      const from = performance.now();
      expect((await call('GET', '/recordings', { query: { limit: '100', cursor: middle } })).status).toBe(200);
      times.push(performance.now() - from);
    }
    expect(Math.min(...times)).toBeLessThan(100);
  });
});

describe('GET /recording/{id}', () => {
  it.each(['not-a-uuid', randomUUID(), '..%2f..', "1' OR '1'='1"])('is 404 for %p', async (id) => {
    expect(await call('GET', `/recording/${id}`)).toMatchObject({
      status: 404,
      json: { error: 'Recording not found' },
    });
  });
});

describe('GET /recording/{id}/download', () => {
  it('leads to the file, named without its key, in a bucket that is not public', async () => {
    await harness.store.put('live-segments', 'secret-key.mp4', Buffer.from('the file'), 'video/mp4');
    const id = await insert({ startedAt: '2025-10-05 18:00:00', filePath: 'live-segments/secret-key.mp4' });
    const s3 = `http://${harness.context.config.MINIO_ENDPOINT}`;
    const download = callerOf(routes, harness.variant({ PUBLIC_URL_BASE: s3, DOWNLOAD_LINK_TTL: '90s' }));
    const answer = await download('GET', `/recording/${id}/download`);
    expect(answer).toMatchObject({ status: 302, text: '', headers: { 'cache-control': 'no-store' } });
    const link = new URL(answer.headers.location ?? '');
    expect(link.origin).toBe(s3);
    expect(link.searchParams.get('X-Amz-Expires')).toBe('90');
    expect(link.searchParams.get('response-content-disposition')).toBe(
      'attachment; filename="recording-20251005T180000Z.mp4"',
    );
    expect((await httpCall(`${link.origin}${link.pathname}`)).status).toBe(403);
    const file = await fetch(link);
    expect([file.status, await file.text()]).toEqual([200, 'the file']);
    expect(file.headers.get('content-disposition')).toBe('attachment; filename="recording-20251005T180000Z.mp4"');
  });

  it('is 409 while there is no file and 404 where there is no recording', async () => {
    const id = await insert({ startedAt: '2025-10-05 18:00:00', status: 'processing' });
    expect(await call('GET', `/recording/${id}/download`)).toMatchObject({
      status: 409,
      json: { error: expect.stringContaining('processing') },
    });
    expect((await call('GET', `/recording/${randomUUID()}/download`)).status).toBe(404);
  });
});
