/**
 * `npm start`: the service with its embedded back ends, until a signal or the end of the process that started it. It
 * owns the order of starting and stopping and what the terminal shows.
 */
import { appendFile, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { readConfig } from '../lib/platform/config.ts';
import { ServiceError } from '../lib/platform/errors.ts';
import { requireFreePort } from './ports.ts';
import { type RunningService, startService } from './service.ts';
import { type LocalSettings, readLocalSettings } from './settings.ts';
import { type Stack, startStack } from './stack.ts';

/** Told to the process that started this one, when it listens. */
export interface StartedMessage {
  readonly type: 'started';
  readonly url: string;
  readonly gatewayUrl: string;
  readonly env: Readonly<Record<string, string>>;
}

const startedAt = performance.now();
const running: { stop(): Promise<void> }[] = [];
let stopping: Promise<void> | undefined;

/** Stops what runs, last started first. Whatever hangs does not keep us longer than this. */
function stop(exitCode: number): void {
  if (stopping) return;
  const deadline = setTimeout(() => process.exit(exitCode), 2800);
  stopping = (async () => {
    for (const part of running.splice(0).reverse()) {
      await part.stop().catch((error: unknown) => console.error('Stopping failed:', error));
    }
    clearTimeout(deadline);
    process.exit(exitCode);
  })();
}

function fail(error: unknown): void {
  // What the user can mend is one line; anything else is a bug, and its stack is what helps.
  console.error(error instanceof ServiceError ? `✖ ${error.message}` : error);
  stop(1);
}

async function start(): Promise<void> {
  const settings = readLocalSettings(process.env);
  // Wrong variables of the service are told before anything has started.
  readConfig(process.env);
  await requireFreePort(settings.PORT, 'PORT', settings.HOST);
  await requireFreePort(settings.GATEWAY_PORT, 'GATEWAY_PORT', settings.HOST);
  const starting = startStack({
    dataDir: settings.DATA_DIR,
    host: settings.HOST,
    ports: { postgres: settings.PG_PORT, s3: settings.S3_PORT, sqs: settings.SQS_PORT },
    environment: process.env,
    log: await logFile(settings.DATA_DIR),
  });
  const stackRuns = starting.then((stack) => {
    running.push(stack);
    void stack.pg?.exited.then(() => unexpectedEnd('PostgreSQL'));
  });
  const service = await startService(starting, {
    environment: process.env,
    host: settings.HOST,
    port: settings.PORT,
    gatewayPort: settings.GATEWAY_PORT,
    log: (line) => console.log(line),
  });
  running.push(service);
  await stackRuns;
  if (stopping) return;
  const stack = await starting;
  void service.functions.exited.then(() => unexpectedEnd('The process of the functions'));
  console.log(summary(settings, stack, service));
  const message: StartedMessage = {
    type: 'started',
    url: service.url,
    gatewayUrl: service.gatewayUrl,
    env: stack.env,
  };
  process.send?.(message);
}

function unexpectedEnd(what: string): void {
  if (stopping) return;
  console.error(`✖ ${what} ended by itself; stopping.`);
  stop(1);
}

/** PostgreSQL's own log is for whoever looks for it. */
async function logFile(dataDir: string): Promise<(line: string) => void> {
  const file = path.resolve(dataDir, 'postgres.log');
  await mkdir(path.dirname(file), { recursive: true });
  return (line) => void appendFile(file, `${line}\n`).catch(() => {});
}

function summary(settings: LocalSettings, stack: Stack, service: RunningService): string {
  const external = (variable: string) => `as set by ${variable}`;
  const { accessKeyId, secretAccessKey } = {
    accessKeyId: stack.env.MINIO_ACCESS_KEY,
    secretAccessKey: stack.env.MINIO_SECRET_KEY,
  };
  const lines = [
    ['Dashboard', `${service.url}/  (open it in a browser)`],
    ['API', `${service.url}  (/docs, /recordings, POST /webhook/stream)`],
    ['Gateway', `${service.gatewayUrl}/api/recordings`],
    [
      'S3',
      stack.s3
        ? `${stack.s3.endpoint}  (${accessKeyId} / ${secretAccessKey}; buckets live-segments and recordings)`
        : external('MINIO_ENDPOINT'),
    ],
    ['PostgreSQL', stack.pg?.url ?? external('DATABASE_URL or DB_HOST')],
    ['SQS', stack.sqs?.endpoint ?? external('SQS_ENDPOINT')],
    ['Data', path.resolve(settings.DATA_DIR)],
  ];
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  const table = lines.map(([name = '', value = '']) => `  ${name.padEnd(11)} ${value}`).join('\n');
  return `\nThe Recording Service is running (after ${seconds} s). Ctrl-C stops it.\n\n${table}\n`;
}

for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => stop(0));
// Whoever started us through scripts/run.mjs was killed.
process.on('disconnect', () => stop(0));
process.on('unhandledRejection', fail);
start().catch(fail);
