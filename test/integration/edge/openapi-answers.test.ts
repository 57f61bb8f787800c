/** Every route, called for real: each status, content type and body is what openapi.json says, judged by another validator. */
import { randomUUID } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { openApiDocument } from '../../../functions/openapi.ts';
import type { HttpRoute } from '../../../lib/platform/http.ts';
import type { RecordingContext } from '../../../lib/recordings/context.ts';
import { makePosters } from '../../../lib/recordings/poster.ts';
import { removeStaging } from '../../../lib/recordings/remove-staging.ts';
import { buildWeb } from '../../../scripts/build-web.ts';
import { type Answer, type Caller, callerOf, type Request } from '../../support/lambda.ts';
import { type Hls, makeHls } from '../../support/media/index.ts';
import { finishedRecording, type LiveRecording, startRecording } from '../../support/recorded.ts';
import { type Harness, startHarness } from '../../support/service-harness.ts';
import { startVodService, type VodServiceStandIn } from '../../support/vod-service.ts';

const TOKEN = 'token-of-a-user';
const STRANGER = '203.0.113.9';

let harness: Harness;
let vod: VodServiceStandIn;
let context: RecordingContext;
let call: Caller;
let done: LiveRecording;
let live: LiveRecording;
let failed: LiveRecording;
let filed: LiveRecording;
const seen = new Set<string>();

beforeAll(async () => {
  let hls: Hls;
  [harness, vod, hls] = await Promise.all([
    startHarness(),
    startVodService({ token: TOKEN }),
    makeHls({ seconds: 6, segmentSeconds: 2, fps: '25', width: 320, height: 180, audio: [{ codec: 'aac' }] }),
    buildWeb(),
  ]);
  context = harness.variant({ VOD_SERVICE_URL: vod.url, PUBLIC_URL_BASE: `http://${harness.env.MINIO_ENDPOINT}` });
  const routes: HttpRoute<RecordingContext>[] = [];
  for (const file of await readdir(join(import.meta.dirname, '../../../functions'))) {
    const one = (await import(`../../../functions/${file}`)) as { routes?: readonly HttpRoute<RecordingContext>[] };
    routes.push(...(one.routes ?? []));
  }
  call = callerOf(routes, context);
  filed = await finishedRecording(harness, hls);
  // Its media comes from the file now, that of the others from staging.
  await removeStaging({ ...context, config: { ...context.config, LATE_SEGMENT_WINDOW: 0 } });
  done = await finishedRecording(harness, hls, [1]);
  live = await startRecording(harness, hls);
  await live.upload(0, 1);
  failed = await startRecording(harness, hls);
  await failed.end();
  await context.segments.updateDurations(new Date());
  await makePosters(context, 30_000);
});
afterAll(async () => {
  await vod?.close();
  await harness?.stop();
});

const ajv = new Ajv2020({ strict: false, allErrors: true });
addFormats.default(ajv);

type Media = Record<string, { schema?: object }>;
type Operation = { responses: Record<string, { content?: Media }> };

function judge(operation: string, answer: Answer): void {
  const [method = '', template = ''] = operation.split(' ');
  const document = openApiDocument();
  const described = document.paths[template]?.[method.toLowerCase()] as unknown as Operation | undefined;
  const documented = described?.responses[String(answer.status)];
  expect([operation, answer.status, documented !== undefined, answer.text.slice(0, 200)]).toEqual([
    operation,
    answer.status,
    true,
    expect.any(String),
  ]);
  seen.add(`${operation} ${answer.status}`);
  const content = documented?.content;
  if (!content) {
    expect([operation, answer.status, answer.text]).toEqual([operation, answer.status, '']);
    return;
  }
  const type = answer.headers['content-type']?.split(';')[0] ?? '';
  const media = content[type] ?? content['*/*'];
  expect([operation, answer.status, type, Object.keys(content)]).toEqual([
    operation,
    answer.status,
    type,
    media ? expect.anything() : [type],
  ]);
  if (!media?.schema) return;
  const validate = ajv.compile({ ...media.schema, components: document.components });
  const valid = validate(answer.json);
  expect([operation, answer.status, valid, validate.errors]).toEqual([operation, answer.status, true, null]);
}

/** Calls an operation of the document and judges the answer. */
async function ask(operation: string, status: number, path: string, request: Request = {}): Promise<Answer> {
  const answer = await call(operation.split(' ')[0] ?? '', path, request);
  expect([operation, path, answer.status, answer.text.slice(0, 200)]).toEqual([
    operation,
    path,
    status,
    expect.any(String),
  ]);
  judge(operation, answer);
  return answer;
}

const get = (template: string, status: number, path: string, request?: Request) =>
  ask(`GET ${template}`, status, path, request);

const webhook = (event: string) => ({
  event,
  stream_id: randomUUID(),
  stream_key: 'k',
  user_id: randomUUID(),
  timestamp: '2025-10-05T18:00:00Z',
});

describe('answers are what openapi.json says', () => {
  it('of pages, lists and what is asked of the service itself', async () => {
    for (const path of [
      '/',
      '/health',
      '/overview',
      '/metrics',
      '/openapi.json',
      '/docs',
      '/recordings',
      '/api/recordings',
    ])
      await get(path, 200, path);
    const page = await call('GET', '/');
    const html = Buffer.from(page.text, 'base64').toString('utf8');
    const [asset = ''] = /\/assets\/[^"]+\.js/.exec(html) ?? /\/assets\/[^"]+\.js/.exec(page.text) ?? [];
    await get('/assets/{file}', 200, asset);
    await get('/assets/{file}', 404, '/assets/none.js');
    for (const path of ['/recordings', '/api/recordings']) {
      const { headers } = await get(path, 200, path, { query: { limit: '1' } });
      expect(headers.link).toMatch(/rel="next"$/);
      await get(path, 304, path, { query: { limit: '1' }, headers: { 'if-none-match': headers.etag ?? '' } });
      await get(path, 400, path, { query: { limit: '0' } });
    }
  });

  it('of recordings in every state', async () => {
    for (const { id } of [done, live, failed, filed]) {
      await get('/recording/{id}', 200, `/recording/${id}`);
      await get('/api/recordings/{id}', 200, `/api/recordings/${id}`);
      for (const part of ['report', 'segments', 'events', 'clips']) {
        await get(`/recording/{id}/${part}`, 200, `/recording/${id}/${part}`);
        await get(`/recording/{id}/${part}`, 404, `/recording/${randomUUID()}/${part}`);
      }
      await get('/recording/{id}/storyboard.vtt', 200, `/recording/${id}/storyboard.vtt`);
    }
    for (const { id, status } of [
      { id: live.id, status: 200 },
      { id: failed.id, status: 204 },
      { id: randomUUID(), status: 404 },
    ])
      for (const name of ['poster.jpg', 'storyboard.jpg'])
        await get(`/recording/{id}/${name}`, status, `/recording/${id}/${name}`);
    for (const [id, status] of [
      [done.id, 302],
      [live.id, 409],
      [randomUUID(), 404],
    ] as const)
      await get('/recording/{id}/download', status, `/recording/${id}/download`);
    for (const [id, status] of [
      [done.id, 302],
      [live.id, 409],
      [randomUUID(), 404],
    ] as const)
      await get('/recording/{id}/audio.m4a', status, `/recording/${id}/audio.m4a`);
    await get('/api/recordings/{id}', 404, `/api/recordings/${randomUUID()}`);
  });

  it('of playlists and media, from segments and from the file', async () => {
    const staged = await get('/recording/{id}/index.m3u8', 200, `/recording/${live.id}/index.m3u8`);
    const [segment = ''] = /^segments\/.+$/m.exec(staged.text) ?? [];
    await get('/recording/{id}/segments/{segment}', 200, `/recording/${live.id}/${segment}`);
    await get('/recording/{id}/segments/{segment}', 404, `/recording/${live.id}/segments/999999.ts`);
    await get('/recording/{id}/index.m3u8', 404, `/recording/${failed.id}/index.m3u8`);
    await get('/recording/{id}/index.m3u8', 400, `/recording/${done.id}/index.m3u8`, { query: { from: 'nowhere' } });
    const whole = await get('/recording/{id}/index.m3u8', 200, `/recording/${filed.id}/index.m3u8`);
    for (const [template, pattern] of [
      ['/recording/{id}/init.mp4', /init\.mp4[^"\n]*/],
      ['/recording/{id}/fragments/{fragment}', /^fragments\/.+$/m],
    ] as const) {
      const url = new URL(pattern.exec(whole.text)?.[0] ?? '', `http://x/recording/${filed.id}/`);
      await get(template, 200, url.pathname, { query: Object.fromEntries(url.searchParams) });
      await get(template, 404, url.pathname.replace(filed.id, randomUUID()), {
        query: Object.fromEntries(url.searchParams),
      });
    }
  });

  it('of clips', async () => {
    const clips = (id: string, status: number, body: unknown) =>
      ask('POST /recording/{id}/clips', status, `/recording/${id}/clips`, { body });
    const made = await clips(done.id, 201, { start: 0, end: 2, title: 'A goal' });
    await clips(live.id, 201, { start: 1, end: 3 });
    await clips(done.id, 400, { start: 2, end: 'later' });
    await clips(done.id, 422, { start: 500, end: 600 });
    await clips(randomUUID(), 404, { start: 0, end: 2 });
    await get('/recording/{id}/clips', 200, `/recording/${done.id}/clips`);
    const template = '/recording/{id}/clips/{clip}/download';
    await get(template, 302, `/recording/${done.id}/clips/${made.json.clip.id}/download`);
    await get(template, 404, `/recording/${done.id}/clips/${randomUUID()}/download`);
  });

  it('of imports, and of who may not', async () => {
    const path = `/recording/${done.id}/import`;
    const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
    await ask('POST /recording/{id}/import', 401, path, { body: {} });
    await ask('POST /recording/{id}/import', 401, path, { body: { title: 'T' }, headers: bearer('wrong') });
    await ask('POST /recording/{id}/import', 400, path, { body: { title: 5 }, headers: bearer(TOKEN) });
    const elsewhere = `/recording/${live.id}/import`;
    await ask('POST /recording/{id}/import', 409, elsewhere, { body: { title: 'T' }, headers: bearer(TOKEN) });
    vod.failWith(503);
    await ask('POST /recording/{id}/import', 502, path, { body: { title: 'T' }, headers: bearer(TOKEN) });
    vod.failWith(undefined);
    await ask('POST /recording/{id}/import', 200, path, { body: { title: 'T' }, headers: bearer(TOKEN) });
  });

  it('of internal routes, for who may and who may not', async () => {
    const retry = (id: string, status: number, request?: Request) =>
      ask('POST /recording/{id}/retry', status, `/recording/${id}/retry`, request);
    await retry(failed.id, 403, { sourceIp: STRANGER });
    await retry(done.id, 409);
    await retry(randomUUID(), 404);
    await retry(failed.id, 202);
    const replay = '/recording/{id}/events/replay';
    await ask(`POST ${replay}`, 202, `/recording/${done.id}/events/replay`);
    await ask(`POST ${replay}`, 400, `/recording/${done.id}/events/replay`, { query: { from_sequence: '0' } });
    const patch = (id: string, status: number, body: unknown) =>
      ask('PATCH /recording/{id}', status, `/recording/${id}`, { body });
    await patch(filed.id, 200, { video_id: randomUUID() });
    await patch(filed.id, 400, { video_id: 'none' });
    await patch(live.id, 409, { video_id: randomUUID() });
  });

  it('of webhooks and hooks', async () => {
    await ask('POST /webhook/stream', 200, '/webhook/stream', { body: webhook('stream.started') });
    await ask('POST /webhook/stream', 400, '/webhook/stream', { body: webhook('stream.paused') });
    await ask('POST /webhook/stream', 403, '/webhook/stream', { body: webhook('stream.started'), sourceIp: STRANGER });
    await ask('POST /webhook/stream', 413, '/webhook/stream', {
      body: { ...webhook('stream.ended'), x: 'x'.repeat(70_000) },
    });
    const fromAPage = {
      'content-type': 'text/plain',
      host: 'localhost',
      origin: 'http://localhost',
      'sec-fetch-site': 'same-origin',
    };
    const text = { body: '{}', headers: fromAPage };
    await ask('POST /webhook/stream', 415, '/webhook/stream', text);
    await ask('POST /webhook/segments', 200, '/webhook/segments', { body: { Records: [] } });
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    const hook = (server: string, status: number, body: string) =>
      ask('POST /hooks/{server}', status, `/hooks/${server}`, { body, headers: form });
    await hook('nginx-rtmp', 200, 'call=publish&app=live&name=k&clientid=1&addr=127.0.0.1');
    await hook('other', 404, 'call=publish');
  });

  it('has seen each operation succeed', () => {
    const wanted = Object.entries(openApiDocument().paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const succeeded = new Set([...seen].filter((one) => /[23]\d\d$/.test(one)).map((one) => one.replace(/ \d+$/, '')));
    expect(wanted.filter((operation) => !succeeded.has(operation))).toEqual([]);
  });
});
