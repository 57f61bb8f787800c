/** POST /recording/{id}/import: makes a video of a recording, with the caller's own token for the VOD Service. */
import { getContext } from '../lib/composition.ts';
import { bearerToken } from '../lib/platform/admission.ts';
import {
  type HttpHandler,
  HttpProblem,
  type HttpRoute,
  httpHandler,
  json,
  readJsonBody,
  readUuid,
} from '../lib/platform/http.ts';
import { importAnswer, importBody } from '../lib/recordings/api-schemas.ts';
import type { RecordingContext } from '../lib/recordings/context.ts';
import { RecordingNotFound } from '../lib/recordings/errors.ts';
import { importRecording } from '../lib/recordings/import-recording.ts';

const importOne: HttpHandler<RecordingContext> = async (event, context) => {
  const id = readUuid(event, 'id', new RecordingNotFound('The id is no UUID'));
  const token = bearerToken(event);
  if (!token) {
    const challenge = { 'www-authenticate': 'Bearer realm="vod-service"' };
    throw new HttpProblem(401, 'A bearer token for the VOD Service is needed', challenge);
  }
  const { recording_id: named, ...wish } = readJsonBody(event, importBody);
  if (named !== undefined && named !== id)
    throw new HttpProblem(400, 'The body is not valid: recording_id: is not that of the path');
  return json(200, { recording_id: id, video_id: await importRecording(context, id, token, wish) });
};

export const routes: readonly HttpRoute<RecordingContext>[] = [
  {
    method: 'POST',
    path: '/recording/{id}/import',
    access: 'public',
    handler: importOne,
    doc: {
      tag: 'Videos',
      summary: 'Import a completed recording into the VOD Service',
      description: 'The VOD Service judges the token. A recording that has its video already is not imported again.',
      bearer: true,
      body: importBody,
      answers: {
        200: { description: 'The video', schema: importAnswer },
        409: { description: 'It is not completed, or an import is under way' },
        422: { description: 'The VOD Service refused it' },
        502: { description: 'The VOD Service is not available' },
      },
    },
  },
];

export const handler = httpHandler(getContext, routes);
