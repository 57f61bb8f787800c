/** EventBridge, every minute: the monitor's ticks, MONITOR_INTERVAL apart, until the minute is over. */
import type { Context } from 'aws-lambda';
import { getContext } from '../lib/composition.ts';
import { emitMetrics } from '../lib/recordings/metrics.ts';
import { runMonitor } from '../lib/recordings/monitor.ts';
import { announceStart } from '../lib/recordings/start-service.ts';

let announced: Promise<unknown> | undefined;

export const handler = async (_event: unknown, context: Context): Promise<{ ticks: number }> => {
  const service = await getContext();
  announced ??= announceStart(service);
  await announced;
  if (service.config.METRICS_EMF) await emitMetrics(service);
  return { ticks: await runMonitor(service, () => context.getRemainingTimeInMillis()) };
};
