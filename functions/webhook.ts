/** POST /webhook/stream: the Stream Service tells that a stream started or ended. */
import { z } from 'zod';
import { getContext } from '../lib/composition.ts';
import {
  type HttpHandler,
  HttpProblem,
  type HttpRoute,
  httpHandler,
  json,
  readJsonBody,
} from '../lib/platform/http.ts';
import { messageAnswer, streamWebhookBody } from '../lib/recordings/api-schemas.ts';
import type { RecordingContext } from '../lib/recordings/context.ts';
import { recordStreamEvent } from '../lib/recordings/record-stream-event.ts';

const anyEvent = z.looseObject({ event: z.string() });
const eventName = streamWebhookBody.shape.event;

const receive: HttpHandler<RecordingContext> = async (request, context) => {
  // The kind of event is judged before its fields: events of other kinds need not have ours.
  if (!eventName.safeParse(readJsonBody(request, anyEvent).event).success) {
    throw new HttpProblem(400, 'Invalid event type');
  }
  const told = readJsonBody(request, streamWebhookBody);
  context.logger.info({ stream_id: told.stream_id }, `📹 Webhook received: ${told.event} for stream ${told.stream_id}`);
  await recordStreamEvent(context, {
    event: told.event,
    streamId: told.stream_id,
    streamKey: told.stream_key,
    userId: told.user_id ?? null,
    occurredAt: new Date(told.timestamp),
    source: 'webhook',
  });
  return json(200, { message: 'Webhook processed successfully' });
};

export const routes: readonly HttpRoute<RecordingContext>[] = [
  {
    method: 'POST',
    path: '/webhook/stream',
    access: 'internal',
    handler: receive,
    doc: {
      tag: 'Webhooks',
      summary: 'A stream started or ended',
      description: 'Sent by the Stream Service. May come twice, late or in any order.',
      body: streamWebhookBody,
      answers: { 200: { description: 'Recorded', schema: messageAnswer } },
    },
  },
];

export const handler = httpHandler(getContext, routes);
