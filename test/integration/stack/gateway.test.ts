import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type RunningGateway, startGateway } from '../../../localstack/gateway.ts';

let service: Server;
let gateway: RunningGateway;
let answer: (request: IncomingMessage, response: ServerResponse) => void;
let port: number;

beforeAll(async () => {
  service = createServer((request, response) => answer(request, response));
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
  port = (service.address() as AddressInfo).port;
  gateway = await startGateway({ host: '127.0.0.1', port: 0, target: { host: '127.0.0.1', port }, timeoutMs: 300 });
});

afterAll(async () => {
  await gateway.stop();
  service.close();
});

const call = (path: string, options?: RequestInit) => fetch(`http://127.0.0.1:${gateway.port}${path}`, options);

describe('the local gateway', () => {
  it('passes reads of recordings on, with query and headers, and their answers back', async () => {
    answer = (request, response) => {
      const seen = { url: request.url, accept: request.headers.accept };
      response.writeHead(203, { 'content-type': 'application/json', 'x-own': 'yes' }).end(JSON.stringify(seen));
    };
    const response = await call('/api/recordings/42?limit=3', { headers: { accept: 'application/json' } });
    expect([response.status, response.headers.get('x-own')]).toEqual([203, 'yes']);
    expect(await response.json()).toEqual({ url: '/api/recordings/42?limit=3', accept: 'application/json' });
  });

  it('streams an answer as it comes', async () => {
    let end = () => {};
    answer = (_request, response) => {
      response.write('first ');
      end = () => response.end('second');
    };
    const reader = (await call('/api/recordings')).body?.getReader();
    const { value } = (await reader?.read()) ?? {};
    expect(Buffer.from(value ?? []).toString()).toBe('first ');
    end();
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe('second');
  });

  it.each([
    ['GET', '/webhook/stream', 404],
    ['POST', '/webhook/stream', 404],
    ['GET', '/', 404],
    ['GET', '/api/recordingsX', 404],
    ['GET', '/api/../webhook/stream', 404],
    ['POST', '/api/recordings', 405],
    ['DELETE', '/api/recordings/1', 405],
  ])('lets nothing else through: %s %s is %i', async (method, path, status) => {
    answer = () => {
      throw new Error('this must not reach the service');
    };
    const response = await call(path, { method, ...(method === 'POST' ? { body: '{}' } : {}) });
    expect(response.status).toBe(status);
    expect(await response.json()).toEqual({ error: expect.any(String) });
  });

  it('answers 504 when the service says nothing, and 502 when it is not there, as JSON', async () => {
    answer = () => {};
    const slow = await call('/api/recordings');
    expect([slow.status, await slow.json()]).toEqual([504, { error: 'The recording service did not answer in time' }]);
    const gone = await startGateway({ host: '127.0.0.1', port: 0, target: { host: '127.0.0.1', port: 1 } });
    const response = await fetch(`http://127.0.0.1:${gone.port}/api/recordings`);
    expect([response.status, await response.json()]).toEqual([
      502,
      { error: 'The recording service is not available' },
    ]);
    await gone.stop();
  });

  it('names the port that is taken', async () => {
    const target = { host: '127.0.0.1', port };
    await expect(startGateway({ host: '127.0.0.1', port, target })).rejects.toMatchObject({
      code: 'PORT_TAKEN',
      message: expect.stringContaining('GATEWAY_PORT'),
    });
  });
});
