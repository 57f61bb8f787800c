/**
 * What goes in and out of an HTTP function: reading headers, bodies and parameters of a request, each checked before
 * it is used, and making answers. It knows no route and no status of an error; http.ts does.
 */
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import { z } from 'zod';
import { ServiceError } from './errors.ts';

export type HttpEvent = APIGatewayProxyEventV2;
export type HttpResult = APIGatewayProxyStructuredResultV2;

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

const MAX_BODY_BYTES = 64 * 1024;

/** A JSON answer. */
export function json(statusCode: number, body: unknown, headers: Record<string, string> = {}): HttpResult {
  return {
    statusCode,
    headers: { 'content-type': 'application/json; charset=utf-8', ...headers },
    body: JSON.stringify(body),
  };
}

/** One header of a request, whatever its case; undefined where it is not there. */
export function header(event: Pick<HttpEvent, 'headers'>, name: string): string | undefined {
  const direct = event.headers?.[name];
  if (direct !== undefined) return direct;
  return Object.entries(event.headers ?? {}).find(([key]) => key.toLowerCase() === name)?.[1];
}

/** The body's bytes as they were sent. @throws {HttpProblem} 413 over 64 KiB */
export function readRawBody(event: HttpEvent): Buffer {
  const bytes = Buffer.from(event.body ?? '', event.isBase64Encoded ? 'base64' : 'utf8');
  if (bytes.length > MAX_BODY_BYTES) throw new HttpProblem(413, `The body is larger than ${MAX_BODY_BYTES} bytes`);
  return bytes;
}

/**
 * The body as JSON, checked by a schema. From a browser, a content type that is not JSON is refused, and so is none: no page
 * of another origin can send JSON without asking first. Plain HTTP clients may call their JSON what they like.
 * @throws {HttpProblem} 413 over 64 KiB, 415 for another content type from a browser, 400 where it is no JSON or does not fit,
 *   naming the fields
 */
export function readJsonBody<Output>(event: HttpEvent, schema: z.ZodType<Output>): Output {
  const bytes = readRawBody(event);
  const contentType = header(event, 'content-type')?.split(';', 1)[0]?.trim().toLowerCase();
  const fromPage = header(event, 'origin') !== undefined || header(event, 'sec-fetch-site') !== undefined;
  if (fromPage && !/^application\/([a-z0-9.-]+\+)?json$/.test(contentType ?? '')) {
    throw new HttpProblem(415, 'The body has to be application/json');
  }
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw new HttpProblem(400, 'The body is not JSON');
  }
  const result = schema.safeParse(value);
  if (!result.success) throw new HttpProblem(400, `The body is not valid: ${namedProblems(result.error)}`);
  return result.data;
}

/**
 * The query parameters, checked by a schema; parameters that the schema does not know are passed over.
 * @throws {HttpProblem} 400 naming the parameters
 */
export function readQuery<Output>(event: HttpEvent, schema: z.ZodType<Output>): Output {
  const result = schema.safeParse(event.queryStringParameters ?? {});
  if (!result.success) throw new HttpProblem(400, `The query is not valid: ${namedProblems(result.error)}`);
  return result.data;
}

function namedProblems(error: z.ZodError): string {
  return error.issues
    .slice(0, 5)
    .map((issue) => (issue.path.length > 0 ? `${issue.path.join('.')}: ` : '') + issue.message)
    .join('; ');
}

const uuid = z.uuid().transform((id) => id.toLowerCase());

/** A path parameter that has to be a UUID; anything else names nothing. */
export function readUuid(event: HttpEvent, name: string, absent: ServiceError): string {
  const result = uuid.safeParse(event.pathParameters?.[name]);
  if (!result.success) throw absent;
  return result.data;
}
