/** The read API, on the service's paths and the gateway's, and the answer to every path that nobody has. */
import { getContext } from '../lib/composition.ts';
import { type HttpHandler, type HttpRoute, httpHandler, json, readQuery, readUuid } from '../lib/platform/http.ts';
import { eventsAnswer, healthAnswer, recordingAnswer, recordingsAnswer } from '../lib/recordings/api-schemas.ts';
import type { RecordingContext } from '../lib/recordings/context.ts';
import { RecordingNotFound } from '../lib/recordings/errors.ts';
import { listEvents, toEventMessage } from '../lib/recordings/outbox.ts';
import { overviewAnswer, readOverview } from '../lib/recordings/overview.ts';
import { downloadLink, getRecording, listQuery, listRecordings } from '../lib/recordings/read-recordings.ts';

type Handler = HttpHandler<RecordingContext>;
type Route = HttpRoute<RecordingContext>;

const noSuchId = new RecordingNotFound('The id is no UUID');

const list: Handler = async (event, context) => {
  const { recordings, next } = await listRecordings(context, readQuery(event, listQuery));
  if (next === null) return json(200, { recordings });
  // Relative to the request, so that it holds behind any gateway.
  const query = new URLSearchParams({
    ...(event.queryStringParameters as Record<string, string> | undefined),
    cursor: next,
  });
  return json(200, { recordings }, { link: `<?${query}>; rel="next"` });
};

const one: Handler = async (event, context) =>
  json(200, { recording: await getRecording(context, readUuid(event, 'id', noSuchId)) });

const download: Handler = async (event, context) => ({
  statusCode: 302,
  headers: { location: await downloadLink(context, readUuid(event, 'id', noSuchId)) },
});

const events: Handler = async (event, context) => {
  const told = await listEvents(context, readUuid(event, 'id', noSuchId));
  return json(200, {
    events: told.map(({ pending, delivered, dead, ...rest }) => ({
      event: toEventMessage(rest),
      deliveries: { pending, delivered, dead },
    })),
  });
};

const tag = 'Recordings';
const listDoc: Route['doc'] = {
  tag,
  summary: 'Recordings, newest first',
  description: 'All of them without parameters. Where more follow, the Link header has the next page.',
  query: listQuery,
  answers: { 200: { description: 'The recordings', schema: recordingsAnswer } },
};
const oneDoc: Route['doc'] = {
  tag,
  summary: 'One recording',
  answers: { 200: { description: 'The recording', schema: recordingAnswer } },
};

export const routes: readonly Route[] = [
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
  {
    method: 'GET',
    path: '/overview',
    access: 'public',
    handler: async (_event, context) => json(200, { overview: await readOverview(context) }),
    doc: {
      tag: 'Operations',
      summary: 'What is under way, what has failed and why',
      description: 'Recordings that need a look: failed, tried again, live without segments, completed with gaps.',
      answers: { 200: { description: 'Counts, and what needs a look', schema: overviewAnswer } },
    },
  },
  { method: 'GET', path: '/recordings', access: 'public', handler: list, doc: listDoc },
  { method: 'GET', path: '/recording/{id}', access: 'public', handler: one, doc: oneDoc },
  { method: 'GET', path: '/api/recordings', access: 'public', handler: list, doc: listDoc },
  { method: 'GET', path: '/api/recordings/{id}', access: 'public', handler: one, doc: oneDoc },
  {
    method: 'GET',
    path: '/recording/{id}/download',
    access: 'public',
    handler: download,
    doc: {
      tag,
      summary: 'The file, from a private bucket too',
      answers: {
        302: { description: 'To a link that works for DOWNLOAD_LINK_TTL' },
        409: { description: 'There is no file yet' },
      },
    },
  },
  {
    method: 'GET',
    path: '/recording/{id}/events',
    access: 'public',
    handler: events,
    doc: {
      tag: 'Events',
      summary: 'What others were told of a recording',
      answers: { 200: { description: 'The events, oldest first', schema: eventsAnswer } },
    },
  },
];

export const handler = httpHandler(getContext, routes);
