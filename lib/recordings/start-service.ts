/**
 * What the service says when it starts: that it has its database, its bucket and its ffmpeg. What is not there is
 * named in one line that an operator can act on; the service goes on, since captured segments wait for it to heal.
 */
import { announceAdmission } from '../platform/admission.ts';
import type { RecordingContext } from './context.ts';

/** Checks what the service needs and logs the result. Returns the problems, an empty list where all is well. */
export async function announceStart(context: RecordingContext): Promise<string[]> {
  const { config, logger } = context;
  logger.info('🚀 Starting Recording Service…');
  announceAdmission(config, logger);
  const problems: string[] = [];
  const check = async (work: () => Promise<unknown>, success: string, failure: string) => {
    try {
      await work();
      if (success !== '') logger.info(success);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      problems.push(`${failure}: ${why}`);
      logger.error({ err: error }, failure);
    }
  };
  await check(
    () => context.db.query('SELECT 1'),
    `✅ Connected to ${config.DB_NAME} successfully`,
    'PostgreSQL is not available; check DATABASE_URL or DB_*',
  );
  await check(
    () => context.store.checkBucket(config.MINIO_BUCKET),
    `✅ Connected to MinIO bucket: ${config.MINIO_BUCKET}`,
    `The bucket ${config.MINIO_BUCKET} is not available; check MINIO_ENDPOINT, MINIO_ACCESS_KEY and MINIO_SECRET_KEY`,
  );
  await check(
    () => context.store.checkBucket(config.LIVE_BUCKET),
    '',
    `The bucket ${config.LIVE_BUCKET} is not available; no segment can be captured until it is`,
  );
  await check(
    () => context.ffmpeg(),
    '',
    'ffmpeg is missing; segments are captured, but no recording can be finished until it is there',
  );
  logger.info('✅ Stream Monitor started');
  return problems;
}
