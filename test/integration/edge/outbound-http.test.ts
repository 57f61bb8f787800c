/** Calls to other services end: whatever the other side does. */
import { createServer } from 'node:net';
import { callOut } from '../../../lib/services/outbound-http.ts';
import { listen, type RunningServer, sendJson } from '../../support/http.ts';

const limits = { method: 'GET', timeoutMs: 300, maxAnswerBytes: 1000 } as const;
let server: RunningServer;
const paths: string[] = [];

beforeAll(async () => {
  server = await listen(async (request, response) => {
    paths.push(request.url ?? '');
    if (request.url === '/redirect') {
      response.writeHead(302, { location: `${server.url}/inside` });
      response.end();
    } else if (request.url === '/large') response.end('x'.repeat(1001));
    else if (request.url === '/endless') {
      const timer = setInterval(() => response.write('x'.repeat(100)), 5);
      response.on('close', () => clearInterval(timer));
    } else if (request.url === '/slow') {
      response.write('begun');
      response.on('close', () => undefined);
    } else sendJson(response, 200, { agent: request.headers['user-agent'] });
  });
});
afterAll(() => server.close());

describe('a call to another service', () => {
  it('gives status and text', async () => {
    expect(await callOut(`${server.url}/`, limits)).toEqual({
      status: 200,
      text: '{"agent":"recording-service"}',
      retryAfter: null,
    });
  });

  it('does not follow a redirect', async () => {
    expect(await callOut(`${server.url}/redirect`, limits)).toMatchObject({ status: 302 });
    expect(paths).not.toContain('/inside');
  });

  it('stops reading an answer that is too large, ended or not', async () => {
    await expect(callOut(`${server.url}/large`, limits)).rejects.toThrow('larger than 1000 bytes');
    await expect(callOut(`${server.url}/endless`, { ...limits, timeoutMs: 5000 })).rejects.toThrow(
      'larger than 1000 bytes',
    );
  });

  it('does not wait for an answer that never ends', async () => {
    const from = performance.now();
    await expect(callOut(`${server.url}/slow`, limits)).rejects.toThrow('no whole answer within 300 ms');
    expect(performance.now() - from).toBeLessThan(3000);
  });

  it('does not wait for a server that says nothing', async () => {
    const silent = createServer(() => undefined);
    await new Promise<void>((ready) => silent.listen(0, '127.0.0.1', ready));
    const { port } = silent.address() as { port: number };
    await expect(callOut(`http://127.0.0.1:${port}/`, limits)).rejects.toThrow('no whole answer within 300 ms');
    silent.close();
  });

  it('says in one line why there was no connection', async () => {
    await expect(callOut('http://127.0.0.1:1/', limits)).rejects.toThrow(/^(connect ECONNREFUSED|bad port)/);
    await expect(callOut('file:///etc/passwd', limits)).rejects.toThrow();
  });
});
