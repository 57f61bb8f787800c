/**
 * HTTP functions called as API Gateway calls them, without a server: one request in, the answer with its body as text
 * and as JSON out.
 */
import type { Context } from 'aws-lambda';
import { type HttpEvent, type HttpRoute, type HttpService, httpHandler } from '../../lib/platform/http.ts';

export interface Request {
  readonly headers?: Record<string, string>;
  /** A string is sent as it is, bytes as base64, anything else as JSON. */
  readonly body?: unknown;
  readonly query?: Record<string, string>;
  readonly sourceIp?: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers whose shape is what they test
  readonly json: any;
}

export type Caller = (method: string, path: string, request?: Request) => Promise<Answer>;

/** An event as an HTTP API sends it (payload 2.0). */
export function httpEvent(method: string, path: string, request: Request = {}): HttpEvent {
  const { body } = request;
  const asBytes = body instanceof Uint8Array;
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const headers = {
    host: 'recorder.test',
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    ...request.headers,
  };
  return {
    version: '2.0',
    routeKey: '$default',
    rawPath: path,
    rawQueryString: new URLSearchParams(request.query).toString(),
    headers,
    ...(request.query ? { queryStringParameters: request.query } : {}),
    requestContext: {
      accountId: '',
      apiId: '',
      domainName: '',
      domainPrefix: '',
      http: { method, path, protocol: 'HTTP/1.1', sourceIp: request.sourceIp ?? '127.0.0.1', userAgent: 'test' },
      requestId: 'request-1',
      routeKey: '$default',
      stage: '$default',
      time: '',
      timeEpoch: 0,
    },
    ...(body === undefined ? {} : { body: asBytes ? Buffer.from(body).toString('base64') : text }),
    isBase64Encoded: asBytes,
  };
}

/** Calls the routes on one service, or on one that cannot be made. */
export function callerOf<Service extends HttpService>(
  routes: readonly HttpRoute<Service>[],
  service: Service | (() => Promise<Service>),
): Caller {
  const handler = httpHandler(typeof service === 'function' ? service : async () => service, routes);
  return async (method, path, request) => {
    const result = await handler(httpEvent(method, path, request), {} as Context);
    const text = result.body ?? '';
    const headers = Object.fromEntries(
      Object.entries(result.headers ?? {}).map(([name, value]) => [name, String(value)]),
    );
    return { status: result.statusCode ?? 0, headers, text, json: asJson(text) };
  };
}

function asJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
