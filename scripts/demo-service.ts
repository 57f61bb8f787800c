/**
 * The service that the demo talks to: the one that runs already on this machine, or one of its own that it starts
 * on free ports with data of its own, and stops again.
 */
import { randomUUID } from 'node:crypto';
import { parseSecrets, sign } from '../lib/platform/signature.ts';
import { call } from '../test/support/http.ts';
import type { S3Address } from '../test/support/packager.ts';
import { startServiceProcess } from '../test/support/service.ts';
import { StreamServiceStandIn } from '../test/support/stream-service.ts';

export interface DemoService extends AsyncDisposable {
  readonly url: string;
  readonly s3: S3Address;
  readonly publicUrlBase: string;
  readonly streams: StreamServiceStandIn;
  /** True where it goes when the demo ends. */
  readonly ownProcess: boolean;
  /** What it has logged, where it is our own. */
  readonly log: readonly string[];
}

const HEALTH = { status: 'healthy', service: 'recording-service' };

/** @param say receives one line about which service it is */
export async function openService(dataDir: string, say: (text: string) => void): Promise<DemoService> {
  const streams = await StreamServiceStandIn.start();
  const url = `http://127.0.0.1:${process.env.PORT || '8083'}`;
  if (await isHealthy(url)) {
    say(`using the service that runs at ${url}`);
    streams.sendWebhooksTo({ serviceUrl: url, headersFor: signedHeaders });
    const scheme = process.env.MINIO_USE_SSL === 'true' ? 'https' : 'http';
    const endpoint = `${scheme}://${process.env.MINIO_ENDPOINT || `127.0.0.1:${process.env.S3_PORT || '9000'}`}`;
    return {
      url,
      s3: {
        endpoint,
        accessKeyId: process.env.MINIO_ACCESS_KEY || 'minioadmin',
        secretAccessKey: process.env.MINIO_SECRET_KEY || 'minioadmin123',
      },
      publicUrlBase: process.env.PUBLIC_URL_BASE || endpoint,
      streams,
      ownProcess: false,
      log: [],
      [Symbol.asyncDispose]: () => streams.close(),
    };
  }
  say('starting a service for this demo…');
  const service = await startServiceProcess({ dataDir, streams }).catch(async (error: unknown) => {
    await streams.close();
    throw error;
  });
  say(`it listens at ${service.url}`);
  const dispose = async () => {
    await service.stop();
    await streams.close();
  };
  return { ...service, ownProcess: true, [Symbol.asyncDispose]: dispose };
}

/** A service that wants signatures has told its secret to this shell too, or refuses what we send. */
function signedHeaders(body: string): Record<string, string> {
  const secrets = process.env.WEBHOOK_SECRET ? parseSecrets(process.env.WEBHOOK_SECRET) : null;
  return secrets ? { ...sign(secrets, `msg_${randomUUID()}`, Date.now(), body) } : {};
}

async function isHealthy(url: string): Promise<boolean> {
  const answer = await call(`${url}/health`, { timeoutMs: 2000 }).catch(() => undefined);
  return JSON.stringify(answer?.json) === JSON.stringify(HEALTH);
}
