/** The VOD Service stand-in refuses what the real one refuses, and gives one video a recording. */
import { randomUUID } from 'node:crypto';
import { call } from '../../support/http.ts';
import { startVodService, type VodServiceStandIn } from '../../support/vod-service.ts';

let vod: VodServiceStandIn;
const recordingId = randomUUID();
const body = { recording_id: recordingId, title: 'Stream', description: '', category: 'live', visibility: 'public' };

beforeAll(async () => {
  vod = await startVodService({ token: 'secret' });
});
afterAll(() => vod.close());

const post = (sent: unknown, token = 'secret') =>
  call(`${vod.url}/import-recording`, { body: sent, headers: { authorization: `Bearer ${token}` } });

describe('the VOD Service stand-in', () => {
  it('gives a video id, and the same one when the recording comes again', async () => {
    const first = await post(body);
    expect([first.status, first.json]).toEqual([200, { video_id: expect.stringMatching(/^[0-9a-f-]{36}$/) }]);
    expect((await post(body)).json).toEqual(first.json);
    expect(vod.imported).toEqual([{ videoId: expect.any(String), request: body }]);
  });

  it.each([
    ['a wrong token', body, 'other', 401],
    ['no title', { ...body, title: '' }, 'secret', 400],
    ['an id that is none', { ...body, recording_id: '1' }, 'secret', 400],
    ['no JSON', '{', 'secret', 400],
  ])('refuses %s', async (_, sent, token, status) => {
    expect((await post(sent, token)).status).toBe(status);
  });

  it('fails as long as it is told to', async () => {
    vod.failWith(503);
    expect((await post(body)).status).toBe(503);
    vod.failWith(undefined);
    expect((await post(body)).status).toBe(200);
  });

  it('knows no other route and no other method', async () => {
    expect((await call(`${vod.url}/videos`)).status).toBe(404);
    expect((await call(`${vod.url}/import-recording`)).status).toBe(405);
  });
});
