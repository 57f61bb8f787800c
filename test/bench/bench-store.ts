/** The process that is the store: embedded PostgreSQL and S3, apart from the workers that are measured. */
import { join } from 'node:path';
import { startPostgres } from '../../localstack/postgres.ts';
import { startS3 } from '../../localstack/s3.ts';
import { serve } from './remote-process.ts';

const folder = process.env.BENCH_FOLDER ?? '';
const fast = process.env.BENCH_FAST === 'true';
const [postgres, s3] = await Promise.all([
  startPostgres({ dataDir: join(folder, 'pg'), port: 0, fast }),
  startS3({
    dataDir: join(folder, 's3'),
    port: 0,
    fast,
    buckets: ['live-segments', 'recordings'],
    publicBuckets: ['recordings'],
  }),
]);

const functions = {
  environment: (): Record<string, string> => ({
    DATABASE_URL: postgres.url,
    MINIO_ENDPOINT: `127.0.0.1:${s3.port}`,
    PUBLIC_URL_BASE: s3.endpoint,
  }),
};
export type StoreFunctions = typeof functions;

serve(functions, async () => {
  await Promise.all([postgres.stop(), s3.stop()]);
});
