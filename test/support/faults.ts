/**
 * What tests of an operator's failures share: a service whose log is kept, whose clock can be moved on and whom no
 * Stream Service tells anything, and the look of the monitor that has to make everything right once the cause is gone.
 */
import type { Overrides } from '../../lib/composition.ts';
import { advanceRecording } from '../../lib/recordings/advance.ts';
import type { RecordingContext } from '../../lib/recordings/context.ts';
import { tick } from '../../lib/recordings/monitor.ts';
import { sweepRecording } from '../../lib/recordings/sweep.ts';
import { NeighbourUnavailable } from '../../lib/services/errors.ts';
import type { StreamService } from '../../lib/services/stream-service.ts';
import { createS3Client, S3ObjectStore } from '../../lib/storage/s3-object-store.ts';
import { type KeptLog, keepLog } from './log.ts';
import type { Harness } from './service-harness.ts';

const MANY_MESSAGES = 100;
/** The service's clock is moved on between two messages; the back ends' is not, and they may need a moment. */
const REST_WITHIN_MS = 15_000;
/** Longer than the pauses before the next attempts, while there are few of them. */
const PAUSE_MS = 45_000;

export interface FaultyService {
  readonly context: RecordingContext;
  readonly log: KeptLog;
  /** Moves the service's clock on: leases, pauses and graces run out. */
  later(ms: number): void;
  /** One attempt to finish (or roll) a recording; a message that fails is thrown away, as if it were lost. */
  attempt(recordingId: string): Promise<void>;
  /** A look of the monitor, and everything that it sets going, delays included. */
  monitor(): Promise<void>;
}

/** Neither tells of a stream nor that it has ended. */
const noStreamService: StreamService = {
  listLive: () => Promise.reject(new NeighbourUnavailable('connect ECONNREFUSED')),
  find: () => Promise.reject(new NeighbourUnavailable('connect ECONNREFUSED')),
};

/** The harness's back ends as a service of their own; `env` and `overrides` make it ill. */
export function serviceWith(
  harness: Harness,
  env: Record<string, string> = {},
  overrides: Overrides = {},
): FaultyService {
  let aheadMs = 0;
  const clock = { ...harness.context.clock, now: () => Date.now() + aheadMs };
  const { config } = harness.variant(env);
  const log = keepLog(config);
  const store = new S3ObjectStore(createS3Client(config));
  const context = harness.variant(env, { clock, logger: log.logger, store, streams: noStreamService, ...overrides });
  const attempt = async (recordingId: string) => {
    await advanceRecording(context, recordingId, () => 60_000).catch(() => {});
    harness.queues.messages = [];
    aheadMs += PAUSE_MS;
  };
  return {
    context,
    log,
    later: (ms) => {
      aheadMs += ms;
    },
    attempt,
    monitor: async () => {
      harness.queues.messages = [];
      const startedAt = performance.now();
      await tick(context);
      for (let count = 0; harness.queues.messages.length > 0; count += 1) {
        const message = harness.queues.messages.shift();
        const isLong = count >= MANY_MESSAGES && performance.now() - startedAt > REST_WITHIN_MS;
        // With the cause still there, attempts would follow each other until RETRY_FOR is over.
        if (!message || isLong)
          throw new Error(`the recordings do not come to rest; the log ends with ${log.text().slice(-4000)}`);
        aheadMs += message.delaySeconds * 1000;
        if (message.kind === 'sweep') await sweepRecording(context, message.recordingId);
        else await advanceRecording(context, message.recordingId, () => 60_000);
      }
    },
  };
}
