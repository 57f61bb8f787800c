/** Watching a recording in every state, and how complete it is. */
import { z } from 'zod';
import { getContext } from '../lib/composition.ts';
import {
  type HttpEvent,
  type HttpHandler,
  type HttpResult,
  type HttpRoute,
  httpHandler,
  json,
  readQuery,
  readUuid,
} from '../lib/platform/http.ts';
import { bytesAnswer, redirect, textAnswer } from '../lib/platform/http-media.ts';
import type { RecordingContext } from '../lib/recordings/context.ts';
import { RecordingNotFound } from '../lib/recordings/errors.ts';
import {
  fragmentMedia,
  initMedia,
  listPlayable,
  type Media,
  playlistOf,
  segmentMedia,
} from '../lib/recordings/playback.ts';
import { MediaNotFound } from '../lib/recordings/playback-errors.ts';
import { PLAYLIST_TYPE } from '../lib/recordings/playback-playlist.ts';
import { reportRecording } from '../lib/recordings/report.ts';
import { reportAnswer, segmentsAnswer } from '../lib/recordings/report-schemas.ts';

type Handler = HttpHandler<RecordingContext>;
type Route = HttpRoute<RecordingContext>;

const tag = 'Playback';
const idOf = (event: HttpEvent) => readUuid(event, 'id', new RecordingNotFound('The id is no UUID'));

const playlistQuery = z.object({
  from: z
    .enum(['auto', 'segments', 'file'])
    .default('auto')
    .describe('The captured segments, the finished file, or whichever is there'),
});
const versionQuery = z.object({ v: z.string().optional().describe('Of the file, as in the playlist') });
const initQuery = versionQuery.extend({ layout: z.coerce.number().int().min(0).default(0) });

const segmentsQuery = z.object({
  limit: z.coerce.number().int().min(1).max(5000).default(1000).describe('Segments in the answer, the first ones'),
});

/** What a URI of a playlist names is the same for ever; only the URIs in a playlist change. */
const FOR_EVER = 'private, max-age=86400, immutable';
/** A file is made anew under the URIs that do not say of which one they are. */
const OF_NOW = 'private, no-cache';

function mediaAnswer(media: Media, contentType: string, cacheControl = FOR_EVER): HttpResult {
  if (media.kind === 'link') return redirect(media.url);
  return bytesAnswer(media.bytes, contentType, { etag: media.etag, 'cache-control': cacheControl });
}

/** `123.ts` → 123 */
function numberOf(event: HttpEvent, name: string, extension: string): number {
  const found = new RegExp(`^(\\d{1,15})\\.${extension}$`).exec(event.pathParameters?.[name] ?? '');
  if (!found) throw new MediaNotFound(`No ${name} has such a name`);
  return Number(found[1]);
}

const playlist: Handler = async (event, context) =>
  textAnswer(await playlistOf(context, idOf(event), readQuery(event, playlistQuery).from), PLAYLIST_TYPE);

const segments: Handler = async (event, context) =>
  json(200, await listPlayable(context, idOf(event), readQuery(event, segmentsQuery).limit));

const segment: Handler = async (event, context) =>
  mediaAnswer(await segmentMedia(context, idOf(event), numberOf(event, 'segment', 'ts')), 'video/mp2t');

const init: Handler = async (event, context) => {
  const { v, layout } = readQuery(event, initQuery);
  return mediaAnswer(await initMedia(context, idOf(event), layout, v), 'video/mp4', v ? FOR_EVER : OF_NOW);
};

const fragment: Handler = async (event, context) => {
  const { v } = readQuery(event, versionQuery);
  const media = await fragmentMedia(context, idOf(event), numberOf(event, 'fragment', 'm4s'), v);
  return mediaAnswer(media, 'video/mp4', v ? FOR_EVER : OF_NOW);
};

const report: Handler = async (event, context) => json(200, { report: await reportRecording(context, idOf(event)) });

export const routes: readonly Route[] = [
  {
    method: 'GET',
    path: '/recording/{id}/index.m3u8',
    access: 'public',
    handler: playlist,
    doc: {
      tag,
      summary: 'HLS playlist, from the beginning, while it records and after',
      description: '404 until the first segment is captured.',
      query: playlistQuery,
      answers: { 200: { description: 'EVENT while the recording goes on, VOD after', contentType: PLAYLIST_TYPE } },
    },
  },
  {
    method: 'GET',
    path: '/recording/{id}/segments',
    access: 'public',
    handler: segments,
    doc: {
      tag: 'Recordings',
      summary: 'The captured segments in order',
      query: segmentsQuery,
      answers: { 200: { description: 'The first of them, and how many there are', schema: segmentsAnswer } },
    },
  },
  {
    method: 'GET',
    path: '/recording/{id}/segments/{segment}',
    access: 'public',
    handler: segment,
    doc: {
      tag,
      summary: 'A captured segment',
      params: z.object({ segment: z.string().describe('{number}.ts, as in the playlist') }),
      answers: {
        200: { description: 'Its bytes', contentType: 'video/mp2t' },
        302: { description: 'To a link, where it is larger than a function may answer' },
      },
    },
  },
  {
    method: 'GET',
    path: '/recording/{id}/init.mp4',
    access: 'public',
    handler: init,
    doc: {
      tag,
      summary: 'What a player loads before fragments of the file',
      query: initQuery,
      answers: { 200: { description: 'ftyp and moov', contentType: 'video/mp4' } },
    },
  },
  {
    method: 'GET',
    path: '/recording/{id}/fragments/{fragment}',
    access: 'public',
    handler: fragment,
    doc: {
      tag,
      summary: 'Some seconds of the file',
      params: z.object({ fragment: z.string().describe('{number}.m4s, as in the playlist') }),
      query: versionQuery,
      answers: { 200: { description: 'moof and mdat', contentType: 'video/mp4' } },
    },
  },
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
