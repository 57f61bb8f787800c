/** The read API, on the service's paths and the gateway's, and the answer to every path that nobody has. */
import { getContext } from '../lib/composition.ts';
import { type HttpHandler, type HttpRoute, httpHandler, json, readUuid } from '../lib/platform/http.ts';
import { healthAnswer, recordingAnswer, recordingsAnswer } from '../lib/recordings/api-schemas.ts';
import type { RecordingContext } from '../lib/recordings/context.ts';
import { RecordingNotFound } from '../lib/recordings/errors.ts';
import { getRecording, listRecordings } from '../lib/recordings/read-recordings.ts';

const list: HttpHandler<RecordingContext> = async (_event, context) =>
  json(200, { recordings: await listRecordings(context) });

const one: HttpHandler<RecordingContext> = async (event, context) => {
  const id = readUuid(event, 'id', new RecordingNotFound('The id is no UUID'));
  return json(200, { recording: await getRecording(context, id) });
};

const listDoc = {
  tag: 'Recordings',
  summary: 'All recordings, newest first',
  answers: { 200: { description: 'The recordings', schema: recordingsAnswer } },
};
const oneDoc = {
  tag: 'Recordings',
  summary: 'One recording',
  answers: { 200: { description: 'The recording', schema: recordingAnswer } },
};

export const routes: readonly HttpRoute<RecordingContext>[] = [
  {
    method: 'GET',
    path: '/health',
    access: 'public',
    handler: async () => json(200, { status: 'healthy', service: 'recording-service' }),
    doc: {
      tag: 'Operations',
      summary: 'Whether the service answers',
      answers: { 200: { description: 'It does', schema: healthAnswer } },
    },
  },
  { method: 'GET', path: '/recordings', access: 'public', handler: list, doc: listDoc },
  { method: 'GET', path: '/recording/{id}', access: 'public', handler: one, doc: oneDoc },
  { method: 'GET', path: '/api/recordings', access: 'public', handler: list, doc: listDoc },
  { method: 'GET', path: '/api/recordings/{id}', access: 'public', handler: one, doc: oneDoc },
];

export const handler = httpHandler(getContext, routes);
