/** Imports into the VOD Service: by a caller with a token, by the service itself, and by the VOD Service's own word. */
import { randomUUID } from 'node:crypto';
import { routes as importRoutes } from '../../../functions/import.ts';
import { routes as internalRoutes } from '../../../functions/internal.ts';
import type { RecordingContext } from '../../../lib/recordings/context.ts';
import { importDue, importRecording } from '../../../lib/recordings/import-recording.ts';
import { getRecording } from '../../../lib/recordings/read-recordings.ts';
import { createVodService } from '../../../lib/services/vod-service.ts';
import { listen } from '../../support/http.ts';
import { callerOf } from '../../support/lambda.ts';
import { type ManualClock, manualClock } from '../../support/receiver.ts';
import { type Harness, startHarness } from '../../support/service-harness.ts';
import { startVodService, type VodServiceStandIn } from '../../support/vod-service.ts';

const TOKEN = 'token-of-a-user';
const WISH = { title: 'A title', description: 'd', category: 'games', visibility: 'unlisted' as const };

let harness: Harness;
let vod: VodServiceStandIn;
let clock: ManualClock;
let context: RecordingContext;

beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => harness.stop());
beforeEach(async () => {
  await harness.context.db.query('DELETE FROM recordings');
  vod = await startVodService({ token: TOKEN });
  clock = manualClock();
  context = serviceWith({});
});
afterEach(() => vod.close());

const quiet = { trace() {}, debug() {}, info() {}, warn() {}, error() {}, child: () => quiet };
const serviceWith = (env: Record<string, string>, overrides = {}) =>
  harness.variant({ VOD_SERVICE_URL: vod.url, ...env }, { clock, logger: quiet, ...overrides });

async function insert(status = 'completed', completedAt: Date | null = new Date(clock.now())): Promise<string> {
  const id = randomUUID();
  await context.db.query(
    `INSERT INTO recordings (id, stream_id, file_path, status, started_at, completed_at)
     VALUES ($1, $2, $3, $4::recording_status, '2025-10-05 17:00:00', $5::timestamptz AT TIME ZONE 'UTC')`,
    [id, randomUUID(), `recordings/${id}.mp4`, status, completedAt],
  );
  return id;
}

const call = (id: string, body: unknown, headers: Record<string, string> = { authorization: `Bearer ${TOKEN}` }) =>
  callerOf(importRoutes, context)('POST', `/recording/${id}/import`, { body, headers, sourceIp: '203.0.113.9' });

describe('POST /recording/{id}/import', () => {
  it("passes the wish on with the caller's token and stores the video", async () => {
    const id = await insert();
    const answer = await call(id, WISH);
    const [video] = vod.imported;
    expect([answer.status, answer.json]).toEqual([200, { recording_id: id, video_id: video?.videoId }]);
    expect(video?.request).toEqual({ recording_id: id, ...WISH });
    expect((await getRecording(context, id)).video_id).toBe(video?.videoId);
  });

  it('is private and without description unless the caller says otherwise', async () => {
    const id = await insert();
    await call(id, { title: ' T ' });
    expect(vod.imported[0]?.request).toEqual({
      recording_id: id,
      title: 'T',
      description: '',
      category: 'general',
      visibility: 'private',
    });
  });

  it('asks the VOD Service once, however often it comes and whoever comes', async () => {
    const id = await insert();
    const first = await call(id, WISH);
    vod.failWith(500);
    expect(await call(id, { title: 'Another' }, { authorization: 'Bearer other' })).toMatchObject({
      status: 200,
      json: first.json,
    });
  });

  it('makes one video of six calls at the same time', async () => {
    const id = await insert();
    let asked = 0;
    const othersAreDone = Promise.withResolvers<void>();
    const slow = serviceWith(
      {},
      {
        vod: {
          importRecording: async () => {
            asked += 1;
            if (asked > 1) othersAreDone.resolve();
            await othersAreDone.promise;
            return randomUUID();
          },
        },
      },
    );
    let refused = 0;
    const calls = Array.from({ length: 6 }, async () => {
      await importRecording(slow, id, TOKEN, WISH).catch((error: unknown) => {
        expect(error).toMatchObject({ code: 'IMPORT_UNDER_WAY' });
        refused += 1;
        if (refused === 5) othersAreDone.resolve();
      });
    });
    await Promise.all(calls);
    expect([asked, refused]).toEqual([1, 5]);
    expect((await getRecording(context, id)).video_id).not.toBeNull();
  });

  it('is taken up again when who claimed it died', async () => {
    const id = await insert();
    await context.db.query('INSERT INTO recording_imports (recording_id, claimed_until) VALUES ($1, $2)', [
      id,
      new Date(clock.now() + 40_000),
    ]);
    expect((await call(id, WISH)).status).toBe(409);
    clock.advance(40_000);
    expect((await call(id, WISH)).status).toBe(200);
  });

  it.each(['recording', 'processing', 'failed'])('is 409 for a recording that is %s', async (status) => {
    const id = await insert(status, null);
    expect(await call(id, WISH)).toMatchObject({ status: 409, json: { error: expect.stringContaining(status) } });
    expect(vod.imported).toEqual([]);
  });

  it('is 404 for what there is not', async () => {
    expect((await call(randomUUID(), WISH)).status).toBe(404);
    expect((await call('x', WISH)).status).toBe(404);
  });

  it.each([{}, { authorization: '' }, { authorization: 'Basic abc' }, { authorization: 'Bearer' }])(
    'is 401 with %j',
    async (headers) => {
      const answer = await call(await insert(), WISH, headers as Record<string, string>);
      expect([answer.status, answer.headers['www-authenticate']]).toEqual([401, 'Bearer realm="vod-service"']);
    },
  );

  it.each([
    ['title', {}],
    ['title', { title: '  ' }],
    ['title', { title: 'x'.repeat(201) }],
    ['visibility', { title: 'x', visibility: 'secret' }],
    ['description', { title: 'x', description: 7 }],
    ['recording_id', { title: 'x', recording_id: randomUUID() }],
    ['owner', { title: 'x', owner: 'me' }],
  ])('is 400 where %s is wrong, naming it', async (name, body) => {
    expect(await call(await insert(), body)).toMatchObject({
      status: 400,
      json: { error: expect.stringContaining(name) },
    });
    expect(vod.imported).toEqual([]);
  });

  it.each([
    [400, 422],
    [422, 422],
    [401, 401],
    [403, 401],
    [404, 502],
    [500, 502],
    [503, 502],
    [302, 502],
  ])('where the VOD Service says %d is %d, and can be asked again', async (said, status) => {
    const id = await insert();
    vod.failWith(said);
    const answer = await call(id, WISH);
    expect([answer.status, Object.keys(answer.json)]).toEqual([status, ['error']]);
    vod.failWith(undefined);
    expect((await call(id, WISH)).status).toBe(200);
  });

  it('is 401 with a token that the VOD Service does not accept', async () => {
    expect((await call(await insert(), WISH, { authorization: 'Bearer stolen' })).status).toBe(401);
  });

  it('is 502 where the answer is larger than any of its kind', async () => {
    const endless = await listen(async (_request, response) => {
      response.write(JSON.stringify({ video_id: randomUUID() }));
      response.end(' '.repeat(300 * 1024));
    });
    const wish = { ...WISH, recording_id: randomUUID() };
    const importing = createVodService(endless.url, 5000).importRecording(TOKEN, wish);
    const failure = await importing.catch((error: unknown) => error);
    await endless.close();
    expect(failure).toMatchObject({ code: 'NEIGHBOUR_UNAVAILABLE', message: expect.stringContaining('larger than') });
  });

  it('is 502 where nobody answers, and tells no address', async () => {
    const id = await insert();
    await vod.close();
    const answer = await call(id, WISH);
    expect([answer.status, answer.json]).toEqual([502, { error: 'Another service is not available, try again' }]);
  });
});

describe('AUTO_IMPORT', () => {
  const automatic = (env: Record<string, string> = {}) =>
    serviceWith({ AUTO_IMPORT: 'true', VOD_SERVICE_TOKEN: TOKEN, ...env });

  it('is off by default', async () => {
    await insert();
    await importDue(context);
    expect(vod.imported).toEqual([]);
  });

  it('imports each completed recording once, privately, and passes over old, unfinished and imported ones', async () => {
    const due = await insert();
    await insert('completed', new Date(clock.now() - 25 * 3_600_000));
    await insert('failed');
    await insert('processing', null);
    const done = await insert();
    await context.db.query('UPDATE recordings SET video_id = $2 WHERE id = $1', [done, randomUUID()]);
    await importDue(automatic());
    await importDue(automatic());
    expect(vod.imported.map((video) => video.request)).toEqual([
      {
        recording_id: due,
        title: 'Recording of 2025-10-05 17:00 UTC',
        description: '',
        category: 'general',
        visibility: 'private',
      },
    ]);
    expect((await getRecording(context, due)).video_id).toBe(vod.imported[0]?.videoId);
  });

  it('tries again later while the VOD Service is down, with growing pauses', async () => {
    const id = await insert();
    vod.failWith(503);
    let asked = 0;
    const counting = serviceWith(
      { AUTO_IMPORT: 'true', VOD_SERVICE_TOKEN: TOKEN },
      {
        vod: {
          importRecording: (...args: Parameters<RecordingContext['vod']['importRecording']>) => {
            asked += 1;
            return context.vod.importRecording(...args);
          },
        },
      },
    );
    for (let second = 0; second < 130; second += 10) {
      await importDue(counting);
      clock.advance(10_000);
    }
    expect(asked).toBe(4);
    vod.failWith(undefined);
    clock.advance(600_000);
    await importDue(counting);
    expect((await getRecording(context, id)).video_id).toBe(vod.imported[0]?.videoId);
  });

  it('does not ask again for what was refused for good, but a caller may', async () => {
    const id = await insert();
    vod.failWith(422);
    await importDue(automatic());
    vod.failWith(undefined);
    clock.advance(3_600_000);
    await importDue(automatic());
    expect(vod.imported).toEqual([]);
    expect((await call(id, WISH)).status).toBe(200);
  });
});

describe('PATCH /recording/{id}', () => {
  const patch = (id: string, body: unknown) => callerOf(internalRoutes, context)('PATCH', `/recording/${id}`, { body });

  it('sets the video that the VOD Service made by itself, twice as well, and takes it away', async () => {
    const [id, videoId] = [await insert(), randomUUID()];
    for (let time = 0; time < 2; time += 1) {
      expect(await patch(id, { video_id: videoId.toUpperCase() })).toMatchObject({
        status: 200,
        json: { recording: { id, video_id: videoId } },
      });
    }
    expect(await patch(id, { video_id: null })).toMatchObject({ status: 200, json: { recording: { video_id: null } } });
  });

  it('is 409 before the recording is completed and 404 where there is none', async () => {
    expect((await patch(await insert('processing', null), { video_id: randomUUID() })).status).toBe(409);
    expect((await patch(randomUUID(), { video_id: randomUUID() })).status).toBe(404);
  });
});
