/** A real VersityGW on a free port of loopback, over a folder that goes when it stops. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../../localstack/ports.ts';
import { type ServerProcess, startServerProcess } from '../server-process.ts';
import { requireBinary } from './require-binary.ts';
import {
  ACCESS_KEY,
  allowReadingRecordings,
  createBuckets,
  environmentOf,
  SECRET_KEY,
  type StoreServer,
} from './store-server.ts';

export interface VersityServer extends StoreServer {
  /** The same server, started again to tell a URL, where somebody has to listen already, of every object. */
  withWebhook(url: string): Promise<StoreServer>;
}

export async function startVersity(): Promise<VersityServer> {
  const file = requireBinary('versitygw');
  const folder = await mkdtemp(join(tmpdir(), 'store-versitygw-'));
  // Extended attributes, as in production: with a sidecar folder instead, an object read while it is replaced can come
  // with the ETag of the other version.
  const data = join(folder, 'data');
  await mkdir(data);
  const port = await freePort();
  let webhook: string[] = [];
  const start = (): Promise<ServerProcess> =>
    startServerProcess({
      file,
      args: [...['--port', `127.0.0.1:${port}`, '--health', '/health', '--quiet'], ...webhook, ...['posix', data]],
      env: { ROOT_ACCESS_KEY: ACCESS_KEY, ROOT_SECRET_KEY: SECRET_KEY },
      ready: { url: `http://127.0.0.1:${port}/health` },
    });
  let running = await start();
  const env = environmentOf(port);
  await createBuckets(env);
  const restart = async (signal?: 'SIGTERM' | 'SIGKILL') => {
    await running.stop(signal);
    running = await start();
  };
  const server: VersityServer = {
    name: 'VersityGW',
    endpoint: `http://127.0.0.1:${port}`,
    env,
    traits: {
      secondComplete: 'same-object',
      uploadsAfterRestart: 'listed',
      uploadsByPrefix: 'all',
      uploadTime: 'last-part',
      forgottenChecksums: 'refused',
      unknownKeyStatus: 404,
      fileAndFolder: false,
      longNames: false,
    },
    allowReading: () => allowReadingRecordings(env),
    restart,
    withWebhook: async (url) => {
      webhook = ['--event-webhook-url', url];
      await restart();
      return server;
    },
    stop: async () => {
      await running.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
  return server;
}
