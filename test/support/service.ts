/**
 * A whole service for end-to-end tests and the demo, on free ports, with a Stream Service stand-in that it polls:
 * either on a stack in this process (whose notifications a test may lose), or as `npm start` runs it, a process.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { startService as startOnStack } from '../../localstack/service.ts';
import { type StackOptions, startStack } from '../../localstack/stack.ts';
import type { StartedMessage } from '../../localstack/start.ts';
import type { S3Address } from './packager.ts';
import { StreamServiceStandIn } from './stream-service.ts';

export interface RunningService {
  readonly url: string;
  readonly gatewayUrl: string;
  readonly s3: S3Address;
  readonly publicUrlBase: string;
  readonly streams: StreamServiceStandIn;
  /** What the service has logged, one JSON a line. */
  readonly log: readonly string[];
  stop(): Promise<void>;
}

export interface StartOptions {
  /** Variables of the service. */
  readonly env?: Readonly<Record<string, string>>;
  readonly notify?: NonNullable<StackOptions['notify']>;
}

export async function startService(options: StartOptions = {}): Promise<RunningService> {
  const streams = await StreamServiceStandIn.start();
  const log: string[] = [];
  const undo: (() => Promise<void>)[] = [() => streams.close()];
  const stop = async () => {
    for (const stopOne of undo.splice(0).reverse()) await stopOne();
  };
  try {
    const stack = await startStack(options.notify === undefined ? {} : { notify: options.notify });
    undo.push(() => stack.stop());
    const environment = { ...options.env, STREAM_SERVICE_URL: streams.url };
    const service = await startOnStack(stack, { environment, log: (line) => log.push(line) });
    undo.push(() => service.stop());
    streams.sendWebhooksTo({ serviceUrl: service.url });
    return { url: service.url, gatewayUrl: service.gatewayUrl, ...addressOf(stack.env), streams, log, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

export interface ServiceProcess extends RunningService {
  readonly pid: number;
  /** Sends a signal and resolves, when the process has ended, with the time that took. */
  end(signal: 'SIGTERM' | 'SIGKILL' | 'SIGINT'): Promise<number>;
}

export interface ProcessOptions extends StartOptions {
  readonly dataDir: string;
  /** Outlives the service: a restarted one polls the same stand-in. */
  readonly streams: StreamServiceStandIn;
}

const START_FILE = join(import.meta.dirname, '../../localstack/start.ts');
const ANY_PORTS = { PORT: '0', GATEWAY_PORT: '0', S3_PORT: '0', PG_PORT: '0', SQS_PORT: '0' };

/** Of this process' environment only what says where things are on this machine. */
function machineEnvironment(): Record<string, string> {
  const names = ['PATH', 'HOME', 'TMPDIR', 'FFMPEG_PATH', 'LD_LIBRARY_PATH'];
  return Object.fromEntries(names.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])));
}

/** `npm start` on free ports. Rejects with what the process said when it ends before it listens. */
export async function startServiceProcess(options: ProcessOptions): Promise<ServiceProcess> {
  const { streams } = options;
  const environment = { ...ANY_PORTS, ...options.env, STREAM_SERVICE_URL: streams.url, DATA_DIR: options.dataDir };
  const child = fork(START_FILE, [], {
    env: { ...machineEnvironment(), ...environment },
    silent: true,
  });
  const log: string[] = [];
  for (const output of [child.stdout, child.stderr]) {
    output
      ?.setEncoding('utf8')
      .on('data', (text: string) => log.push(...text.split('\n').filter((line) => line !== '')));
  }
  const exited = once(child, 'exit');
  const end = async (signal: 'SIGTERM' | 'SIGKILL' | 'SIGINT') => {
    const startedAt = performance.now();
    child.kill(signal);
    await exited;
    return performance.now() - startedAt;
  };
  const started = await Promise.race([
    once(child, 'message').then(([message]) => message as StartedMessage),
    exited.then(() => undefined),
  ]);
  if (started === undefined) throw new Error(`The service did not start:\n${log.slice(-20).join('\n')}`);
  streams.sendWebhooksTo({ serviceUrl: started.url });
  return {
    url: started.url,
    gatewayUrl: started.gatewayUrl,
    ...addressOf(started.env),
    streams,
    log,
    pid: child.pid ?? 0,
    end,
    stop: async () => {
      await end('SIGTERM');
    },
  };
}

function addressOf(env: Readonly<Record<string, string>>): { s3: S3Address; publicUrlBase: string } {
  return {
    s3: {
      endpoint: `http://${env.MINIO_ENDPOINT}`,
      accessKeyId: env.MINIO_ACCESS_KEY ?? '',
      secretAccessKey: env.MINIO_SECRET_KEY ?? '',
    },
    publicUrlBase: env.PUBLIC_URL_BASE ?? '',
  };
}
