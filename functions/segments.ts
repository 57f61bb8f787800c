/**
 * SQS (S3 notifications, and our own delayed wake-ups) and POST /webhook/segments (MinIO's webhook target):
 * segments appeared, capture them.
 */
import type { Context, SQSEvent } from 'aws-lambda';
import { z } from 'zod';
import { getContext } from '../lib/composition.ts';
import { type HttpEvent, httpHandler, json, readJsonBody } from '../lib/platform/http.ts';
import { sqsHandler } from '../lib/platform/sqs.ts';
import { captureNotified } from '../lib/recordings/capture-notified.ts';
import { sweepRecording } from '../lib/recordings/sweep.ts';

const s3Event = z.object({
  Records: z.array(
    z.object({
      eventName: z.string(),
      s3: z.object({
        bucket: z.object({ name: z.string() }),
        object: z.object({ key: z.string().max(4096) }),
      }),
    }),
  ),
});
const ownMessage = z.discriminatedUnion('type', [
  z.object({ type: z.literal('sweep'), recording_id: z.uuid() }),
  z.object({ type: z.literal('advance'), recording_id: z.uuid(), reason: z.string() }),
]);
/** What S3 sends to a queue once when a notification is configured. */
const s3Test = z.object({ Event: z.literal('s3:TestEvent') }).transform(() => ({ Records: [] }));

const fromQueue = sqsHandler({
  logger: () => getContext().logger,
  schema: z.union([ownMessage, s3Event, s3Test]),
  concurrency: 10,
  handle: async (message) => {
    const context = getContext();
    if ('Records' in message) await captureNotified(context, createdKeys(context.config.LIVE_BUCKET, message));
    else if (message.type === 'sweep') await sweepRecording(context, message.recording_id);
    else await context.queues.requestAdvance(message.recording_id, message.reason);
  },
});

const fromWebhook = httpHandler(
  () => getContext().logger,
  [
    {
      method: 'POST',
      path: '/webhook/segments',
      handler: async (request) => {
        const context = getContext();
        await captureNotified(context, createdKeys(context.config.LIVE_BUCKET, readJsonBody(request, s3Event)));
        return json(200, { message: 'Notification processed successfully' });
      },
    },
  ],
);

/** The encoded keys of objects that were created in the bucket. */
function createdKeys(bucket: string, event: z.output<typeof s3Event>): string[] {
  return event.Records.filter(
    (record) => /^(s3:)?ObjectCreated:/.test(record.eventName) && record.s3.bucket.name === bucket,
  ).map((record) => record.s3.object.key);
}

export const handler = (event: SQSEvent | HttpEvent, context: Context) =>
  'Records' in event ? fromQueue(event, context) : fromWebhook(event, context);
