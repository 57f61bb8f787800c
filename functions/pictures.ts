/** A recording in other forms: poster, storyboard, and its sound alone. */
import { z } from 'zod';
import { getContext } from '../lib/composition.ts';
import { type HttpEvent, type HttpHandler, type HttpRoute, httpHandler, json, readUuid } from '../lib/platform/http.ts';
import { bytesAnswer, redirect, textAnswer } from '../lib/platform/http-media.ts';
import type { RecordingContext } from '../lib/recordings/context.ts';
import { RecordingNotFound } from '../lib/recordings/errors.ts';
import { audioOf } from '../lib/recordings/formats.ts';
import { pictureMedia, storyboardText } from '../lib/recordings/poster-read.ts';

type Handler = HttpHandler<RecordingContext>;
type Route = HttpRoute<RecordingContext>;

const tag = 'Playback';
const JPEG = 'image/jpeg';
const idOf = (event: HttpEvent) => readUuid(event, 'id', new RecordingNotFound('The id is no UUID'));

const picture =
  (name: 'poster' | 'storyboard'): Handler =>
  async (event, context) => {
    const media = await pictureMedia(context, idOf(event), name);
    if (!media || media.kind === 'link') return { statusCode: 204, headers: { 'cache-control': 'no-store' } };
    return bytesAnswer(media.bytes, JPEG, { etag: media.etag });
  };

const vtt: Handler = async (event, context) =>
  textAnswer(await storyboardText(context, idOf(event)), 'text/vtt; charset=utf-8');

const audio: Handler = async (event, context) => {
  const found = await audioOf(context, idOf(event));
  return found.kind === 'link' ? redirect(found.url) : json(202, { status: 'pending' }, { 'retry-after': '5' });
};

const pictureDoc = (summary: string): Route['doc'] => ({
  tag,
  summary,
  answers: { 200: { description: 'The picture', contentType: JPEG }, 204: { description: 'There is none yet' } },
});

export const routes: readonly Route[] = [
  {
    method: 'GET',
    path: '/recording/{id}/poster.jpg',
    access: 'public',
    handler: picture('poster'),
    doc: pictureDoc('A picture of the recording, while it runs and after'),
  },
  {
    method: 'GET',
    path: '/recording/{id}/storyboard.jpg',
    access: 'public',
    handler: picture('storyboard'),
    doc: pictureDoc('Pictures of the whole recording in one image'),
  },
  {
    method: 'GET',
    path: '/recording/{id}/storyboard.vtt',
    access: 'public',
    handler: vtt,
    doc: {
      tag,
      summary: 'Which part of storyboard.jpg shows which time',
      answers: { 200: { description: 'WebVTT; without cues while there are no pictures', contentType: 'text/vtt' } },
    },
  },
  {
    method: 'GET',
    path: '/recording/{id}/audio.m4a',
    access: 'public',
    handler: audio,
    doc: {
      tag,
      summary: 'The sound alone',
      description: 'Made when it is first asked for; nothing is transcoded.',
      answers: {
        202: { description: 'It is being made; ask again', schema: z.object({ status: z.literal('pending') }) },
        302: { description: 'To a link that works for DOWNLOAD_LINK_TTL' },
        409: { description: 'The recording is not completed' },
        422: { description: 'The recording has no sound' },
      },
    },
  },
];

export const handler = httpHandler(getContext, routes);
