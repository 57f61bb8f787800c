/** The dashboard: its page at `/`, and what the page is made of. */
import { join } from 'node:path';
import { z } from 'zod';
import { getContext } from '../lib/composition.ts';
import { type HttpHandler, HttpProblem, type HttpRoute, httpHandler } from '../lib/platform/http.ts';
import { readStaticFiles, type StaticFiles, staticAnswer } from '../lib/platform/static-files.ts';
import type { RecordingContext } from '../lib/recordings/context.ts';

type Handler = HttpHandler<RecordingContext>;

/** Beside the functions, in the sources and in their bundles. */
const FOLDER = join(import.meta.dirname, '../web/dist');

/** Nothing inline, nothing from elsewhere, except media that the object store gives itself. */
function contentPolicy(context: RecordingContext): string {
  const store = new URL(context.config.PUBLIC_URL_BASE).origin;
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "font-src 'self'",
    "img-src 'self'",
    `media-src 'self' blob: ${store}`,
    `connect-src 'self' ${store}`,
    "worker-src 'self'",
    "manifest-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}

let files: Promise<StaticFiles> | undefined;

async function find(name: string) {
  files ??= readStaticFiles(FOLDER);
  const found = (await files).get(name);
  if (found) return found;
  // Not built yet: looked for again with the next request.
  if ((await files).size === 0) {
    files = undefined;
    throw new HttpProblem(503, 'The dashboard is not built: run `node scripts/run.mjs build-web`');
  }
  throw new HttpProblem(404, 'Not found');
}

const page: Handler = async (event, context) =>
  staticAnswer(event, await find('index.html'), { 'content-security-policy': contentPolicy(context) });

const asset: Handler = async (event) => staticAnswer(event, await find(event.pathParameters?.file ?? ''));

export const routes: ReadonlyArray<HttpRoute<RecordingContext>> = [
  {
    method: 'GET',
    path: '/',
    access: 'public',
    handler: page,
    doc: {
      tag: 'Dashboard',
      summary: 'The dashboard',
      answers: { 200: { description: 'Its page', contentType: 'text/html' } },
    },
  },
  {
    method: 'GET',
    path: '/assets/{file}',
    access: 'public',
    handler: asset,
    doc: {
      tag: 'Dashboard',
      summary: 'A file of the dashboard',
      params: z.object({ file: z.string() }),
      answers: { 200: { description: 'The file', contentType: '*/*' } },
    },
  },
];

export const handler = httpHandler(getContext, routes);
