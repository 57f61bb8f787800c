/** Hostile requests to a running service: each gets its status and a JSON error without insides, and does no harm. */
import { request } from 'node:http';
import { makeHls } from '../support/media/index.ts';
import { type RunningService, startService } from '../support/service.ts';
import { type HostileRequest, hostileRequests } from './hostile-requests.ts';
import { expectExact, play } from './scenario.ts';

let service: RunningService;

beforeAll(async () => {
  service = await startService();
});
afterAll(() => service?.stop());

interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
}

/** With node:http, since fetch would tidy the path up. A server that answers before it has read all may hang up. */
function send(base: string, { method, path, body, headers }: HostileRequest): Promise<RawAnswer> {
  const { hostname, port } = new URL(base);
  const length =
    body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
  return new Promise((resolve, reject) => {
    const call = request(
      { hostname, port, method, path, headers: { ...length, ...headers }, timeout: 20_000 },
      (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text }));
      },
    );
    call.on('timeout', () => call.destroy(new Error('no answer')));
    call.on('error', reject);
    call.end(body);
  });
}

/** Paths of files, frames of a stack, SQL, names of our modules: nothing of these is anybody's business. */
const INSIDES = /\n\s+at |node_modules|\/lib\/|\.ts:\d|\bSELECT\b|\bINSERT\b|postgres|ZodError|SyntaxError|TypeError/i;

describe('a running service', () => {
  it.each(hostileRequests.map((hostile) => [hostile.name, hostile] as const))('refuses %s', async (_, hostile) => {
    const answer = await send(service.url, hostile);
    expect([answer.status, answer.text.slice(0, 500)]).toEqual([hostile.status, expect.any(String)]);
    expect(String(answer.headers['content-type'])).toMatch(/^application\/json/);
    const body: unknown = JSON.parse(answer.text);
    expect(body).toEqual({ error: hostile.error ?? expect.any(String) });
    expect(answer.text.length).toBeLessThan(2000);
    expect(answer.text).not.toMatch(INSIDES);
    expect(answer.headers['x-powered-by']).toBeUndefined();
  });

  it('lets nobody in through a proxy that adds to what the sender wrote, however often and in what letters', async () => {
    const { hostname, port } = new URL(service.url);
    const hops = ['x-forwarded-for', '10.0.0.1', 'X-Forwarded-For', '127.0.0.1', 'x-forwarded-for', '203.0.113.9'];
    const status = await new Promise((resolve, reject) => {
      const headers = ['host', `${hostname}:${port}`, 'content-length', '2', ...hops];
      const call = request({ hostname, port, method: 'POST', path: '/webhook/stream', headers }, (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      });
      call.once('error', reject);
      call.end('{}');
    });
    expect(status).toBe(403);
  });

  it('refuses writes at the gateway, and paths that are not its own', async () => {
    const post = { name: '', method: 'POST', path: '/api/recordings', body: '{}', status: 405 };
    expect((await send(service.gatewayUrl, post)).status).toBe(405);
    const webhook = { name: '', method: 'POST', path: '/webhook/stream', body: '{}', status: 404 };
    expect((await send(service.gatewayUrl, webhook)).status).toBe(404);
  });

  it('has recorded none of it, and records the next stream exactly', async () => {
    const list = await fetch(`${service.url}/recordings`);
    expect(await list.json()).toEqual({ recordings: [] });
    const hls = await makeHls({ seconds: 6 });
    await expectExact(service, await play(service, { hls }), hls.segments);
    expect(service.log.filter((line) => line.includes('"level":"fatal"'))).toEqual([]);
  });

  it('answers the specified routes on both ports', async () => {
    const health = await fetch(`${service.url}/health`);
    expect([health.status, await health.json()]).toEqual([200, { status: 'healthy', service: 'recording-service' }]);
    const [direct, gateway] = await Promise.all(
      [`${service.url}/recordings`, `${service.gatewayUrl}/api/recordings`].map(async (url) =>
        (await fetch(url)).json(),
      ),
    );
    expect(gateway).toEqual(direct);
    const { recordings } = direct as { recordings: { id: string }[] };
    const ids = [`${service.url}/recording`, `${service.gatewayUrl}/api/recordings`];
    for (const base of ids) {
      expect(await (await fetch(`${base}/${recordings[0]?.id}`)).json()).toEqual({ recording: recordings[0] });
    }
  });
});
