/** POST /hooks/{server}: nginx-rtmp, SRS and MediaMTX tell of a stream in their own words. */
import { z } from 'zod';
import { getContext } from '../lib/composition.ts';
import { type HttpHandler, HttpProblem, type HttpRoute, httpHandler, json } from '../lib/platform/http.ts';
import { readRawBody } from '../lib/platform/http-message.ts';
import type { RecordingContext } from '../lib/recordings/context.ts';
import { HOOK_SERVERS, type HookEvent, type HookServer, readHook } from '../lib/recordings/hook-payloads.ts';
import { recordHook } from '../lib/recordings/record-hook.ts';

const serverName = z.enum(HOOK_SERVERS);

const receive: HttpHandler<RecordingContext> = async (request, context) => {
  const server = serverName.safeParse(request.pathParameters?.server);
  if (!server.success) throw new HttpProblem(404, `No such streaming server; there are ${HOOK_SERVERS.join(', ')}`);
  const hook = parse(server.data, readRawBody(request).toString('utf8'));
  if (hook) {
    context.logger.info(
      { stream_id: hook.streamId, server: server.data },
      `📹 Webhook received: ${hook.event} for stream ${hook.streamId}`,
    );
    await recordHook(context, hook);
  }
  // SRS takes the number 0 for yes, and everything else for no.
  return json(200, 0);
};

function parse(server: HookServer, body: string): HookEvent | null {
  try {
    return readHook(server, body);
  } catch (error) {
    if (error instanceof SyntaxError) throw new HttpProblem(400, 'The body is not JSON');
    if (!(error instanceof z.ZodError)) throw error;
    const problems = error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ');
    throw new HttpProblem(400, `The hook is not valid: ${problems}`);
  }
}

export const routes: readonly HttpRoute<RecordingContext>[] = [
  {
    method: 'POST',
    path: '/hooks/{server}',
    access: 'server',
    handler: receive,
    doc: {
      tag: 'Webhooks',
      summary: 'A hook of nginx-rtmp, SRS or MediaMTX',
      description:
        "The server's own payload: a form from nginx-rtmp and MediaMTX, JSON from SRS. Hooks of players are answered and passed over.",
      params: z.object({ server: serverName }),
      answers: { 200: { description: 'The number 0: taken', schema: z.literal(0) } },
    },
  },
];

export const handler = httpHandler(getContext, routes);
