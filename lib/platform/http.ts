/**
 * The pipeline of every HTTP function, outermost first:
 *
 *   | step            | before                      | after                        | on error                       |
 *   | --------------- | --------------------------- | ---------------------------- | ------------------------------ |
 *   | requestLog      | a logger with the id        | one line a request           | the full error, once           |
 *   | jsonErrors      |                             |                              | {"error": …}, opaque for a 500 |
 *   | securityHeaders |                             | headers that every answer has| the same                       |
 *   | router          | method and path → handler   |                              | 404, 405                       |
 *
 * Handlers return a value through `json`; what they throw is turned into an answer by `statusOf`'s one table.
 */
import { randomUUID } from 'node:crypto';
import middy, { type MiddlewareObj } from '@middy/core';
import httpRouter, { type Method } from '@middy/http-router';
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import { z } from 'zod';
import { ServiceError } from './errors.ts';
import type { Logger } from './logging.ts';

export type HttpEvent = APIGatewayProxyEventV2;
export type HttpResult = APIGatewayProxyStructuredResultV2;
export type HttpHandler = (event: HttpEvent) => Promise<HttpResult>;

export interface HttpRoute {
  readonly method: Method;
  readonly path: string;
  readonly handler: HttpHandler;
}

/** A request that cannot be served as it is; its message goes to the caller. */
export class HttpProblem extends ServiceError {
  readonly code = 'HTTP_PROBLEM';
  readonly retryable = false;
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(statusCode: number, message: string, headers: Record<string, string> = {}) {
    super(message);
    this.statusCode = statusCode;
    this.headers = headers;
  }
}

/** One table from what went wrong to what the caller is told. A code that is not here is an opaque 500. */
const PUBLIC_ERRORS: Readonly<Record<string, { statusCode: number; message?: string }>> = {
  RECORDING_NOT_FOUND: { statusCode: 404, message: 'Recording not found' },
  WRONG_STATE: { statusCode: 409 },
  DATABASE_UNAVAILABLE: { statusCode: 503, message: 'The database is not available, try again' },
  STORAGE_UNAVAILABLE: { statusCode: 503, message: 'The object store is not available, try again' },
  STORAGE_ACCESS_DENIED: { statusCode: 503, message: 'The object store is not available, try again' },
  BUCKET_MISSING: { statusCode: 503, message: 'The object store is not available, try again' },
  NEIGHBOUR_UNAVAILABLE: { statusCode: 502, message: 'Another service is not available, try again' },
};

const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
};

const MAX_BODY_BYTES = 64 * 1024;

/** A JSON answer. */
export function json(statusCode: number, body: unknown, headers: Record<string, string> = {}): HttpResult {
  return {
    statusCode,
    headers: { 'content-type': 'application/json; charset=utf-8', ...headers },
    body: JSON.stringify(body),
  };
}

/**
 * The handler of an HTTP function. The logger is asked for on the first request, so that a configuration that is
 * wrong answers as an error and not as a crash.
 */
export function httpHandler(logger: () => Logger, routes: readonly HttpRoute[]) {
  return middy<HttpEvent, HttpResult>()
    .use(requestLog(logger))
    .use(jsonErrors())
    .use(securityHeaders())
    .handler(
      httpRouter<HttpEvent, HttpResult>({
        routes: routes.map((route) => ({ ...route, handler: (event: HttpEvent) => route.handler(event) })),
        notFoundResponse: ({ method, path }) => {
          const allowed = routes
            .filter((route) => route.method !== method && matches(route.path, path))
            .map((route) => route.method);
          if (allowed.length === 0) throw new HttpProblem(404, 'Not found');
          throw new HttpProblem(405, 'Method not allowed', { allow: [...new Set(allowed)].join(', ') });
        },
      }),
    );
}

function matches(pattern: string, path: string): boolean {
  const [wanted, actual] = [pattern.split('/'), path.split('/')];
  return (
    wanted.length === actual.length && wanted.every((part, index) => part.startsWith('{') || part === actual[index])
  );
}

/**
 * The body as JSON, checked by a schema.
 * @throws {HttpProblem} 413 over 64 KiB, 400 where it is no JSON or does not fit, naming the fields
 */
export function readJsonBody<Output>(event: HttpEvent, schema: z.ZodType<Output>): Output {
  const raw = readRawBody(event);
  let value: unknown;
  try {
    value = JSON.parse(raw);
  } catch {
    throw new HttpProblem(400, 'The body is not JSON');
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const fields = result.error.issues
    .slice(0, 5)
    .map((issue) => (issue.path.length > 0 ? `${issue.path.join('.')}: ` : '') + issue.message);
  throw new HttpProblem(400, `The body is not valid: ${fields.join('; ')}`);
}

/** The body as it was sent. @throws {HttpProblem} 413 over 64 KiB */
export function readRawBody(event: HttpEvent): string {
  const body = event.body ?? '';
  const text = event.isBase64Encoded ? Buffer.from(body, 'base64').toString('utf8') : body;
  if (Buffer.byteLength(text) > MAX_BODY_BYTES)
    throw new HttpProblem(413, `The body is larger than ${MAX_BODY_BYTES} bytes`);
  return text;
}

const uuid = z.uuid().transform((id) => id.toLowerCase());

/** A path parameter that has to be a UUID; anything else names nothing. */
export function readUuid(event: HttpEvent, name: string, absent: ServiceError): string {
  const result = uuid.safeParse(event.pathParameters?.[name]);
  if (!result.success) throw absent;
  return result.data;
}

function requestLog(logger: () => Logger): MiddlewareObj<HttpEvent, HttpResult> {
  const line = (event: HttpEvent, statusCode: number | undefined) => ({
    method: event.requestContext.http.method,
    path: event.requestContext.http.path.slice(0, 200),
    status: statusCode,
    request_id: event.requestContext.requestId,
  });
  return {
    after: ({ event, response }) => {
      logger().debug(line(event, response?.statusCode), 'Request');
    },
    onError: ({ event, response, error }) => {
      const fields = line(event, response?.statusCode);
      if ((response?.statusCode ?? 500) >= 500) logger().error({ ...fields, err: error }, 'Request failed');
      else logger().info({ ...fields, reason: error?.message }, 'Request refused');
    },
  };
}

function jsonErrors(): MiddlewareObj<HttpEvent, HttpResult> {
  return {
    onError: (request) => {
      request.response = answerFor(request.error);
    },
  };
}

function answerFor(error: unknown): HttpResult {
  if (error instanceof HttpProblem) return json(error.statusCode, { error: error.message }, { ...error.headers });
  const known = error instanceof ServiceError ? PUBLIC_ERRORS[error.code] : undefined;
  if (known && error instanceof ServiceError) {
    const retry = known.statusCode >= 500 ? { 'retry-after': '5' } : {};
    return json(known.statusCode, { error: known.message ?? error.message }, retry as Record<string, string>);
  }
  return json(500, { error: 'Internal server error', error_id: randomUUID() });
}

function securityHeaders(): MiddlewareObj<HttpEvent, HttpResult> {
  const add = (response: HttpResult | null | undefined) => {
    if (response) response.headers = { ...SECURITY_HEADERS, ...response.headers };
  };
  return { after: ({ response }) => add(response), onError: ({ response }) => add(response) };
}
