/** GET /metrics: the service's metrics in Prometheus' text format. Sums and latencies only, nothing of one stream. */
import { getContext } from '../lib/composition.ts';
import { type HttpHandler, type HttpRoute, httpHandler } from '../lib/platform/http.ts';
import type { RecordingContext } from '../lib/recordings/context.ts';
import { readMetrics, toPrometheus } from '../lib/recordings/metrics.ts';

const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

const metrics: HttpHandler<RecordingContext> = async (_event, context) => ({
  statusCode: 200,
  headers: { 'content-type': CONTENT_TYPE },
  body: await toPrometheus(await readMetrics(context)),
});

export const routes: readonly HttpRoute<RecordingContext>[] = [
  {
    method: 'GET',
    path: '/metrics',
    access: 'public',
    handler: metrics,
    doc: {
      tag: 'Operations',
      summary: 'Metrics for Prometheus',
      answers: { 200: { description: 'Prometheus text format', contentType: 'text/plain' } },
    },
  },
];

export const handler = httpHandler(getContext, routes);
