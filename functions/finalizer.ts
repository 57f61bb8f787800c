/** SQS FIFO, one group a recording: advance one recording as far as it can be. */
import { getContext } from '../lib/composition.ts';
import { sqsHandler } from '../lib/platform/sqs.ts';
import { advanceRecording } from '../lib/recordings/advance.ts';
import { deliverOutbox } from '../lib/recordings/outbox.ts';
import { jobMessage } from '../lib/recordings/queue-messages.ts';

export const handler = sqsHandler({
  service: getContext,
  schema: jobMessage,
  concurrency: 1,
  handle: async (context, message, remainingMs) => {
    await advanceRecording(context, message.recording_id, remainingMs);
    // Whoever waits for `recording.completed` need not wait for the monitor's next tick, which does it otherwise.
    if (context.outbound.length === 0) return;
    await deliverOutbox(context).catch((error: unknown) =>
      context.logger.warn({ err: error }, 'Could not deliver events'),
    );
  },
});
