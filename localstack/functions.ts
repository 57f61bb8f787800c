/**
 * The functions as a child process: osls and serverless-offline with serverless.yml's stage `local`. It owns starting,
 * readiness and stopping; what the functions get as environment is service.ts' matter.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import path from 'node:path';
import { FunctionsUnavailable } from './errors.ts';
import { LocalHttpClient } from './http-client.ts';
import type { OfflineEnvironment, OfflineReady } from './offline-plugin.ts';
import { freePort } from './ports.ts';

export interface FunctionsOptions {
  /** Awaited while osls starts. */
  readonly environment: Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>;
  readonly host: string;
  /** 0 asks for a free one. */
  readonly port: number;
  /** Receives every line that the functions write. */
  readonly log: (line: string) => void;
}

export interface RunningFunctions {
  readonly port: number;
  readonly pid: number;
  /** Resolves when the process has gone, by stop() or by itself. */
  readonly exited: Promise<void>;
  /** The Invoke API of AWS Lambda. @throws {FunctionsUnavailable} */
  invoke(name: string, event: unknown, signal?: AbortSignal): Promise<unknown>;
  stop(): Promise<void>;
}

const ROOT = path.join(import.meta.dirname, '..');
/**
 * Bodies of requests lie outside of the heap and are freed when the young garbage is collected. Where that is seldom, they
 * pile up until all of the heap is searched, which took over a quarter of the CPU: so the young ones get little room.
 */
export const HEAP_FOR_BODIES = '--max-semi-space-size=2';
const START_TIMEOUT_MS = 60_000;
/** serverless-offline waits for every call in work, and the poller's takes a minute; whatever is cut off is repeated. */
const STOP_TIMEOUT_MS = 800;

/** @throws {FunctionsUnavailable} with what osls said */
export async function startFunctions(options: FunctionsOptions): Promise<RunningFunctions> {
  const lambdaPort = await freePort();
  const osls = createRequire(import.meta.url).resolve('serverless/bin/serverless.js');
  const child = spawn(process.execPath, [osls, 'offline', 'start', '--stage', 'local', '--noSponsor'], {
    cwd: ROOT,
    // A group of its own: Ctrl-C in a terminal is for us, and ffmpeg can be stopped together with it.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: {
      ...process.env,
      HOST: options.host,
      PORT: String(options.port),
      LAMBDA_PORT: String(lambdaPort),
      NODE_OPTIONS: `--enable-source-maps --disable-warning=ExperimentalWarning ${HEAP_FOR_BODIES}`,
      SLS_LOG_LEVEL: 'warning',
      SLS_NOTIFICATIONS_MODE: 'off',
      SLS_TELEMETRY_DISABLED: '1',
    },
  });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const given = Promise.resolve(options.environment).then((environment) => {
    const message: OfflineEnvironment = { type: 'environment', environment };
    if (child.connected) child.send(message);
  });
  given.catch(() => signalGroup(child, 'SIGKILL'));
  const [port] = await Promise.all([untilReady(child, options.log), given]).catch((error: unknown) => {
    signalGroup(child, 'SIGKILL');
    throw error;
  });
  const client = new LocalHttpClient(lambdaPort);
  return {
    port,
    pid: child.pid ?? 0,
    exited,
    invoke: (name, event, signal) => invoke(client, name, event, signal),
    async stop() {
      client.close();
      await stopGroup(child, exited);
    },
  };
}

/** Resolves to the port. What osls says before is only worth reading when it fails. */
function untilReady(child: ChildProcess, log: (line: string) => void): Promise<number> {
  return new Promise((resolve, reject) => {
    let said = '';
    let ready = false;
    const fail = (why: string) => {
      clearTimeout(timer);
      reject(new FunctionsUnavailable(`The functions did not start (${why}):\n${said.trim().slice(-3000)}`));
    };
    const timer = setTimeout(() => fail(`nothing for ${START_TIMEOUT_MS / 1000} s`), START_TIMEOUT_MS);
    child.once('error', (error) => fail(error.message));
    child.once('exit', (code, signal) => {
      if (!ready) fail(`osls ended with ${signal ?? code}`);
    });
    for (const stream of [child.stdout, child.stderr]) {
      eachLine(stream, (line) => {
        if (ready) log(line);
        else said += `${line}\n`;
      });
    }
    child.on('message', (message: OfflineReady) => {
      if (message.type !== 'ready') return;
      ready = true;
      clearTimeout(timer);
      resolve(message.httpPort);
    });
  });
}

function eachLine(stream: NodeJS.ReadableStream | null, receive: (line: string) => void): void {
  let pending = '';
  stream?.setEncoding('utf8');
  stream?.on('data', (text: string) => {
    const lines = (pending + text).split('\n');
    pending = lines.pop() ?? '';
    for (const line of lines) receive(line);
  });
  stream?.on('end', () => {
    if (pending !== '') receive(pending);
  });
}

async function invoke(client: LocalHttpClient, name: string, event: unknown, signal?: AbortSignal): Promise<unknown> {
  const path = `/2015-03-31/functions/recording-service-local-${name}/invocations`;
  const { status, headers, body } = await client.post(path, JSON.stringify(event), signal);
  if (status !== 200 || headers['x-amz-function-error'] !== undefined) {
    throw new FunctionsUnavailable(`The function ${name} failed: ${body.slice(0, 1000)}`);
  }
  return body === '' ? undefined : (JSON.parse(body) as unknown);
}

async function stopGroup(child: ChildProcess, exited: Promise<void>): Promise<void> {
  // To osls alone at first: ffmpeg is stopped by the function that runs it.
  child.kill('SIGTERM');
  const timer = setTimeout(() => signalGroup(child, 'SIGKILL'), STOP_TIMEOUT_MS);
  await exited;
  clearTimeout(timer);
  signalGroup(child, 'SIGKILL');
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // The whole group has gone already.
  }
}
