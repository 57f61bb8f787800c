/** SQS FIFO, one group a recording: advance one recording as far as it can be. */
import { z } from 'zod';
import { getContext } from '../lib/composition.ts';
import { sqsHandler } from '../lib/platform/sqs.ts';
import { advanceRecording } from '../lib/recordings/advance.ts';

export const handler = sqsHandler({
  service: getContext,
  schema: z.object({ recording_id: z.uuid() }),
  concurrency: 1,
  handle: (context, message, remainingMs) => advanceRecording(context, message.recording_id, remainingMs),
});
