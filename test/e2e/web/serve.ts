/** The service's HTTP functions on a port, called in this process as API Gateway would call them. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Context } from 'aws-lambda';
import * as clips from '../../../functions/clips.ts';
import * as dashboard from '../../../functions/dashboard.ts';
import * as internal from '../../../functions/internal.ts';
import * as openapi from '../../../functions/openapi.ts';
import * as pictures from '../../../functions/pictures.ts';
import * as playback from '../../../functions/playback.ts';
import * as recordings from '../../../functions/recordings.ts';
import { type HttpRoute, httpHandler } from '../../../lib/platform/http.ts';
import type { RecordingContext } from '../../../lib/recordings/context.ts';
import { listen, type RunningServer } from '../../support/http.ts';
import { httpEvent } from '../../support/lambda.ts';

const routes: ReadonlyArray<HttpRoute<RecordingContext>> = [
  ...[recordings, playback, clips, pictures, dashboard, internal].flatMap((one) => [...one.routes]),
  ...openapi.routes,
];

export function serve(context: RecordingContext): Promise<RunningServer> {
  const handler = httpHandler(async () => context, routes);
  return listen(async (request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const event = httpEvent(request.method ?? 'GET', url.pathname, {
      headers: Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)])),
      query: Object.fromEntries(url.searchParams),
      ...(request.method === 'POST' ? { body: await bodyOf(request) } : {}),
    });
    // The browser is on this machine, as one beside the service would be.
    send(response, await handler(event, {} as Context));
  });
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text;
}

type Answer = Awaited<ReturnType<ReturnType<typeof httpHandler>>>;

function send(response: ServerResponse, { statusCode, headers, body, isBase64Encoded }: Answer): void {
  const named = Object.entries(headers ?? {}).map(([name, value]) => [name, String(value)]);
  response.writeHead(statusCode ?? 500, Object.fromEntries(named));
  response.end(isBase64Encoded ? Buffer.from(body ?? '', 'base64') : body);
}
