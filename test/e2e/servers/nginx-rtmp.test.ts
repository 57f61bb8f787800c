/**
 * A real nginx-rtmp: ffmpeg publishes, nginx tells the recorder and writes HLS, the uploader brings it to the bucket, and
 * a recording comes out. Where nginx is not installed, a line says so.
 */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ffmpegBinary } from '../../support/media/index.ts';
import { findNginxRtmp, NGINX_MISSING, startNginxRtmp } from '../../support/servers/nginx-rtmp.ts';
import { type Publisher, startPublisher } from '../../support/servers/publisher.ts';
import type { RtmpServer } from '../../support/servers/rtmp-server.ts';
import { waitFor } from '../../support/wait.ts';
import { recordingsOf } from '../scenario.ts';
import { expectExactly, HOOK_TOKEN, openWay, segmentsIn, streamIdOf, type Way, waitForRecordings } from './rtmp.ts';

const installed = await findNginxRtmp();
if (!installed) console.log(`${NGINX_MISSING}: it is not tested.`);

let folder: string;
let way: Way;
let nginx: RtmpServer;
let ffmpegPath: string;

beforeAll(async () => {
  if (!installed) return;
  folder = await mkdtemp(join(tmpdir(), 'nginx-rtmp-'));
  ffmpegPath = (await ffmpegBinary()).path;
  way = await openWay();
  nginx = await startNginxRtmp(installed, folder, way.hooksUrl('nginx-rtmp'));
  way.watch(nginx.hlsFolder);
});
afterAll(async () => {
  await nginx?.stop();
  await way?.stop();
  if (folder) await rm(folder, { recursive: true, force: true });
});

/** The machine may be busy with other tests. */
const PATIENCE_MS = 240_000;

const newKey = () => `key-${randomUUID().slice(0, 8)}`;
const publish = (key: string, seconds: number): Publisher =>
  startPublisher({ ffmpegPath, url: `${nginx.url}/${key}`, seconds });
const idOf = (key: string) => streamIdOf('nginx-rtmp', `call=publish&app=live&name=${key}`);
const filesOf = (key: string) => segmentsIn(join(nginx.hlsFolder, key));
const bodiesOf = (key: string) => way.gate.bodies.filter((body) => body.includes(`name=${key}`));
const withFiles = (key: string, count: number) =>
  waitFor(`${count} segments`, async () => (await filesOf(key)).length >= count || undefined, { withinMs: 30_000 });

const onNginx = installed ? describe : describe.skip;

onNginx('a stream that is published to nginx-rtmp', () => {
  it.concurrent(
    'is recorded exactly as nginx wrote it, whatever its publisher writes behind the key',
    async () => {
      const key = newKey();
      const encoder = publish(`${key}?name=victim&clientid=1&token=mine`, 60);
      await withFiles(key, 2);
      // Somebody else with the same key is refused by nginx, which tells of it all the same.
      const second = await publish(key, 3).ended;
      expect(second.said).toMatch(/already publishing|Operation not permitted|error/i);
      await withFiles(key, 4);
      encoder.stop('SIGTERM');
      await encoder.ended;
      const recordings = await waitForRecordings(way, idOf(key), 1);
      const files = await filesOf(key);
      expect(files.length).toBeGreaterThanOrEqual(4);
      await expectExactly(way, recordings[0], files);
      expect(recordings[0]?.file_path).toBe(`recordings/${key}.mp4`);
      const fields = bodiesOf(key).map((body) => Object.fromEntries([...new URLSearchParams(body)].reverse()));
      expect(fields.map(({ call, name }) => [call, name])).toEqual([
        ['publish', key],
        ['publish', key],
        ['publish_done', key],
        ['publish_done', key],
      ]);
      const log = way.service.log.join('\n');
      expect(log.replaceAll(`Recording completed: recordings/${key}`, '')).not.toContain(key);
      expect(log).not.toContain(HOOK_TOKEN);
    },
    PATIENCE_MS,
  );

  it.concurrent(
    'is two recordings where its publisher comes back, each of them exact',
    async () => {
      const key = newKey();
      expect((await publish(key, 5).ended).code).toBe(0);
      await waitFor('the end of the first', () => bodiesOf(key).length === 2 || undefined, { withinMs: 20_000 });
      const first = await filesOf(key);
      // nginx goes on with its numbers, and its playlist still names what was before.
      expect((await publish(key, 5).ended).code).toBe(0);
      const [one, two] = await waitForRecordings(way, idOf(key), 2);
      const second = (await filesOf(key)).filter((file) => !first.includes(file));
      expect(second.length).toBeGreaterThanOrEqual(2);
      await expectExactly(way, one, first);
      await expectExactly(way, two, second);
    },
    PATIENCE_MS,
  );

  it.concurrent(
    'is finished where its publisher is killed',
    async () => {
      const key = newKey();
      const encoder = publish(key, 60);
      await withFiles(key, 3);
      encoder.stop('SIGKILL');
      await encoder.ended;
      const [recording] = await waitForRecordings(way, idOf(key), 1);
      await expectExactly(way, recording, await filesOf(key));
    },
    PATIENCE_MS,
  );
});

onNginx('a recorder that is down, or does not know the token', () => {
  it(
    'lets nobody publish, and leaves no recording behind; then all is as before',
    async () => {
      const key = newKey();
      way.gate.isDown = true;
      const refused = await publish(key, 10).ended;
      expect(refused.code).not.toBe(0);
      way.gate.isDown = false;
      expect(await recordingsOf(way.service.url, idOf(key))).toEqual([]);
      expect((await publish(key, 4).ended).code).toBe(0);
      const [recording] = await waitForRecordings(way, idOf(key), 1);
      await expectExactly(way, recording, await filesOf(key));
    },
    PATIENCE_MS,
  );

  it(
    'refuses a publisher whose server brings another token',
    async () => {
      if (!installed) return;
      const other = await startNginxRtmp(
        installed,
        join(folder, 'other'),
        `${way.gate.url}/hooks/nginx-rtmp?token=another-token`,
      );
      const key = newKey();
      const refused = await startPublisher({ ffmpegPath, url: `${other.url}/${key}`, seconds: 10 }).ended;
      await other.stop();
      expect(refused.code).not.toBe(0);
      expect(await recordingsOf(way.service.url, idOf(key))).toEqual([]);
    },
    PATIENCE_MS,
  );
});
