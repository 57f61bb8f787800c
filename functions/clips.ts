/** Clips: cut out of a recording while it runs or after, listed, downloaded. */
import { z } from 'zod';
import { getContext } from '../lib/composition.ts';
import { type HttpHandler, type HttpRoute, httpHandler, json, readJsonBody, readUuid } from '../lib/platform/http.ts';
import { redirect } from '../lib/platform/http-media.ts';
import { clipBody, clipLink, clipSchema, createClip, listClips } from '../lib/recordings/clips.ts';
import type { RecordingContext } from '../lib/recordings/context.ts';
import { RecordingNotFound } from '../lib/recordings/errors.ts';
import { MediaNotFound } from '../lib/recordings/playback-errors.ts';

type Handler = HttpHandler<RecordingContext>;

const tag = 'Clips';
const noSuchId = new RecordingNotFound('The id is no UUID');

const create: Handler = async (event, context) => {
  const clip = await createClip(context, readUuid(event, 'id', noSuchId), readJsonBody(event, clipBody));
  return json(clip.status === 'pending' ? 202 : 201, { clip });
};

const list: Handler = async (event, context) =>
  json(200, { clips: await listClips(context, readUuid(event, 'id', noSuchId)) });

const download: Handler = async (event, context) => {
  const clipId = readUuid(event, 'clip', new MediaNotFound('The id is no UUID'));
  return redirect(await clipLink(context, readUuid(event, 'id', noSuchId), clipId));
};

const clipAnswer = z.object({ clip: clipSchema });

export const routes: ReadonlyArray<HttpRoute<RecordingContext>> = [
  {
    method: 'POST',
    path: '/recording/{id}/clips',
    access: 'public',
    handler: create,
    doc: {
      tag,
      summary: 'Cut a clip out of a recording, while it runs or after',
      description: 'Nothing is transcoded: a clip begins with the key frame at or before its start.',
      body: clipBody,
      answers: {
        201: { description: 'The clip', schema: clipAnswer },
        202: { description: 'It is being made', schema: clipAnswer },
        409: { description: 'The recording has too many clips' },
        422: { description: 'Nothing plays there, or the clip could not be made; the message says why' },
      },
    },
  },
  {
    method: 'GET',
    path: '/recording/{id}/clips',
    access: 'public',
    handler: list,
    doc: {
      tag,
      summary: 'The clips of a recording, newest first',
      answers: { 200: { description: 'The clips', schema: z.object({ clips: z.array(clipSchema) }) } },
    },
  },
  {
    method: 'GET',
    path: '/recording/{id}/clips/{clip}/download',
    access: 'public',
    handler: download,
    doc: {
      tag,
      summary: 'The file of a clip',
      answers: { 302: { description: 'To a link that works for DOWNLOAD_LINK_TTL' } },
    },
  },
];

export const handler = httpHandler(getContext, routes);
