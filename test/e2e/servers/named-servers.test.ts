/**
 * SRS and MediaMTX, which no package manager has: tested where SRS_BINARY and MEDIAMTX_BINARY name them, with the files of
 * examples/. A publisher, another one that wants the same stream, one that comes back, one that is killed.
 */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ffmpegBinary } from '../../support/media/index.ts';
import { startMediaMtx } from '../../support/servers/mediamtx.ts';
import { type Publisher, startPublisher } from '../../support/servers/publisher.ts';
import type { RtmpServer } from '../../support/servers/rtmp-server.ts';
import { startSrs } from '../../support/servers/srs.ts';
import { waitFor } from '../../support/wait.ts';
import { expectExactly, openWay, segmentsIn, streamIdOf, type Way, waitForRecordings } from './rtmp.ts';

/** The machine may be busy with other tests. */
const PATIENCE_MS = 240_000;

const SERVERS = {
  srs: {
    title: 'SRS',
    variable: 'SRS_BINARY',
    start: startSrs,
    idOf: (key: string) => streamIdOf('srs', JSON.stringify({ action: 'on_publish', app: 'live', stream: key })),
    refusesSecond: true,
  },
  mediamtx: {
    title: 'MediaMTX',
    variable: 'MEDIAMTX_BINARY',
    start: startMediaMtx,
    idOf: (key: string) => streamIdOf('mediamtx', `event=ready&path=live/${key}`),
    refusesSecond: false,
  },
} as const;

describe.each(['srs', 'mediamtx'] as const)('a stream that is published to %s', (name) => {
  const { title, variable, start, idOf, refusesSecond } = SERVERS[name];
  const binary = process.env[variable];
  if (!binary) console.log(`${title} is not tested: ${variable} names no binary of it.`);
  const onServer = binary ? it.concurrent : it.skip;

  let folder: string;
  let way: Way;
  let server: RtmpServer;
  let ffmpegPath: string;

  beforeAll(async () => {
    if (!binary) return;
    folder = await mkdtemp(join(tmpdir(), `${name}-`));
    ffmpegPath = (await ffmpegBinary()).path;
    way = await openWay();
    server = await start(binary, folder, way.hooksUrl(name));
    way.watch(server.hlsFolder);
  });
  afterAll(async () => {
    await server?.stop();
    await way?.stop();
    if (folder) await rm(folder, { recursive: true, force: true });
  });

  const newKey = () => `key-${randomUUID().slice(0, 8)}`;
  const publish = (key: string, seconds: number): Publisher =>
    startPublisher({ ffmpegPath, url: `${server.url}/${key}`, seconds });
  const filesOf = (key: string) => segmentsIn(join(server.hlsFolder, key.split('?')[0] ?? ''));
  const withFiles = (key: string, count: number) =>
    waitFor(`${count} segments`, async () => (await filesOf(key)).length >= count || undefined, { withinMs: 30_000 });

  onServer(
    'is recorded exactly as the server wrote it, whatever its publisher writes behind the key',
    async () => {
      const key = newKey();
      const encoder = publish(`${key}?token=mine&name=victim`, 60);
      await withFiles(key, 2);
      // Refused by SRS, which tells of it all the same. How ffmpeg ends then is ffmpeg's.
      if (refusesSecond) await publish(key, 1).ended;
      await withFiles(key, 4);
      encoder.stop('SIGTERM');
      await encoder.ended;
      const recordings = await waitForRecordings(way, idOf(key), 1);
      await expectExactly(way, recordings[0], await filesOf(key));
      expect(recordings[0]?.file_path).toBe(`recordings/${key}.mp4`);
    },
    PATIENCE_MS,
  );

  onServer(
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

  onServer(
    'is two recordings where its publisher comes back',
    async () => {
      const key = newKey();
      expect((await publish(key, 11).ended).code).toBe(0);
      const [first] = await waitForRecordings(way, idOf(key), 1);
      await expectExactly(way, first, await filesOf(key));
      const sinceMs = Date.now();
      expect((await publish(key, 13).ended).code).toBe(0);
      const [, second] = await waitForRecordings(way, idOf(key), 2);
      // A server goes on with its numbers, or begins again over the same names.
      const files = await filesOf(key);
      const times = await Promise.all(files.map(async (file) => (await stat(file)).mtimeMs));
      await expectExactly(
        way,
        second,
        files.filter((_, index) => (times[index] ?? 0) >= sinceMs),
      );
    },
    PATIENCE_MS,
  );
});
