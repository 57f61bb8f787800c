/** SQS, the dead-letter queues of segments and jobs: what failed on every delivery is worked off. */
import { z } from 'zod';
import { getContext } from '../lib/composition.ts';
import { sqsHandler } from '../lib/platform/sqs.ts';
import type { RecordingContext } from '../lib/recordings/context.ts';
import { type DeadLetter, drainDeadLetter } from '../lib/recordings/dead-letters.ts';
import { createdKeys, jobMessage, segmentsMessage } from '../lib/recordings/queue-messages.ts';

const deadMessage = z.union([segmentsMessage, jobMessage]);

/** The function on a service of the caller's. */
export const drainWith = (service: () => Promise<RecordingContext>) =>
  sqsHandler({
    service,
    schema: deadMessage,
    concurrency: 2,
    handle: async (context, message, _remainingMs, messageId) => {
      await drainDeadLetter(context, letterOf(context.config.LIVE_BUCKET, message), messageId);
    },
  });

function letterOf(liveBucket: string, message: z.output<typeof deadMessage>): DeadLetter {
  if ('Records' in message) return { kind: 'notification', encodedKeys: createdKeys(liveBucket, message) };
  if ('type' in message) return { kind: message.type, recordingId: message.recording_id };
  return { kind: 'job', recordingId: message.recording_id };
}

export const handler = drainWith(getContext);
