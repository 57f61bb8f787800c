/**
 * The whole service on this machine: functions on a stack, the event bridge between the two, and the gateway. `npm
 * start` and the tests that need a running service both go through it.
 */
import { availableParallelism } from 'node:os';
import { startEventBridge } from './event-bridge.ts';
import { type RunningFunctions, startFunctions } from './functions.ts';
import { startGateway } from './gateway.ts';
import { JOBS_DEAD_LETTERS, JOBS_QUEUE, SEGMENTS_DEAD_LETTERS, SEGMENTS_QUEUE } from './queues.ts';
import type { Stack } from './stack.ts';

export interface ServiceOptions {
  /** Variables of the service; those that say how to reach the stack come from the stack. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly host?: string;
  /** 0 (the default) asks for a free one. */
  readonly port?: number;
  readonly gatewayPort?: number;
  /** Finalizers at once. */
  readonly jobsAtOnce?: number;
  /** False: nobody invokes the poller, as a test may want. */
  readonly poll?: boolean;
  readonly log?: (line: string) => void;
}

export interface RunningService {
  /** `http://127.0.0.1:8083` */
  readonly url: string;
  readonly gatewayUrl: string;
  readonly functions: RunningFunctions;
  /** Stops everything that startService started; the stack keeps running. */
  stop(): Promise<void>;
}

const MINUTE_MS = 60_000;
/** All functions share this machine's cores: more at once would only make each of them, and every answer, slower. */
const INVOCATIONS_AT_ONCE = Math.min(16, 2 * availableParallelism());
/** All functions share one process and one pool here; on AWS each has a single connection. */
const POOL_SIZE = '20';

/**
 * @param starting the stack, or the promise of one: the functions start meanwhile
 * @throws {FunctionsUnavailable} {PortTaken}, and what the promise is rejected with
 */
export async function startService(
  starting: Stack | Promise<Stack>,
  options: ServiceOptions = {},
): Promise<RunningService> {
  const host = options.host ?? '127.0.0.1';
  const log = options.log ?? (() => {});
  const settling = Promise.resolve(starting).then((stack) => environmentOf(stack, options.environment ?? {}));
  const functions = await startFunctions({ environment: settling, host, port: options.port ?? 0, log });
  const environment = await settling;
  const target = { host: isWildcard(host) ? '127.0.0.1' : host, port: functions.port };
  const gateway = await startGateway({ host, port: options.gatewayPort ?? 0, target }).catch(async (error: unknown) => {
    await functions.stop();
    throw error;
  });
  const bridge = startEventBridge({
    sqs: {
      endpoint: environment.SQS_ENDPOINT ?? '',
      region: environment.AWS_REGION ?? 'us-east-1',
      accessKeyId: environment.MINIO_ACCESS_KEY || 'local',
      secretAccessKey: environment.MINIO_SECRET_KEY || 'local',
    },
    sources: [
      source(environment.SEGMENTS_QUEUE_URL, 'segments', 10, INVOCATIONS_AT_ONCE),
      source(environment.JOBS_QUEUE_URL, 'finalizer', 1, options.jobsAtOnce ?? INVOCATIONS_AT_ONCE),
      source(beside(environment.SEGMENTS_QUEUE_URL, SEGMENTS_QUEUE, SEGMENTS_DEAD_LETTERS), 'deadLetters', 10, 1),
      source(beside(environment.JOBS_QUEUE_URL, JOBS_QUEUE, JOBS_DEAD_LETTERS), 'deadLetters', 1, 1),
    ].flatMap((one) => one ?? []),
    ...(options.poll === false ? {} : { schedule: { functionName: 'poller', everyMs: MINUTE_MS } }),
    invoke: functions.invoke,
    onProblem: (what, error) => log(problemLine(what, error)),
  });
  return {
    url: `http://${target.host}:${functions.port}`,
    gatewayUrl: `http://${target.host}:${gateway.port}`,
    functions,
    async stop() {
      await bridge.stop();
      await Promise.all([gateway.stop(), functions.stop()]);
    },
  };
}

/** `0.0.0.0` and `::` are where one listens, not where one calls. */
const isWildcard = (host: string) => host === '0.0.0.0' || host === '::';

function source(queueUrl: string | undefined, functionName: string, batchSize: number, concurrency: number) {
  return queueUrl ? { queueUrl, functionName, batchSize, concurrency } : undefined;
}

/** The dead letters of a queue that is named as ours are lie beside it; of others nobody told us. */
function beside(queueUrl: string | undefined, name: string, deadLetters: string): string | undefined {
  return queueUrl?.endsWith(`/${name}`) ? queueUrl.slice(0, -name.length) + deadLetters : undefined;
}

/** What was set explicitly wins, except for how to reach a back end that the stack itself has started. */
function environmentOf(stack: Stack, given: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const set = Object.entries(given).flatMap(([name, value]) => (value ? [[name, value] as const] : []));
  const explicit = Object.fromEntries(set);
  const { PUBLIC_URL_BASE = stack.env.PUBLIC_URL_BASE } = explicit;
  return {
    DB_POOL_MAX: POOL_SIZE,
    // Nothing is between the functions and the embedded PostgreSQL that could not stand names.
    ...(stack.pg ? { DB_PREPARE: 'true' } : {}),
    ...explicit,
    ...stack.env,
    ...(PUBLIC_URL_BASE === undefined ? {} : { PUBLIC_URL_BASE }),
  };
}

/** In the form of the service's own log, so that one reader reads both. */
function problemLine(what: string, error: unknown): string {
  const message = `Local event bridge: ${what} failed: ${error instanceof Error ? error.message : String(error)}`;
  return JSON.stringify({ level: 'warn', time: new Date().toISOString(), service: 'localstack', message });
}
