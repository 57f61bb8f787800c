/** What only the services around us may ask for: another try, the video a recording became, events once more. */
import { getContext } from '../lib/composition.ts';
import {
  type HttpHandler,
  type HttpRoute,
  httpHandler,
  json,
  readJsonBody,
  readQuery,
  readUuid,
} from '../lib/platform/http.ts';
import { patchBody, recordingAnswer, replayAnswer, replayQuery } from '../lib/recordings/api-schemas.ts';
import type { RecordingContext } from '../lib/recordings/context.ts';
import { RecordingNotFound } from '../lib/recordings/errors.ts';
import { setVideo } from '../lib/recordings/import-recording.ts';
import { replayEvents } from '../lib/recordings/outbox.ts';
import { getRecording } from '../lib/recordings/read-recordings.ts';
import { retryRecording } from '../lib/recordings/remake.ts';

const noSuchId = new RecordingNotFound('The id is no UUID');

const retry: HttpHandler<RecordingContext> = async (event, context) => {
  const id = readUuid(event, 'id', noSuchId);
  await retryRecording(context, id);
  return json(202, { recording: await getRecording(context, id) });
};

const patch: HttpHandler<RecordingContext> = async (event, context) => {
  const id = readUuid(event, 'id', noSuchId);
  await setVideo(context, id, readJsonBody(event, patchBody).video_id);
  return json(200, { recording: await getRecording(context, id) });
};

const replay: HttpHandler<RecordingContext> = async (event, context) => {
  const id = readUuid(event, 'id', noSuchId);
  return json(202, { replayed: await replayEvents(context, id, readQuery(event, replayQuery).from_sequence) });
};

export const routes: readonly HttpRoute<RecordingContext>[] = [
  {
    method: 'POST',
    path: '/recording/{id}/retry',
    access: 'internal',
    handler: retry,
    doc: {
      tag: 'Internal',
      summary: 'Try a failed recording again',
      answers: {
        202: { description: 'It is being made again', schema: recordingAnswer },
        409: { description: 'It has not failed, or its segments are gone' },
      },
    },
  },
  {
    method: 'POST',
    path: '/recording/{id}/events/replay',
    access: 'internal',
    handler: replay,
    doc: {
      tag: 'Events',
      summary: 'Send the events of a recording again',
      description: 'To all targets, in order, with the ids they had. The signature covers the body, not the query.',
      query: replayQuery,
      answers: { 202: { description: 'They are being sent', schema: replayAnswer } },
    },
  },
  {
    method: 'PATCH',
    path: '/recording/{id}',
    access: 'internal',
    handler: patch,
    doc: {
      tag: 'Internal',
      summary: 'Set the video that a recording became',
      description: 'For a VOD Service that imports by itself.',
      body: patchBody,
      answers: {
        200: { description: 'The recording', schema: recordingAnswer },
        409: { description: 'It is not completed' },
      },
    },
  },
];

export const handler = httpHandler(getContext, routes);
