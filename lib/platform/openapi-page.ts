/** The OpenAPI document as a page to read: plain HTML made here, without scripts and without anything from elsewhere. */
import { createHash } from 'node:crypto';
import type { OpenApiDocument } from './openapi.ts';

type Json = Record<string, unknown>;

const STYLE = `:root{color-scheme:light dark;--line:#8884;--soft:#8882}
body{font:16px/1.5 system-ui,sans-serif;max-width:56rem;margin:0 auto;padding:1rem}
h2{margin-top:2.5rem;border-bottom:1px solid var(--line)}
details{border:1px solid var(--line);border-radius:.4rem;margin:.5rem 0;padding:0 .8rem}
summary{cursor:pointer;padding:.5rem 0}
b.m{display:inline-block;min-width:4.2rem}
code,pre{font:.9em ui-monospace,monospace}
pre{background:var(--soft);padding:.6rem;border-radius:.3rem;overflow-x:auto}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:top;padding:.2rem .6rem .2rem 0;border-bottom:1px solid var(--line)}`;

/** Lets the page have its own style and nothing else. */
export const PAGE_POLICY = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'`;

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
const html = (text: unknown): string =>
  String(text ?? '').replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? '');
const block = (value: unknown): string => `<pre>${html(JSON.stringify(value, null, 2))}</pre>`;

/** The page. */
export function renderOpenApiPage(document: OpenApiDocument): string {
  const { info } = document;
  const byTag = new Map<string, string[]>();
  for (const [path, operations] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      const [tag = 'Other'] = operation.tags as string[];
      byTag.set(tag, [...(byTag.get(tag) ?? []), operationHtml(method, path, operation)]);
    }
  }
  const sections = [...byTag].map(([tag, operations]) => `<h2>${html(tag)}</h2>\n${operations.join('\n')}`);
  const schemas = Object.entries(document.components.schemas).map(
    ([name, schema]) =>
      `<details id="${html(name)}"><summary><code>${html(name)}</code></summary>${block(schema)}</details>`,
  );
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>${html(info.title)}</title><style>${STYLE}</style></head><body>
<h1>${html(info.title)} ${html(info.version)}</h1>
<p>${html(info.description)}</p>
<p><a href="openapi.json">openapi.json</a></p>
${sections.join('\n')}
<h2>Shapes</h2>
${schemas.join('\n')}
</body></html>
`;
}

function operationHtml(method: string, path: string, operation: Json): string {
  const parameters = operation.parameters as Json[];
  const rows = parameters.map(
    (parameter) =>
      `<tr><td><code>${html(parameter.name)}</code></td><td>${html(parameter.in)}${parameter.required ? ', required' : ''}</td><td>${html(parameter.description)} <code>${html(JSON.stringify(parameter.schema))}</code></td></tr>`,
  );
  const answers = Object.entries(operation.responses as Record<string, Json>).map(
    ([status, answer]) =>
      `<tr><td><code>${html(status)}</code></td><td>${html(answer.description)}</td><td>${shapesOf(answer)}</td></tr>`,
  );
  const body = operation.requestBody as Json | undefined;
  return `<details><summary><b class="m">${html(method.toUpperCase())}</b> <code>${html(path)}</code> ${html(operation.summary)}</summary>
<p>${html(operation.description)}</p>
${whoMay(operation.security as Json[])}
${rows.length > 0 ? `<h3>Parameters</h3><table>${rows.join('')}</table>` : ''}
${body ? `<h3>Body</h3>${contentHtml(body)}` : ''}
<h3>Answers</h3><table>${answers.join('')}</table></details>`;
}

function whoMay(security: Json[]): string {
  const names = security.flatMap((one) => Object.keys(one));
  return names.length === 0
    ? ''
    : `<p>Who may: ${html(names.join(' or '))}${security.length > names.length ? ', or an allowed address' : ''}</p>`;
}

function contentHtml(holder: Json): string {
  const content = Object.values((holder.content ?? {}) as Record<string, { schema?: unknown }>);
  return content.map(({ schema }) => (schema ? block(schema) : '')).join('');
}

/** Links to the shapes an answer is made of, or the kind of its content. */
function shapesOf(answer: Json): string {
  const names = [...JSON.stringify(answer).matchAll(/#\/components\/schemas\/(\w+)/g)].map(([, name]) => name ?? '');
  const links = [...new Set(names)].map((name) => `<a href="#${html(name)}">${html(name)}</a>`);
  return links.length > 0 ? links.join(', ') : html(Object.keys((answer.content ?? {}) as Json).join(', '));
}
