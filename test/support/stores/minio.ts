/** A real MinIO on free ports of loopback, with data that goes when it stops. */
import { mkdtemp, rm } from 'node:fs/promises';
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

export interface MinioOptions {
  /** Further variables of the server: webhook targets, expiry of uploads. */
  readonly env?: Readonly<Record<string, string>>;
}

export async function startMinio(options: MinioOptions = {}): Promise<StoreServer> {
  const file = requireBinary('minio');
  const folder = await mkdtemp(join(tmpdir(), 'store-minio-'));
  const port = await freePort();
  const start = (): Promise<ServerProcess> =>
    startServerProcess({
      file,
      args: ['server', '--quiet', '--address', `127.0.0.1:${port}`, join(folder, 'data')],
      env: {
        MINIO_ROOT_USER: ACCESS_KEY,
        MINIO_ROOT_PASSWORD: SECRET_KEY,
        MINIO_BROWSER: 'off',
        // It would ask its maker for a newer version.
        MINIO_UPDATE: 'off',
        ...options.env,
      },
      ready: { url: `http://127.0.0.1:${port}/minio/health/ready` },
    });
  let running = await start();
  const env = environmentOf(port);
  await createBuckets(env);
  return {
    name: 'MinIO',
    endpoint: `http://127.0.0.1:${port}`,
    env,
    traits: {
      secondComplete: 'gone',
      uploadsAfterRestart: 'forgotten',
      uploadsByPrefix: 'equal',
      uploadTime: 'creation',
      forgottenChecksums: 'refused',
      unknownKeyStatus: 403,
      fileAndFolder: true,
      longNames: false,
    },
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
