/** EventBridge, every minute: the monitor's ticks, MONITOR_INTERVAL apart, until the minute is over. */
import { join } from 'node:path';
import type { Context } from 'aws-lambda';
import { getContext } from '../lib/composition.ts';
import { migrate } from '../lib/platform/migrate.ts';
import type { RecordingContext } from '../lib/recordings/context.ts';
import { emitMetrics } from '../lib/recordings/metrics.ts';
import { runMonitor } from '../lib/recordings/monitor.ts';
import { announceStart } from '../lib/recordings/start-service.ts';

/** Beside the functions, in the sources and in their bundles. */
const MIGRATIONS = join(import.meta.dirname, '../migrations');

let started: Promise<void> | undefined;

/** A new version brings its tables itself. Who runs the service may have done so before, with other rights. */
async function start(service: RecordingContext): Promise<void> {
  await migrate(service.db, MIGRATIONS, service.logger).catch((error: unknown) =>
    service.logger.error({ err: error }, 'The tables could not be brought up to date; `npm run migrate` does it, too'),
  );
  await announceStart(service);
}

export const handler = async (_event: unknown, context: Context): Promise<{ ticks: number }> => {
  const service = await getContext();
  started ??= start(service);
  await started;
  if (service.config.METRICS_EMF) await emitMetrics(service);
  return { ticks: await runMonitor(service, () => context.getRemainingTimeInMillis()) };
};
