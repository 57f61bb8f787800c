/** GET /openapi.json: all routes of the service, from their schemas. GET /docs: the same to read. */
import { getContext } from '../lib/composition.ts';
import { type HttpRoute, type HttpService, httpHandler, json } from '../lib/platform/http.ts';
import { buildOpenApi, type DocumentedRoute, type OpenApiDocument } from '../lib/platform/openapi.ts';
import { PAGE_POLICY, renderOpenApiPage } from '../lib/platform/openapi-page.ts';
import { routes as clipsRoutes } from './clips.ts';
import { routes as dashboardRoutes } from './dashboard.ts';
import { routes as hookRoutes } from './hooks.ts';
import { routes as importRoutes } from './import.ts';
import { routes as internalRoutes } from './internal.ts';
import { routes as metricsRoutes } from './metrics.ts';
import { routes as picturesRoutes } from './pictures.ts';
import { routes as playbackRoutes } from './playback.ts';
import { routes as recordingsRoutes } from './recordings.ts';
import { routes as segmentsRoutes } from './segments.ts';
import { routes as webhookRoutes } from './webhook.ts';

const INFO = {
  title: 'Recording Service',
  version: '1',
  description:
    'Records live streams: HLS segments in, one exact MP4 out. Reads are open; internal routes want a signature.',
};

let built: OpenApiDocument | undefined;

/** The document, made with the first request for it. */
export function openApiDocument(): OpenApiDocument {
  const all: readonly DocumentedRoute[] = [
    ...recordingsRoutes,
    ...playbackRoutes,
    ...clipsRoutes,
    ...picturesRoutes,
    ...dashboardRoutes,
    ...importRoutes,
    ...internalRoutes,
    ...webhookRoutes,
    ...segmentsRoutes,
    ...hookRoutes,
    ...metricsRoutes,
    ...routes,
  ];
  built ??= buildOpenApi(all, INFO);
  return built;
}

export const routes: readonly HttpRoute<HttpService>[] = [
  {
    method: 'GET',
    path: '/openapi.json',
    access: 'public',
    handler: async () => json(200, openApiDocument()),
    doc: {
      tag: 'Operations',
      summary: 'This document',
      answers: { 200: { description: 'OpenAPI 3.1', contentType: 'application/json' } },
    },
  },
  {
    method: 'GET',
    path: '/docs',
    access: 'public',
    handler: async () => ({
      statusCode: 200,
      headers: { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': PAGE_POLICY },
      body: renderOpenApiPage(openApiDocument()),
    }),
    doc: {
      tag: 'Operations',
      summary: 'This document as a page',
      answers: { 200: { description: 'The page', contentType: 'text/html' } },
    },
  },
];

export const handler = httpHandler(getContext, routes);
