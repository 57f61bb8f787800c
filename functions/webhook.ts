/** POST /webhook/stream: the Stream Service tells that a stream started or ended. */
import { z } from 'zod';
import { streamKeySchema } from '../lib/capture/segment-name.ts';
import { getContext } from '../lib/composition.ts';
import { HttpProblem, httpHandler, json, readJsonBody } from '../lib/platform/http.ts';
import { recordStreamEvent } from '../lib/recordings/record-stream-event.ts';

const uuid = z.uuid().transform((id) => id.toLowerCase());

const body = z.object({
  event: z.string(),
  stream_id: uuid,
  stream_key: streamKeySchema,
  user_id: uuid.nullish(),
  timestamp: z.iso.datetime({ offset: true }),
});

const eventName = z.enum(['stream.started', 'stream.ended']);
const anyEvent = z.looseObject({ event: z.string() });

export const handler = httpHandler(
  () => getContext().logger,
  [
    {
      method: 'POST',
      path: '/webhook/stream',
      handler: async (request) => {
        const context = getContext();
        // The kind of event is judged before its fields: events of other kinds need not have ours.
        const event = eventName.safeParse(readJsonBody(request, anyEvent).event);
        if (!event.success) throw new HttpProblem(400, 'Invalid event type');
        const told = readJsonBody(request, body);
        context.logger.info(
          { stream_id: told.stream_id },
          `📹 Webhook received: ${event.data} for stream ${told.stream_id}`,
        );
        await recordStreamEvent(context, {
          event: event.data,
          streamId: told.stream_id,
          streamKey: told.stream_key,
          userId: told.user_id ?? null,
          occurredAt: new Date(told.timestamp),
          source: 'webhook',
        });
        return json(200, { message: 'Webhook processed successfully' });
      },
    },
  ],
);
