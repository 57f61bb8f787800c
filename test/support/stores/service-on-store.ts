/**
 * A whole service (functions, PostgreSQL, SQS, Stream Service stand-in) on a store that runs elsewhere. Nobody polls
 * unless asked for: what is captured was told of.
 */
import { type RunningService as OnStack, startService } from '../../../localstack/service.ts';
import { type Stack, startStack } from '../../../localstack/stack.ts';
import type { RunningService } from '../service.ts';
import { StreamServiceStandIn } from '../stream-service.ts';
import { ACCESS_KEY, SECRET_KEY, type StoreServer } from './store-server.ts';

export interface ServiceOnStore extends RunningService {
  /** Stops the functions, and starts them again on the same port. */
  pause(): Promise<void>;
  resume(): Promise<void>;
}

export interface ServiceOnStoreOptions {
  readonly port: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly poll?: boolean;
}

export async function startServiceOn(server: StoreServer, options: ServiceOnStoreOptions): Promise<ServiceOnStore> {
  const streams = await StreamServiceStandIn.start();
  const stack: Stack = await startStack({ environment: { MINIO_ENDPOINT: server.env.MINIO_ENDPOINT } });
  const log: string[] = [];
  const start = (): Promise<OnStack> =>
    startService(stack, {
      environment: { ...server.env, ...options.env, STREAM_SERVICE_URL: streams.url },
      port: options.port,
      poll: options.poll ?? false,
      log: (line) => log.push(line),
    });
  let running: OnStack | undefined = await start();
  const { url, gatewayUrl } = running;
  streams.sendWebhooksTo({ serviceUrl: url });
  const pause = async () => {
    await running?.stop();
    running = undefined;
  };
  return {
    url,
    gatewayUrl,
    s3: { endpoint: server.endpoint, accessKeyId: ACCESS_KEY, secretAccessKey: SECRET_KEY },
    publicUrlBase: server.endpoint,
    streams,
    log,
    pause,
    resume: async () => {
      running ??= await start();
    },
    stop: async () => {
      await pause();
      await stack.stop();
      await streams.close();
    },
  };
}
