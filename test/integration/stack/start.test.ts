/** `npm start` from outside: what it says, how it ends, and what the HTTP server in front of the functions does. */
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { StartedMessage } from '../../../localstack/start.ts';
import { until } from './until.ts';

const root = path.join(import.meta.dirname, '../../..');
const freePorts = { PORT: '0', GATEWAY_PORT: '0', S3_PORT: '0', PG_PORT: '0', SQS_PORT: '0' };
let dataDir: string;
const children: ChildProcess[] = [];

beforeAll(async () => {
  dataDir = await mkdtemp(path.join(tmpdir(), 'stack-start-'));
});
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await until(() => processesOf(dataDir).length === 0, 5000);
  await rm(dataDir, { recursive: true, force: true });
});

function start(env: Record<string, string> = {}) {
  const child = fork(path.join(root, 'localstack/start.ts'), [], {
    silent: true,
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      DATA_DIR: dataDir,
      STREAM_SERVICE_URL: 'http://127.0.0.1:9',
      ...freePorts,
      ...env,
    },
  });
  children.push(child);
  const output = { out: '', err: '' };
  child.stdout?.on('data', (chunk) => {
    output.out += chunk;
  });
  child.stderr?.on('data', (chunk) => {
    output.err += chunk;
  });
  const started = once(child, 'message').then(([message]) => message as StartedMessage);
  const exited = once(child, 'exit').then(([code]) => code as number | null);
  return { child, output, started, exited };
}

/** Processes, other than this one and its children of other tests, that were started for this data directory. */
function processesOf(directory: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const read = (file: string) => readFileSync(`/proc/${pid}/${file}`, 'latin1');
        return (read('environ') + read('cmdline')).includes(directory);
      } catch {
        return false;
      }
    })
    .map(Number);
}

/** Sends bytes as they are and resolves to everything that comes back. */
function raw(url: string, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port: Number(new URL(url).port), host: '127.0.0.1' }, () => socket.end(text));
    let answer = '';
    socket.setEncoding('utf8').on('data', (chunk) => {
      answer += chunk;
    });
    socket.once('error', reject).once('close', () => resolve(answer));
  });
}

describe('npm start', () => {
  it('says where everything is, answers, and stops within 3 s of SIGTERM without leaving a process', async () => {
    const { child, output, started, exited } = start();
    const { url, gatewayUrl, env } = await started;
    expect(output.out).toContain('The Recording Service is running');
    for (const address of [url, gatewayUrl, env.MINIO_ENDPOINT, env.SQS_ENDPOINT])
      expect(output.out).toContain(address);
    expect(await (await fetch(`${url}/health`)).json()).toEqual({ status: 'healthy', service: 'recording-service' });
    expect(await (await fetch(`${gatewayUrl}/api/recordings`)).json()).toMatchObject({ recordings: [] });
    expect(processesOf(dataDir).length).toBeGreaterThan(3);
    const stoppedAt = performance.now();
    child.kill('SIGTERM');
    expect(await exited).toBe(0);
    expect(performance.now() - stoppedAt).toBeLessThan(3000);
    await until(() => processesOf(dataDir).length === 0, 1000);
    expect(output.err).toBe('');
  });

  it('takes all of its processes along when it is killed', async () => {
    const { child, started, exited } = start();
    await started;
    child.kill('SIGKILL');
    await exited;
    await until(() => processesOf(dataDir).length === 0, 3000);
  });

  it('stops when the process that started it is killed', async () => {
    const script = `const { fork } = require('node:child_process');
      fork(process.argv[1], [], { silent: true }).on('message', () => console.log('started'));`;
    const env = { PATH: process.env.PATH, HOME: process.env.HOME, DATA_DIR: dataDir, ...freePorts };
    const parent = spawn(process.execPath, ['-e', script, path.join(root, 'localstack/start.ts')], { env });
    children.push(parent);
    await once(parent.stdout, 'data');
    parent.kill('SIGKILL');
    await until(() => processesOf(dataDir).length === 0, 4000);
  });
});

describe('npm start that cannot', () => {
  let holder: Server;
  let taken: string;

  beforeAll(async () => {
    holder = createServer();
    await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
    const address = holder.address();
    taken = String(address && typeof address === 'object' ? address.port : 0);
  });
  afterAll(() => new Promise((resolve) => holder.close(resolve)));

  it.each(['PORT', 'GATEWAY_PORT', 'S3_PORT', 'PG_PORT', 'SQS_PORT'])(
    'names a taken port and its variable %s in one line, with exit code 1',
    async (variable) => {
      const { output, exited } = start({ [variable]: taken });
      expect(await exited).toBe(1);
      expect(output.err.trim()).toBe(
        `✖ Port ${taken} is already in use: set ${variable} to another one, or stop what listens there.`,
      );
      await until(() => processesOf(dataDir).length === 0, 3000);
    },
  );

  it.each([
    ['PG_PORT', 'soon'],
    ['HOST', 'somewhere'],
    ['MONITOR_INTERVAL', 'often'],
  ])('names a wrong variable in one line (%s=%s)', async (variable, value) => {
    const { output, exited } = start({ [variable]: value });
    expect(await exited).toBe(1);
    expect(output.err.trim().split('\n')).toEqual([expect.stringContaining(`${variable}: must be`)]);
  });
});

describe('the HTTP server in front of the functions', () => {
  let url: string;
  beforeAll(async () => {
    url = (await start().started).url;
  });

  it('does not let pages of other origins read, although serverless-offline would', async () => {
    const response = await fetch(`${url}/recordings`, { headers: { origin: 'http://elsewhere.example' } });
    expect(response.headers.get('access-control-allow-credentials')).toBeNull();
    expect(response.headers.get('access-control-allow-origin')).not.toBe('http://elsewhere.example');
  });

  it.each([
    ['a body of 3 MB', 413, { method: 'POST', path: '/webhook/stream', body: 'x'.repeat(3_000_000) }],
    ['a body of 12 MB', 413, { method: 'POST', path: '/webhook/stream', body: 'x'.repeat(12_000_000) }],
    ['a malformed escape in the path', 400, { method: 'GET', path: '/recording/%E0%A4%A' }],
    ['an unknown path', 404, { method: 'GET', path: '/nowhere' }],
    ['a wrong method', 405, { method: 'PUT', path: '/recordings' }],
    [
      'an invocation from outside',
      404,
      { method: 'POST', path: '/2015-03-31/functions/recording-service-local-poller/invocations', body: '{}' },
    ],
  ])('answers %s with %i as JSON', async (_what, status, { path: where, ...request }) => {
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(`${url}${where}`, { ...request, headers });
    expect(response.status).toBe(status);
    expect(await response.json()).toEqual({ error: expect.any(String) });
  });

  it.each([
    ['a method that HTTP does not know', 'FOO /health HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['no HTTP at all', '\x16\x03\x01\x02\x00\r\n\r\n'],
    ['headers that do not end', `GET / HTTP/1.1\r\nHost: x\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`],
    [
      'a length and chunks at once',
      'POST /webhook/stream HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
  ])('answers %s with 400 as JSON', async (_what, bytes) => {
    const answer = await raw(url, bytes);
    expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /);
    expect(JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4))).toEqual({ error: expect.any(String) });
  });
});
