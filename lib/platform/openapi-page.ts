/** The OpenAPI document as a page to read: plain HTML made here, without scripts and without anything from elsewhere. */
import { createHash } from 'node:crypto';
import type { OpenApiDocument } from './openapi.ts';

type Json = Record<string, unknown>;

/** Colours and measures of the dashboard (web/styles/tokens.css), in the system's typeface. */
const STYLE = `:root{color-scheme:light dark;--ground:light-dark(#f6f6f4,#0e0f12);--surface:light-dark(#fff,#17191e);
--soft:light-dark(#f0f0ed,#20232a);--line:light-dark(#14141e1a,#ffffff17);--text:light-dark(#1a1b1f,#f0f1f4);
--text-2:light-dark(#5b5e66,#a3a8b3);--accent:light-dark(#3b4fd8,#8b9bff);--accent-soft:light-dark(#e9ecfd,#23284a);
--good:light-dark(#1a7a4c,#5ccf94);--good-soft:light-dark(#e3f4ea,#16301f);
--warn:light-dark(#8a5a00,#f0b95a);--warn-soft:light-dark(#fdf3dd,#33270f)}
*{box-sizing:border-box}
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:20px 24px 72px;background:var(--ground);color:var(--text)}
a{color:var(--accent);text-underline-offset:2px}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px;border-radius:4px}
h1{font-size:26px;letter-spacing:-.02em;line-height:1.2;margin:18px 0 4px}
h2{font-size:17px;margin:36px 0 10px;scroll-margin-top:12px}
h3{font-size:13px;margin:18px 0 6px;color:var(--text-2)}
p{margin:6px 0}
nav{display:flex;flex-wrap:wrap;gap:6px;margin:18px 0 0}
nav a{padding:4px 12px;border-radius:99px;background:var(--soft);color:var(--text);text-decoration:none;font-size:13.5px;font-weight:500}
.about{color:var(--text-2)}
.home{display:inline-block;color:var(--text-2);text-decoration:none;font-size:14px}
.group{border:1px solid var(--line);border-radius:12px;background:var(--surface);overflow:hidden}
details+details{border-top:1px solid var(--line)}
summary{display:grid;grid-template-columns:4.4rem minmax(0,22rem) 1fr;gap:2px 12px;align-items:baseline;padding:10px 16px;cursor:pointer;list-style:none}
summary::-webkit-details-marker{display:none}
summary:hover{background:var(--soft)}
summary span{color:var(--text-2);font-size:14px}
.in{padding:0 16px 18px}
.m{justify-self:start;min-width:3.6rem;padding:1px 8px;border-radius:6px;font-size:11.5px;font-weight:650;text-align:center;background:var(--accent-soft);color:var(--accent)}
.m.post{background:var(--good-soft);color:var(--good)}
.m.patch,.m.put,.m.delete{background:var(--warn-soft);color:var(--warn)}
code,pre{font:13px/1.5 ui-monospace,Menlo,Consolas,monospace;overflow-wrap:anywhere}
pre{background:var(--soft);padding:10px 12px;border-radius:8px;overflow-x:auto;overflow-wrap:normal}
table{border-collapse:collapse;width:100%;font-size:14px}
td{text-align:left;vertical-align:top;padding:6px 12px 6px 0;border-top:1px solid var(--line)}
td:first-child{white-space:nowrap;width:1%}
@media(max-width:640px){body{padding:16px 16px 56px}summary{grid-template-columns:auto minmax(0,1fr)}summary span{grid-column:1/-1}}`;

/** Those first that a newcomer looks for. */
const TAGS = ['Recordings', 'Playback', 'Clips', 'Videos', 'Events', 'Webhooks', 'Internal', 'Operations', 'Dashboard'];

/** Lets the page have its own style and nothing else. */
export const PAGE_POLICY = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'`;

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
  const tags = [...byTag.keys()].sort((a, b) => placeOf(a) - placeOf(b));
  const sections = tags.map(
    (tag) => `<h2 id="${html(tag)}">${html(tag)}</h2>\n<div class="group">${byTag.get(tag)?.join('\n')}</div>`,
  );
  const schemas = Object.entries(document.components.schemas).map(
    ([name, schema]) =>
      `<details id="${html(name)}"><summary><code>${html(name)}</code></summary><div class="in">${block(schema)}</div></details>`,
  );
  const links = [...tags, 'Shapes'].map((tag) => `<a href="#${html(tag)}">${html(tag)}</a>`);
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>${html(info.title)}: API</title><link rel="icon" href="/assets/icon.svg" type="image/svg+xml"><style>${STYLE}</style></head><body>
<header><a class="home" href="/">‹ Recordings</a></header>
<main>
<h1>${html(info.title)}: API</h1>
<p class="about">${html(info.description)} For programs: <a href="openapi.json">openapi.json</a> (OpenAPI 3.1, version ${html(info.version)}).</p>
<nav aria-label="Kinds of routes">${links.join('')}</nav>
${sections.join('\n')}
<h2 id="Shapes">Shapes</h2>
<div class="group">${schemas.join('\n')}</div>
</main>
</body></html>
`;
}

const placeOf = (tag: string): number => (TAGS.includes(tag) ? TAGS.indexOf(tag) : TAGS.length);

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
  return `<details id="${html(operation.operationId)}"><summary><b class="m ${html(method)}">${html(method.toUpperCase())}</b> <code>${html(path)}</code> <span>${html(operation.summary)}</span></summary>
<div class="in">${operation.description ? `<p>${html(operation.description)}</p>` : ''}
${whoMay(operation.security as Json[])}
${rows.length > 0 ? `<h3>Parameters</h3><table>${rows.join('')}</table>` : ''}
${body ? `<h3>Body</h3>${contentHtml(body)}` : ''}
<h3>Answers</h3><table>${answers.join('')}</table></div></details>`;
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
