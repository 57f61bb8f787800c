/** What the documents say has to be what the code has: variables, metrics. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openApiDocument } from '../../../functions/openapi.ts';
import { readConfig, VARIABLES } from '../../../lib/platform/config.ts';
import { type MetricsSnapshot, toPrometheus } from '../../../lib/recordings/metrics.ts';
import { readLocalSettings } from '../../../localstack/settings.ts';

const root = join(import.meta.dirname, '../../..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');

describe.each(['README.md', 'README.ru.md'])('%s', (file) => {
  it('names every variable of the service and of npm start', () => {
    const text = read(file);
    const named = new Set(Array.from(text.matchAll(/`([A-Z][A-Z0-9_]+)`/g), ([, name]) => name));
    const wanted = [...VARIABLES, ...Object.keys(readLocalSettings({}))];
    expect(wanted.filter((name) => !named.has(name))).toEqual([]);
  });

  it('tells the defaults that the service has', () => {
    const settingOf = (environment: Record<string, string>, name: string) => {
      const config: Record<string, unknown> = readConfig(environment);
      return `${name}=${JSON.stringify(config[name] ?? [])}`;
    };
    const told = defaultsIn(read(file)).filter(([name]) => VARIABLES.includes(name));
    expect(told.map(([name]) => name).toSorted()).toEqual(VARIABLES.toSorted());
    const meant = told.map(([name, value]) => (value === '–' ? `${name}=[]` : settingOf({ [name]: value }, name)));
    expect(meant).toEqual(told.map(([name]) => settingOf({}, name)));
  });

  it('links only to files that exist', () => {
    const links = Array.from(read(file).matchAll(/\]\(((?!https?:)[^)#]+)[^)]*\)/g), ([, path]) => path ?? '');
    const missing = links.filter((path) => !existsIn(path));
    expect(missing).toEqual([]);
  });

  it('names only npm scripts that exist', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const named = Array.from(read(file).matchAll(/npm (?:run )?([a-z:]+)/g), ([, name]) => name ?? '');
    const builtIn = ['test', 'start', 'ci', 'install', 'audit'];
    expect(named.filter((name) => !builtIn.includes(name) && !(name in scripts))).toEqual([]);
  });
});

/** Names and defaults of the table of variables: as many of these as of those in a row. */
function defaultsIn(text: string): Array<[string, string]> {
  const rows = text.matchAll(/^\| ((?:`[A-Z][A-Z0-9_]+` ?)+)\| ([^|]+) \|/gm);
  return Array.from(rows).flatMap(([, names = '', cell = '']) => {
    const values = Array.from(cell.matchAll(/–|`([^`]+)`/g), ([dash, value]) => value ?? dash);
    return Array.from(names.matchAll(/`([^`]+)`/g), ([, name = ''], at): [string, string] => [name, values[at] ?? '–']);
  });
}

function existsIn(path: string): boolean {
  const folder = join(root, path, '..');
  const name = path.split('/').at(-1) ?? '';
  return readdirSync(folder).includes(name);
}

describe('the documents', () => {
  const text = ['README.md', ...readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md'))]
    .map((name) => read(name === 'README.md' ? name : `docs/${name}`))
    .join('\n');
  const { paths } = openApiDocument();

  it('name every route', () => {
    // As they are written in prose: a recording's own routes without its part, numbers as numbers.
    const written = (path: string) =>
      [
        path,
        path.replace('{segment}', '{n}.ts').replace('{fragment}', '{n}.m4s'),
        path.replace('/recording/{id}', ''),
      ].filter((one) => one.length > 1 || path === '/');
    expect(Object.keys(paths).filter((path) => !written(path).some((one) => text.includes(one)))).toEqual([]);
  });

  it('name every parameter of a query', () => {
    const parameters = Object.values(paths).flatMap((operations) =>
      Object.values(operations).flatMap((one) => one.parameters as Array<{ in: string; name: string }>),
    );
    const names = new Set(parameters.filter((one) => one.in === 'query').map((one) => one.name));
    expect([...names].filter((name) => !new RegExp(`\\b${name}=|\`${name}\``).test(text))).toEqual([]);
  });
});

describe('the Grafana dashboard', () => {
  it('asks only for metrics that the service has', async () => {
    const snapshot: MetricsSnapshot = {
      recordings: { recording: 1, processing: 1, completed: 1, failed: 1 },
      recentFailures: 1,
      segments: { captured: 1, missing: 1, rejected: 1, late: 1 },
      capturedBytes: 1,
      storedBytes: 1,
      captureLagSeconds: { p50: 1, p95: 1 },
      finishSeconds: { p50: 1, p95: 1 },
      queueAgeSeconds: 1,
      silentRecordings: 1,
      scratchUsedRatio: 0.5,
      deadLetters: { repeated: 1, failed: 1, dropped: 1 },
      recentDeadLetters: 1,
    };
    const exported = new Set(Array.from((await toPrometheus(snapshot)).matchAll(/^([a-z_]+)/gm), ([name]) => name));
    const asked = Array.from(read('docs/grafana.json').matchAll(/recording_[a-z_]+/g), ([name]) => name);
    expect(asked.length).toBeGreaterThan(10);
    expect([...new Set(asked)].filter((name) => !exported.has(name))).toEqual([]);
  });
});
