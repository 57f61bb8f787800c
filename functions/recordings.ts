/** The read API, on the service's paths and the gateway's, and the answer to every path that nobody has. */
import { getContext } from '../lib/composition.ts';
import { type HttpHandler, httpHandler, json, readUuid } from '../lib/platform/http.ts';
import { RecordingNotFound } from '../lib/recordings/errors.ts';
import { getRecording, listRecordings } from '../lib/recordings/read-recordings.ts';

const health: HttpHandler = async () => json(200, { status: 'healthy', service: 'recording-service' });

const list: HttpHandler = async () => json(200, { recordings: await listRecordings(getContext()) });

const one: HttpHandler = async (event) => {
  const id = readUuid(event, 'id', new RecordingNotFound('The id is no UUID'));
  return json(200, { recording: await getRecording(getContext(), id) });
};

export const handler = httpHandler(
  () => getContext().logger,
  [
    { method: 'GET', path: '/health', handler: health },
    { method: 'GET', path: '/recordings', handler: list },
    { method: 'GET', path: '/recording/{id}', handler: one },
    { method: 'GET', path: '/api/recordings', handler: list },
    { method: 'GET', path: '/api/recordings/{id}', handler: one },
  ],
);
