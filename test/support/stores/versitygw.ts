/** A real VersityGW on a free port of loopback, over a folder that goes when it stops. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../../localstack/ports.ts';
import { requireBinary } from './require-binary.ts';
import { type ServerProcess, startServerProcess } from './server-process.ts';
import {
  ACCESS_KEY,
  allowReadingRecordings,
  createBuckets,
  environmentOf,
  SECRET_KEY,
  type StoreServer,
} from './store-server.ts';

export interface VersityOptions {
  /** Where it tells of every object; one URL for all buckets. */
  readonly webhookUrl?: string;
}

export async function startVersity(options: VersityOptions = {}): Promise<StoreServer> {
  const file = requireBinary('versitygw');
  const folder = await mkdtemp(join(tmpdir(), 'store-versitygw-'));
  // Extended attributes, as in production: with a sidecar folder instead, an object read while it is replaced can come
  // with the ETag of the other version.
  const data = join(folder, 'data');
  await mkdir(data);
  const port = await freePort();
  const start = (): Promise<ServerProcess> =>
    startServerProcess({
      file,
      args: [
        ...['--port', `127.0.0.1:${port}`, '--health', '/health', '--quiet'],
        ...(options.webhookUrl ? ['--event-webhook-url', options.webhookUrl] : []),
        ...['posix', data],
      ],
      env: { ROOT_ACCESS_KEY: ACCESS_KEY, ROOT_SECRET_KEY: SECRET_KEY },
      healthUrl: `http://127.0.0.1:${port}/health`,
    });
  let running = await start();
  const env = environmentOf(port);
  await createBuckets(env);
  return {
    name: 'VersityGW',
    endpoint: `http://127.0.0.1:${port}`,
    env,
    traits: { secondComplete: 'same-object', uploadsAfterRestart: 'listed', fileAndFolder: false, longNames: false },
    allowReading: () => allowReadingRecordings(env),
    restart: async (signal) => {
      await running.stop(signal);
      running = await start();
    },
    stop: async () => {
      await running.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
