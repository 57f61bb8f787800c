/** Hooks of streaming servers on the embedded back ends: one recording a broadcast, whatever the connections did. */
import { randomUUID } from 'node:crypto';
import { routes } from '../../../functions/hooks.ts';
import { createLogger } from '../../../lib/platform/logging.ts';
import { type Caller, callerOf } from '../../support/lambda.ts';
import { type Harness, startHarness } from '../../support/service-harness.ts';

const TOKEN = 'token-of-the-servers';
let harness: Harness;
let call: Caller;
let lines: string[] = [];

beforeAll(async () => {
  harness = await startHarness();
  const logger = createLogger('trace', [], { write: (line) => lines.push(line) });
  call = callerOf(routes, harness.variant({ HOOK_TOKEN: TOKEN }, { logger }));
});
afterAll(() => harness.stop());
beforeEach(() => {
  lines = [];
});

const send = (server: string, body: string, token = TOKEN) =>
  call('POST', `/hooks/${server}`, {
    body,
    query: { token },
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    sourceIp: '203.0.113.9',
  });
const nginx = (call: string, name: string, clientid: string) =>
  send('nginx-rtmp', new URLSearchParams({ app: 'live', addr: '10.0.0.9', clientid, call, name }).toString());
const mediaMtx = (event: string, path: string, source_id: string, time?: string) =>
  send('mediamtx', new URLSearchParams({ event, path, source_id, ...(time ? { time } : {}) }).toString());
const srs = (action: string, stream: string) =>
  send('srs', JSON.stringify({ action, client_id: '341w361a', vhost: '__defaultVhost__', app: 'live', stream }));

const newKey = () => `key-${randomUUID().slice(0, 8)}`;
const recordingsOf = async (streamKey: string) =>
  (await harness.context.recordings.list({ limit: 100 })).filter((recording) => recording.streamKey === streamKey);

describe('POST /hooks/{server}', () => {
  it('opens a recording and ends it, and answers with the 0 that SRS wants', async () => {
    const key = newKey();
    for (const action of ['on_publish', 'on_hls', 'on_play']) {
      const answer = await srs(action, key);
      expect([answer.status, answer.text]).toEqual([200, '0']);
    }
    expect(await recordingsOf(key)).toMatchObject([{ status: 'recording', streamKey: key, userId: null }]);
    await srs('on_unpublish', key);
    expect(await recordingsOf(key)).toMatchObject([{ status: 'processing' }]);
  });

  it('makes one recording of a start that is told twice and an end that is told twice', async () => {
    const key = newKey();
    for (const event of ['publish', 'publish', 'publish_done', 'publish_done']) await nginx(event, key, '7');
    expect(await recordingsOf(key)).toMatchObject([{ status: 'processing' }]);
  });

  it('goes on when the end of a lost connection comes after its successor has started', async () => {
    const key = newKey();
    await mediaMtx('ready', key, '7');
    await mediaMtx('ready', key, '8');
    await mediaMtx('not-ready', key, '7');
    const recordings = await recordingsOf(key);
    expect(recordings.map(({ status }) => status).sort()).toEqual(['processing', 'recording']);
    expect(new Set(recordings.map(({ streamId }) => streamId)).size).toBe(1);
    await mediaMtx('not-ready', key, '8');
    expect((await recordingsOf(key)).map(({ status }) => status)).toEqual(['processing', 'processing']);
  });

  it('ends with the last connection where the start of an earlier one is told late', async () => {
    const key = newKey();
    const at = (seconds: number) => new Date(Date.now() - 120_000 + seconds * 1000).toISOString();
    await mediaMtx('not-ready', key, '7', at(19));
    await mediaMtx('ready', key, '8', at(20));
    await mediaMtx('ready', key, '7', at(0));
    expect((await recordingsOf(key)).map(({ status }) => status).sort()).toEqual(['processing', 'recording']);
    await mediaMtx('not-ready', key, '8', at(60));
    expect((await recordingsOf(key)).map(({ status }) => status)).toEqual(['processing', 'processing']);
  });

  it('goes on, in one recording, when somebody else tries to publish the stream and is refused', async () => {
    const key = newKey();
    await nginx('publish', key, '7');
    for (const intruder of ['8', '9']) {
      await nginx('publish', key, intruder);
      await nginx('publish_done', key, intruder);
      expect(await recordingsOf(key)).toMatchObject([{ status: 'recording' }]);
    }
    await nginx('publish_done', key, '7');
    expect(await recordingsOf(key)).toMatchObject([{ status: 'processing' }]);
  });

  it('makes no recording of a publisher that was refused while the recorder was down', async () => {
    const key = newKey();
    await nginx('publish_done', key, '7');
    expect(await recordingsOf(key)).toEqual([]);
    // With segments there was a stream, whoever was told of it.
    const { store, config } = harness.context;
    await store.put(config.LIVE_BUCKET, `${key}/0.ts`, Buffer.from('x'), 'video/mp2t');
    await nginx('publish_done', key, '8');
    expect(await recordingsOf(key)).toMatchObject([{ status: 'processing' }]);
  });

  it('lets nobody in without the token, and writes neither token nor stream key to the log', async () => {
    const key = newKey();
    for (const token of ['', 'token-of-the-serverz', `${TOKEN} `]) {
      expect((await send('srs', JSON.stringify({ action: 'on_publish', stream: key }), token)).status).toBe(401);
    }
    expect(await recordingsOf(key)).toEqual([]);
    await srs('on_publish', key);
    expect(lines.join('\n')).toContain('📹 Webhook received: stream.started for stream');
    expect(lines.join('\n')).not.toContain(key);
    expect(lines.join('\n')).not.toContain(TOKEN);
  });

  it.each([
    ['nginx-rtmp', 'call=publish&app=live&name=..%2Fetc', 400],
    ['nginx-rtmp', 'call=publish&app=live', 400],
    ['nginx-rtmp', '', 400],
    ['srs', 'call=publish', 400],
    ['srs', '{"action":"on_publish","stream":{"a":1}}', 400],
    ['mediamtx', 'event=ready&path=abc&time=yesterday', 400],
    ['mediamtx', 'event=ready&path=abc&source_id=a%00b', 400],
    ['nginx-rtmp', 'call=publish&app=live&name=abc&clientid=%00', 400],
    ['srs', JSON.stringify({ action: 'on_publish', stream: 'abc', client_id: 'a\u0000b' }), 400],
    ['mediamtx', `event=ready&path=${'x'.repeat(70_000)}`, 413],
    ['wowza', 'call=publish', 404],
  ])('refuses what is no hook: %s %.40s', async (server, body, status) => {
    expect((await send(server, body)).status).toBe(status);
  });
});
