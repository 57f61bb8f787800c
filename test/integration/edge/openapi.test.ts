/** The OpenAPI document says what there is: each route of each function, and nothing else. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Validator } from '@seriousme/openapi-schema-validator';
import { parse } from 'yaml';
import { openApiDocument, routes as openApiRoutes } from '../../../functions/openapi.ts';
import { readConfig } from '../../../lib/platform/config.ts';
import type { HttpRoute } from '../../../lib/platform/http.ts';
import { createLogger } from '../../../lib/platform/logging.ts';
import { callerOf } from '../../support/lambda.ts';

const ROOT = join(import.meta.dirname, '../../..');
const service = { logger: createLogger('error'), clock: { now: () => 0 }, config: readConfig({}) };
const call = callerOf(openApiRoutes, service);

type Routes = ReadonlyArray<Pick<HttpRoute<never>, 'method' | 'path' | 'access' | 'doc'>>;
const functions = new Map<string, Routes>();
const deployed = new Map<string, Array<{ method: string; path: string }>>();

beforeAll(async () => {
  for (const file of await readdir(join(ROOT, 'functions'))) {
    const { routes } = (await import(`../../../functions/${file}`)) as { routes?: Routes };
    if (routes) functions.set(file.replace(/\.ts$/, ''), routes);
  }
  // Intrinsic functions of CloudFormation are not of interest here.
  const { functions: defined } = parse(await readFile(join(ROOT, 'serverless.yml'), 'utf8'), { logLevel: 'error' });
  for (const { handler, events = [] } of Object.values(defined) as Array<{
    handler: string;
    events?: Array<{ httpApi?: { method: string; path: string } }>;
  }>) {
    const routes = events.flatMap(({ httpApi }) => (httpApi && typeof httpApi === 'object' ? [httpApi] : []));
    if (routes.length > 0) deployed.set(/^functions\/(.+)\.handler$/.exec(handler)?.[1] ?? handler, routes);
  }
});

const keys = (routes: ReadonlyArray<{ method: string; path: string }>) =>
  routes.map(({ method, path }) => `${method} ${path}`).sort();

describe('openapi.json', () => {
  it('is served as valid OpenAPI 3.1', async () => {
    const answer = await call('GET', '/openapi.json');
    expect(answer.status).toBe(200);
    const validator = new Validator();
    const result = await validator.validate(answer.json);
    expect(result.errors ?? []).toEqual([]);
    expect([result.valid, validator.version]).toEqual([true, '3.1']);
  });

  it('has each route of each function, and nothing else', () => {
    const documented = Object.entries(openApiDocument().paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => ({ method: method.toUpperCase(), path })),
    );
    expect(keys(documented)).toEqual(keys([...functions.values()].flat()));
  });

  it('says of each route who may call it', () => {
    const { paths } = openApiDocument();
    const schemes = {
      public: [],
      internal: ['webhookSignature'],
      store: ['storeToken', 'webhookSignature'],
      server: ['hookToken', 'webhookSignature'],
    };
    for (const { method, path, access, doc } of [...functions.values()].flat()) {
      const security = paths[path]?.[method.toLowerCase()]?.security as object[];
      const named = security.flatMap((one) => Object.keys(one));
      expect([method, path, named]).toEqual([method, path, doc.bearer ? ['callerToken'] : schemes[access]]);
    }
  });

  it('has what the specification names', () => {
    const { paths } = openApiDocument();
    for (const path of ['/health', '/recordings', '/recording/{id}', '/api/recordings', '/api/recordings/{id}']) {
      expect(paths[path]).toHaveProperty('get');
    }
    expect(paths['/webhook/stream']).toHaveProperty('post');
    expect(openApiDocument().components.schemas.Recording).toMatchObject({
      required: [
        'id',
        'stream_id',
        'video_id',
        'file_path',
        'duration',
        'file_size',
        'status',
        'started_at',
        'completed_at',
      ],
      additionalProperties: false,
    });
  });

  it('has references that lead somewhere and operation ids that are unique', () => {
    const text = JSON.stringify(openApiDocument());
    for (const [, name = ''] of text.matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)) {
      expect(Object.keys(openApiDocument().components.schemas)).toContain(name);
    }
    const ids = Object.values(openApiDocument().paths).flatMap((operations) =>
      Object.values(operations).map((operation) => operation.operationId),
    );
    expect(new Set(ids).size).toBe(ids.length);
  });
});

describe('serverless.yml', () => {
  it('leads each route to the function that has it', () => {
    for (const [name, routes] of functions) {
      const events = deployed.get(name) ?? [];
      const lost = routes.filter(
        (route) => !events.some(({ method, path }) => path === route.path && ['*', route.method].includes(method)),
      );
      expect([name, keys(lost)]).toEqual([name, []]);
    }
  });

  it('leads nothing to a function that does not have it', () => {
    for (const [name, events] of deployed) {
      const routes = functions.get(name) ?? [];
      const nobodys = events.filter(
        ({ method, path }) => !routes.some((route) => route.path === path && ['*', route.method].includes(method)),
      );
      expect([name, keys(nobodys)]).toEqual([name, []]);
    }
  });

  it('gives each path and method to one function only', () => {
    const all = [...deployed.values()].flat();
    expect(keys(all)).toEqual([...new Set(keys(all))].sort());
    // Every method of a path for one function, and one method of it for another, would not be wrong but surprising.
    for (const { path } of all.filter(({ method }) => method === '*')) {
      expect(all.filter((event) => event.path === path)).toHaveLength(1);
    }
  });
});

describe('who may call', () => {
  it('is everybody for reads only: what changes something is internal, or wants a token', () => {
    const open = [...functions.values()].flat().filter((route) => route.access === 'public' && route.method !== 'GET');
    for (const route of open)
      expect([route.path, route.doc.bearer === true || OPEN_WRITES.has(`${route.method} ${route.path}`)]).toEqual([
        route.path,
        true,
      ]);
  });
});

/** Writes that anybody may make, each on purpose: cutting a clip costs little and tells nothing new. */
const OPEN_WRITES = new Set(['POST /recording/{id}/clips']);

describe('the page', () => {
  it('lists every route, runs nothing and takes nothing from elsewhere', async () => {
    const answer = await call('GET', '/docs');
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(answer.headers['content-security-policy']).toMatch(/^default-src 'none'; style-src 'sha256-[^']+';/);
    for (const path of Object.keys(openApiDocument().paths)) expect(answer.text).toContain(`<code>${path}</code>`);
    expect(answer.text).not.toMatch(/<script|<link(?! rel="icon" href="\/)|src=|style="|https?:\/\/(?!json-schema)/);
  });
});
