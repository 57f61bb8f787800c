/**
 * The OpenAPI 3.1 document of a list of routes, made from the schemas that check requests and shape answers. It knows
 * no route itself: each brings its own RouteDoc.
 */
import { z } from 'zod';
import type { Access } from './admission.ts';

export interface AnswerDoc {
  readonly description: string;
  /** The JSON body; without it the answer has none, or one of `contentType`. */
  readonly schema?: z.ZodType;
  readonly contentType?: string;
}

export interface RouteDoc {
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  /** Path parameters that are no UUID. */
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
  /** The caller's own bearer token is needed. */
  readonly bearer?: boolean;
  /** Successes, and failures that are the route's own; the usual failures are added. */
  readonly answers: Readonly<Record<number, AnswerDoc>>;
}

export interface DocumentedRoute {
  readonly method: string;
  readonly path: string;
  readonly access: Access;
  readonly doc: RouteDoc;
}

type Json = Record<string, unknown>;

export interface OpenApiDocument extends Json {
  readonly openapi: '3.1.0';
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly paths: Record<string, Record<string, Json>>;
  readonly components: { readonly schemas: Json; readonly securitySchemes: Json };
}

const errorSchema = z
  .object({ error: z.string(), error_id: z.uuid().optional().describe('Of status 500: stands in the log') })
  .meta({ id: 'Error' });

const SECURITY_SCHEMES: Json = {
  webhookSignature: {
    type: 'apiKey',
    in: 'header',
    name: 'webhook-signature',
    description: 'Standard Webhooks: webhook-id, webhook-timestamp, webhook-signature, by WEBHOOK_SECRET',
  },
  storeToken: { type: 'http', scheme: 'bearer', description: 'MINIO_WEBHOOK_TOKEN' },
  hookToken: { type: 'apiKey', in: 'query', name: 'token', description: 'HOOK_TOKEN' },
  callerToken: { type: 'http', scheme: 'bearer', description: "The caller's own token, passed on to the VOD Service" },
};

/** Builds the document. Schemas with `.meta({ id })` become components. */
export function buildOpenApi(routes: readonly DocumentedRoute[], info: OpenApiDocument['info']): OpenApiDocument {
  const schemas: Json = {};
  const paths: OpenApiDocument['paths'] = {};
  const sorted = [...routes].sort((a, b) => a.path.localeCompare(b.path) || a.method.localeCompare(b.method));
  for (const route of sorted) {
    const operations = paths[route.path] ?? {};
    operations[route.method.toLowerCase()] = operationOf(route, schemas);
    paths[route.path] = operations;
  }
  return { openapi: '3.1.0', info, paths, components: { schemas, securitySchemes: SECURITY_SCHEMES } };
}

function operationOf(route: DocumentedRoute, schemas: Json): Json {
  const { doc } = route;
  const answers = { ...usualAnswers(route), ...doc.answers };
  return {
    operationId: `${route.method.toLowerCase()}${route.path.replaceAll(/[^A-Za-z0-9]+/g, '_').replace(/_$/, '')}`,
    tags: [doc.tag],
    summary: doc.summary,
    ...(doc.description ? { description: doc.description } : {}),
    parameters: [...pathParameters(route, schemas), ...parametersOf(doc.query, 'query', schemas)],
    ...(doc.body
      ? {
          requestBody: {
            required: true,
            content: { 'application/json': { schema: toJson(doc.body, 'input', schemas) } },
          },
        }
      : {}),
    responses: Object.fromEntries(
      Object.entries(answers).map(([status, answer]) => [status, answerOf(Number(status), answer, schemas)]),
    ),
    security: securityOf(route),
  };
}

function answerOf(status: number, answer: AnswerDoc, schemas: Json): Json {
  const shape = answer.schema ?? (status >= 400 ? errorSchema : undefined);
  if (shape) {
    const schema = toJson(shape, 'output', schemas);
    return { description: answer.description, content: { 'application/json': { schema } } };
  }
  if (!answer.contentType) return { description: answer.description };
  return { description: answer.description, content: { [answer.contentType]: {} } };
}

/** Reads of JSON and of text carry an ETag. */
const isCacheable = ({ method, doc }: DocumentedRoute) =>
  method === 'GET' && Boolean(doc.answers[200]?.schema || doc.answers[200]?.contentType);

function usualAnswers(route: DocumentedRoute): Record<number, AnswerDoc> {
  const { path, access, doc } = route;
  const failure = (description: string): AnswerDoc => ({ description, schema: errorSchema });
  return {
    ...(isCacheable(route) ? { 304: { description: 'Unchanged: If-None-Match has its ETag' } } : {}),
    ...(doc.body || doc.query ? { 400: failure('Not valid; the message names the fields') } : {}),
    ...(access !== 'public' || doc.bearer ? { 401: failure('No or a wrong signature or token') } : {}),
    ...(access !== 'public' ? { 403: failure('The address is not allowed') } : {}),
    ...(path.includes('{') ? { 404: failure('There is no such thing') } : {}),
    ...(doc.body ? { 413: failure('The body is too large'), 415: failure('The body is not JSON') } : {}),
    500: failure('Our fault; error_id stands in the log'),
    503: failure('Database or object store is not available; try again'),
  };
}

function securityOf({ access, doc }: DocumentedRoute): Json[] {
  if (doc.bearer) return [{ callerToken: [] }];
  if (access === 'internal') return [{ webhookSignature: [] }, {}];
  if (access === 'store') return [{ storeToken: [] }, { webhookSignature: [] }, {}];
  return access === 'server' ? [{ hookToken: [] }, { webhookSignature: [] }, {}] : [];
}

function pathParameters({ path, doc }: DocumentedRoute, schemas: Json): Json[] {
  const known = new Map(parametersOf(doc.params, 'path', schemas).map((parameter) => [parameter.name, parameter]));
  return [...path.matchAll(/\{(\w+)\+?\}/g)].map(([, name]) => ({
    ...(known.get(name) ?? { name, in: 'path', schema: { type: 'string', format: 'uuid' } }),
    required: true,
  }));
}

function parametersOf(schema: z.ZodObject | undefined, where: 'path' | 'query', schemas: Json): Json[] {
  if (!schema) return [];
  const { properties = {}, required = [] } = toJson(schema, 'input', schemas) as {
    properties?: Record<string, Json>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, { description, ...rest }]) => ({
    name,
    in: where,
    required: required.includes(name),
    ...(description ? { description } : {}),
    schema: rest,
  }));
}

/** JSON Schema of one schema; what it defines by id moves to the components. */
function toJson(schema: z.ZodType, io: 'input' | 'output', schemas: Json): Json {
  // Inside an object, since a schema with an id is only referred to below the top.
  const whole = z.toJSONSchema(z.object({ it: schema }), {
    io,
    unrepresentable: 'any',
    target: 'draft-2020-12',
    override: ({ jsonSchema }) => {
      // The format says it, and a pattern of 150 characters only hides it.
      if (jsonSchema.format === 'uuid') delete jsonSchema.pattern;
    },
  });
  const moved = JSON.parse(JSON.stringify(whole).replaceAll('"#/$defs/', '"#/components/schemas/')) as {
    properties: { it: Json };
    $defs?: Json;
  };
  for (const [id, definition] of Object.entries(moved.$defs ?? {})) {
    const { id: _, ...rest } = definition as Json;
    schemas[id] = rest;
  }
  return moved.properties.it;
}
