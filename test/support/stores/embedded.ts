/** The embedded S3 server as a store under test. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startS3 } from '../../../localstack/s3.ts';
import { BUCKETS, environmentOf, type StoreServer } from './store-server.ts';

export async function startEmbedded(): Promise<StoreServer> {
  const dataDir = await mkdtemp(join(tmpdir(), 'store-embedded-'));
  const start = (port: number) =>
    startS3({ dataDir, port, fast: true, buckets: BUCKETS, publicBuckets: ['recordings'] });
  let running = await start(0);
  const { port, endpoint } = running;
  return {
    name: 'the embedded S3',
    endpoint,
    env: environmentOf(port),
    traits: {
      secondComplete: 'gone',
      uploadsAfterRestart: 'listed',
      uploadsByPrefix: 'all',
      uploadTime: 'creation',
      forgottenChecksums: 'taken',
      unknownKeyStatus: 403,
      fileAndFolder: true,
      longNames: true,
    },
    allowReading: async () => {},
    restart: async () => {
      await running.stop();
      running = await start(port);
    },
    stop: async () => {
      await running.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
