import { z } from 'zod';
import { buildOpenApi, type DocumentedRoute } from '../../../lib/platform/openapi.ts';
import { renderOpenApiPage } from '../../../lib/platform/openapi-page.ts';

const thing = z.object({ id: z.uuid(), size: z.int().optional() }).meta({ id: 'Thing' });
const routes: DocumentedRoute[] = [
  {
    method: 'POST',
    path: '/things/{id}/{name}',
    access: 'internal',
    doc: {
      tag: 'Things',
      summary: 'Make one',
      params: z.object({ name: z.string().max(9) }),
      query: z.object({ limit: z.string().optional().describe('How many'), from: z.string() }),
      body: z.object({ thing, when: z.string().transform((text) => new Date(text)) }),
      answers: { 200: { description: 'Made', schema: z.object({ things: z.array(thing) }) } },
    },
  },
  {
    method: 'GET',
    path: '/',
    access: 'public',
    doc: { tag: 'Page', summary: 'A page', answers: { 200: { description: 'It', contentType: 'text/html' } } },
  },
];

describe('the OpenAPI document', () => {
  const document = buildOpenApi(routes, { title: 'T', version: '1', description: '' });
  const operation = document.paths['/things/{id}/{name}']?.post as Record<string, never>;

  it('describes parameters of path and query from their schemas', () => {
    expect(operation.parameters).toEqual([
      { name: 'id', in: 'path', required: true, schema: { type: 'string', format: 'uuid' } },
      { name: 'name', in: 'path', required: true, schema: { type: 'string', maxLength: 9 } },
      { name: 'limit', in: 'query', required: false, description: 'How many', schema: { type: 'string' } },
      { name: 'from', in: 'query', required: true, schema: { type: 'string' } },
    ]);
  });

  it('keeps schemas with an id once, as components', () => {
    expect(document.components.schemas.Thing).toMatchObject({ type: 'object', required: ['id'] });
    expect(JSON.stringify(operation)).toContain('"#/components/schemas/Thing"');
    expect(JSON.stringify(document)).not.toContain('$defs');
  });

  it('describes what is sent, not what becomes of it', () => {
    expect(JSON.stringify(operation.requestBody)).toContain('"when":{"type":"string"}');
  });

  it('adds the usual failures and how to get in', () => {
    expect(Object.keys(operation.responses ?? {})).toEqual([
      '200',
      '400',
      '401',
      '403',
      '404',
      '413',
      '415',
      '500',
      '503',
    ]);
    expect(operation.security).toEqual([{ webhookSignature: [] }, {}]);
    expect(document.paths['/']?.get).toMatchObject({
      security: [],
      responses: { 200: { description: 'It', content: { 'text/html': {} } } },
    });
  });
});

describe('its page', () => {
  it('shows what it is given, and makes nothing of it', () => {
    const hostile = '<img src=x onerror="alert(1)">&\'';
    const doc = { tag: hostile, summary: hostile, answers: { 200: { description: hostile } } };
    const document = buildOpenApi([{ method: 'GET', path: '/', access: 'public', doc }], {
      title: hostile,
      version: hostile,
      description: hostile,
    });
    const page = renderOpenApiPage(document);
    expect(page).toContain('&lt;img src=x onerror=&quot;alert(1)&quot;&gt;&amp;&#39;');
    expect(page).not.toContain('<img');
  });
});
