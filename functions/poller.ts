/** EventBridge, every minute: the monitor's ticks, MONITOR_INTERVAL apart, until the minute is over. */
import type { Context } from 'aws-lambda';
import { getContext } from '../lib/composition.ts';
import { runMonitor } from '../lib/recordings/monitor.ts';

export const handler = async (_event: unknown, context: Context): Promise<{ ticks: number }> => {
  return { ticks: await runMonitor(getContext(), () => context.getRemainingTimeInMillis()) };
};
