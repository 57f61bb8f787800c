/**
 * The pipeline of every HTTP function, outermost first:
 *
 *   | step      | before                                        | after                     | on error                    |
 *   | --------- | --------------------------------------------- | ------------------------- | --------------------------- |
 *   | headers   |                                               | security, CORS; HEAD ends | the same                    |
 *   | errors    |                                               | a line a request (debug)  | the answer; the error, once |
 *   | cacheable |                                               | ETag, 304 (GET, 200)      |                             |
 *   | serve     | OPTIONS; path and method; who gets in; handler|                           | 401, 403, 404, 405          |
 *
 * Handlers return a value through `json`; what they throw is turned into an answer by the one table of http-errors.ts.
 */
import middy, { type MiddlewareObj } from '@middy/core';
import httpRouter, { type Method } from '@middy/http-router';
import type { Context } from 'aws-lambda';
import { type Access, type AdmissionConfig, admit } from './admission.ts';
import type { Clock } from './clock.ts';
import { answerFor } from './http-errors.ts';
import {
  type CorsConfig,
  corsHeaders,
  etagOf,
  matchesEtag,
  preflightHeaders,
  withSecurityHeaders,
} from './http-headers.ts';
import { type HttpEvent, HttpProblem, type HttpResult, header } from './http-message.ts';
import { createLogger, type Logger } from './logging.ts';
import type { RouteDoc } from './openapi.ts';

export {
  type HttpEvent,
  HttpProblem,
  type HttpResult,
  json,
  readJsonBody,
  readQuery,
  readUuid,
} from './http-message.ts';

/** What the pipeline itself needs of the service whose routes it serves. */
export interface HttpService {
  readonly logger: Logger;
  readonly clock: Pick<Clock, 'now'>;
  readonly config: AdmissionConfig & CorsConfig;
}

export type HttpHandler<Service> = (event: HttpEvent, service: Service) => Promise<HttpResult>;

export interface HttpRoute<Service> {
  readonly method: Extract<Method, 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'>;
  readonly path: string;
  /** Who may call it; see admission.ts. */
  readonly access: Access;
  readonly handler: HttpHandler<Service>;
  /** What openapi.json says of it. */
  readonly doc: RouteDoc;
}

type Middleware = MiddlewareObj<HttpEvent, HttpResult>;
type Routes = ReadonlyArray<Pick<HttpRoute<never>, 'method' | 'path' | 'access'>>;

/**
 * The handler of an HTTP function. The service is asked for with each request: a configuration that is wrong answers
 * as an error and not as a crash, and a secret that could not be read is tried again.
 */
export function httpHandler<Service extends HttpService>(
  getService: () => Promise<Service>,
  routes: readonly HttpRoute<Service>[],
): (event: HttpEvent, context: Context) => Promise<HttpResult> {
  const services = new WeakMap<HttpEvent, Service>();
  const route = routerOf(routes, services);
  return middy<HttpEvent, HttpResult>()
    .use(headers(routes, (event) => services.get(event)))
    .use(errors((event) => services.get(event)?.logger))
    .use(cacheable())
    .handler(async (event, context) => {
      const service = await getService();
      services.set(event, service);
      if (methodOf(event) === 'OPTIONS') return preflight(routes, pathOf(event));
      // A HEAD is a GET whose body stays here.
      const { http } = event.requestContext;
      const method = http.method === 'HEAD' ? 'GET' : http.method;
      const request = { ...event, requestContext: { ...event.requestContext, http: { ...http, method } } };
      services.set(request, service);
      return route(request, context);
    });
}

/** Path and method → handler, after the caller was let in. */
function routerOf<Service extends HttpService>(
  routes: readonly HttpRoute<Service>[],
  services: WeakMap<HttpEvent, Service>,
): (event: HttpEvent, context: Context) => Promise<HttpResult> {
  const router = httpRouter<HttpEvent, HttpResult>({
    routes: routes.map(({ method, path, access, handler }) => ({
      method,
      path,
      handler: async (event: HttpEvent) => {
        const service = services.get(event);
        if (!service) throw new Error('A request without its service');
        admit(access, event, service.config, service.clock.now());
        return handler(event, service);
      },
    })),
    notFoundResponse: ({ path }) => {
      const allowed = methodsOf(routes, path);
      if (allowed.length === 0) throw new HttpProblem(404, 'Not found');
      throw new HttpProblem(405, 'Method not allowed', { allow: allowed.join(', ') });
    },
  });
  // middy's router takes the abort signal of middy's own pipeline too, and uses none of it.
  return async (event, context) => (await (router as (...args: unknown[]) => unknown)(event, context)) as HttpResult;
}

const methodOf = (event: HttpEvent): string => event.requestContext.http.method;
const pathOf = (event: HttpEvent): string => event.requestContext.http.path;

function matches(pattern: string, path: string): boolean {
  const [wanted, actual] = [pattern, path.replace(/(?<=.)\/$/, '')].map((text) => text.split('/')) as [
    string[],
    string[],
  ];
  return (
    wanted.length === actual.length && wanted.every((part, index) => part.startsWith('{') || part === actual[index])
  );
}

/** The methods a path has, HEAD and OPTIONS among them where they are answered. */
function methodsOf(routes: Routes, path: string): string[] {
  const methods = new Set<string>(routes.filter((route) => matches(route.path, path)).map((route) => route.method));
  if (methods.size === 0) return [];
  return [...methods, ...(methods.has('GET') ? ['HEAD'] : []), 'OPTIONS'];
}

function preflight(routes: Routes, path: string): HttpResult {
  const allowed = methodsOf(routes, path);
  if (allowed.length === 0) throw new HttpProblem(404, 'Not found');
  return { statusCode: 204, headers: { allow: allowed.join(', ') } };
}

function headers(routes: Routes, serviceOf: (event: HttpEvent) => HttpService | undefined): Middleware {
  const finish: Middleware['after'] = (request) => {
    if (!request.response) return;
    const { event } = request;
    const open = routes.filter((route) => route.access === 'public');
    const methods = methodsOf(open, pathOf(event));
    const service = serviceOf(event);
    const cors = service && methods.length > 0 ? corsHeaders(header(event, 'origin'), service.config) : {};
    const asked =
      methodOf(event) === 'OPTIONS' && 'access-control-allow-origin' in cors ? preflightHeaders(methods) : {};
    const secured = withSecurityHeaders(request.response);
    const answer = { ...secured, headers: { ...cors, ...asked, ...secured.headers } };
    request.response = methodOf(event) === 'HEAD' ? withoutBody(answer) : answer;
  };
  return { after: finish, onError: finish };
}

/** The answer to a HEAD tells the length of what a GET gives, never 0 for want of a body (RFC 9110, 8.6). */
function withoutBody(answer: HttpResult): HttpResult {
  const { body = '', isBase64Encoded } = answer;
  if (body === '') return answer;
  const length = Buffer.byteLength(body, isBase64Encoded ? 'base64' : 'utf8');
  return {
    ...answer,
    headers: { ...answer.headers, 'content-length': String(length) },
    body: '',
    isBase64Encoded: false,
  };
}

function errors(loggerOf: (event: HttpEvent) => Logger | undefined): Middleware {
  const line = (event: HttpEvent, statusCode: number | undefined) => ({
    method: methodOf(event),
    path: pathOf(event).slice(0, 200),
    status: statusCode,
    request_id: event.requestContext.requestId,
  });
  return {
    after: ({ event, response }) => {
      loggerOf(event)?.debug(line(event, response?.statusCode), 'Request');
    },
    onError: (request) => {
      const { result, errorId } = answerFor(request.error);
      request.response = result;
      // Without a service there is no configuration yet: what is wrong with it still has to be read somewhere.
      const logger = loggerOf(request.event) ?? createLogger('info');
      const fields = line(request.event, result.statusCode);
      if ((result.statusCode ?? 500) >= 500) {
        logger.error({ ...fields, error_id: errorId, err: request.error }, 'Request failed');
      } else logger.info({ ...fields, reason: request.error?.message }, 'Request refused');
    },
  };
}

/** Reads carry a validator of their content: a client that has it already gets 304 and no body. */
function cacheable(): Middleware {
  return {
    after: (request) => {
      const { event, response } = request;
      const isRead = methodOf(event) === 'GET' || methodOf(event) === 'HEAD';
      if (!isRead || response?.statusCode !== 200 || typeof response.body !== 'string') return;
      const etag = String(response.headers?.etag ?? etagOf(response.body));
      const validated = { 'cache-control': 'private, no-cache', ...response.headers, etag };
      if (!matchesEtag(header(event, 'if-none-match'), etag)) {
        request.response = { ...response, headers: validated };
        return;
      }
      const { 'content-type': _, ...rest } = validated as Record<string, string>;
      request.response = { statusCode: 304, headers: rest };
    },
  };
}
