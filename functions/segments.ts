/**
 * SQS (S3 notifications, and our own delayed wake-ups) and POST /webhook/segments (MinIO's webhook target):
 * segments appeared, capture them.
 */
import type { Context, SQSEvent } from 'aws-lambda';
import { getContext } from '../lib/composition.ts';
import { type HttpEvent, type HttpRoute, httpHandler, json, readJsonBody } from '../lib/platform/http.ts';
import { sqsHandler } from '../lib/platform/sqs.ts';
import { messageAnswer, s3EventBody } from '../lib/recordings/api-schemas.ts';
import { captureNotified } from '../lib/recordings/capture-notified.ts';
import type { RecordingContext } from '../lib/recordings/context.ts';
import { createdKeys, notification, segmentsMessage } from '../lib/recordings/queue-messages.ts';
import { sweepRecording } from '../lib/recordings/sweep.ts';

const fromQueue = sqsHandler({
  service: getContext,
  schema: segmentsMessage,
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
      await captureNotified(context, createdKeys(context.config.LIVE_BUCKET, readJsonBody(request, notification)));
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

export const handler = (event: SQSEvent | HttpEvent, context: Context) =>
  'Records' in event ? fromQueue(event, context) : fromWebhook(event, context);
