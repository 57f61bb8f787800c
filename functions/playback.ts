/** What a recording looks like from outside while and after it is made: its report. */
import { getContext } from '../lib/composition.ts';
import { type HttpHandler, type HttpRoute, httpHandler, json, readUuid } from '../lib/platform/http.ts';
import type { RecordingContext } from '../lib/recordings/context.ts';
import { RecordingNotFound } from '../lib/recordings/errors.ts';
import { reportRecording } from '../lib/recordings/report.ts';
import { reportAnswer } from '../lib/recordings/report-schemas.ts';

const noSuchId = new RecordingNotFound('The id is no UUID');

const report: HttpHandler<RecordingContext> = async (event, context) =>
  json(200, { report: await reportRecording(context, readUuid(event, 'id', noSuchId)) });

export const routes: readonly HttpRoute<RecordingContext>[] = [
  {
    method: 'GET',
    path: '/recording/{id}/report',
    access: 'public',
    handler: report,
    doc: {
      tag: 'Recordings',
      summary: 'How complete a recording is',
      answers: { 200: { description: 'The report', schema: reportAnswer } },
    },
  },
];

export const handler = httpHandler(getContext, routes);
