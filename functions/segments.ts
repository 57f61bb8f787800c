/**
 * SQS (S3 notifications, and our own delayed wake-ups) and POST /webhook/segments (MinIO's webhook target):
 * segments appeared, capture them.
 */
import type { Context, SQSEvent } from 'aws-lambda';
import { z } from 'zod';
import { getContext } from '../lib/composition.ts';
import { type HttpEvent, type HttpRoute, httpHandler, json, readJsonBody } from '../lib/platform/http.ts';
import { sqsHandler } from '../lib/platform/sqs.ts';
import { messageAnswer, s3EventBody } from '../lib/recordings/api-schemas.ts';
import { captureNotified } from '../lib/recordings/capture-notified.ts';
import type { RecordingContext } from '../lib/recordings/context.ts';
import { sweepRecording } from '../lib/recordings/sweep.ts';

const ownMessage = z.discriminatedUnion('type', [
  z.object({ type: z.literal('sweep'), recording_id: z.uuid() }),
  z.object({ type: z.literal('advance'), recording_id: z.uuid(), reason: z.string() }),
]);
/** What S3 sends once when a notification is configured, and VersityGW with each start. */
const s3Test = z.object({ Event: z.literal('s3:TestEvent') }).transform(() => ({ Records: [] }));

const fromQueue = sqsHandler({
  service: getContext,
  schema: z.union([ownMessage, s3EventBody, s3Test]),
  concurrency: 10,
  handle: async (context, message) => {
    if ('Records' in message) await captureNotified(context, createdKeys(context.config.LIVE_BUCKET, message));
    else if (message.type === 'sweep') await sweepRecording(context, message.recording_id);
    else await context.queues.requestAdvance(message.recording_id, message.reason);
  },
});

export const routes: readonly HttpRoute<RecordingContext>[] = [
  {
    method: 'POST',
    path: '/webhook/segments',
    access: 'store',
    handler: async (request, context) => {
      await captureNotified(
        context,
        createdKeys(context.config.LIVE_BUCKET, readJsonBody(request, z.union([s3EventBody, s3Test]))),
      );
      return json(200, { message: 'Notification processed successfully' });
    },
    doc: {
      tag: 'Webhooks',
      summary: 'Segments appeared in the bucket of live segments',
      description: "The webhook target of MinIO's bucket notifications. May come twice or in any order.",
      body: s3EventBody,
      answers: { 200: { description: 'Captured', schema: messageAnswer } },
    },
  },
];

const fromWebhook = httpHandler(getContext, routes);

/** The encoded keys of objects that were created in the bucket. */
function createdKeys(bucket: string, event: z.output<typeof s3EventBody>): string[] {
  return event.Records.filter(
    (record) => /^(s3:)?ObjectCreated:/.test(record.eventName) && record.s3.bucket.name === bucket,
  ).map((record) => record.s3.object.key);
}

export const handler = (event: SQSEvent | HttpEvent, context: Context) =>
  'Records' in event ? fromQueue(event, context) : fromWebhook(event, context);
