/** The service as `npm start` runs it, on free ports of loopback and a temporary folder, for a load to be put on it. */
import { type ChildProcess, fork } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { HEAP_FOR_BODIES } from '../../localstack/functions.ts';
import type { StartedMessage } from '../../localstack/start.ts';

export interface RunningRecorder {
  readonly pid: number;
  readonly url: string;
  /** How to reach its back ends. */
  readonly env: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

const START = join(import.meta.dirname, '../../localstack/start.ts');
const START_MS = 90_000;

/** @param log receives every line it writes; rejects with the last ones when it does not start */
export async function startRecorder(
  environment: Readonly<Record<string, string>>,
  log: (line: string) => void,
  execArgv: readonly string[] = [],
): Promise<RunningRecorder> {
  const folder = await mkdtemp(join(tmpdir(), 'recording-load-'));
  const ports = { PORT: '0', GATEWAY_PORT: '0', S3_PORT: '0', PG_PORT: '0', SQS_PORT: '0' };
  const child = fork(START, {
    execArgv: [HEAP_FOR_BODIES, ...execArgv],
    env: {
      ...process.env,
      NODE_OPTIONS: '--disable-warning=ExperimentalWarning',
      ...ports,
      DATA_DIR: join(folder, 'data'),
      SCRATCH_DIR: join(folder, 'scratch'),
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const last: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    if (stream === null) continue;
    createInterface({ input: stream }).on('line', (line) => {
      last.push(line);
      if (last.length > 20) last.shift();
      log(line);
    });
  }
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  try {
    const { url, env } = await started(child, ended);
    return { pid: child.pid ?? 0, url, env, stop: () => stop(child, ended, folder) };
  } catch (error) {
    await stop(child, ended, folder);
    throw new Error(`The service did not start:\n${last.join('\n')}`, { cause: error });
  }
}

async function started(child: ChildProcess, ended: Promise<void>): Promise<StartedMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<StartedMessage>();
  child.once('message', (message) => resolve(message as StartedMessage));
  void ended.then(() => reject(new Error('it ended by itself')));
  const timer = setTimeout(() => reject(new Error(`it took more than ${START_MS} ms`)), START_MS);
  return promise.finally(() => clearTimeout(timer));
}

async function stop(child: ChildProcess, ended: Promise<void>, folder: string): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
  await ended;
  await rm(folder, { recursive: true, force: true });
}
