/**
 * The bucket as the load's packagers write to it: signed requests over kept connections and nothing else, so that the load
 * itself takes as little of the machine as it can. Bodies are not signed, as over TLS; a real packager's SDK costs more.
 */
import { Agent, type IncomingMessage, request } from 'node:http';
import { encodePath } from '../../lib/platform/rfc3986.ts';
import type { PackagerStore, S3Address } from '../support/packager.ts';
import { signRequest } from './signature.ts';

const BUCKET = 'live-segments';
const ATTEMPTS = 3;

export interface LoadStore {
  /** The folder of one stream key. */
  folder(streamKey: string): PackagerStore;
  close(): void;
}

export function openLoadStore(address: S3Address): LoadStore {
  const { hostname, port } = new URL(address.endpoint);
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });

  async function call(method: 'PUT' | 'DELETE', key: string, body: Uint8Array, contentType?: string): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      const status = await callOnce(method, key, body, contentType).catch((error: unknown) => {
        // A connection that the server closed at the moment it was taken.
        if (attempt === ATTEMPTS) throw error;
        return 0;
      });
      if (status >= 200 && status < 300) return;
      if (attempt === ATTEMPTS) throw new Error(`${method} of ${key}: HTTP ${status}`);
    }
  }

  function callOnce(method: string, key: string, body: Uint8Array, contentType?: string): Promise<number> {
    const path = `/${BUCKET}/${encodePath(key)}`;
    const host = `${hostname}:${port}`;
    const headers = signRequest(
      {
        ...{ method, path },
        headers: { host, ...(contentType === undefined ? {} : { 'content-type': contentType }) },
      },
      address,
      'us-east-1',
      new Date(),
    );
    headers['content-length'] = String(body.length);
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const outgoing = request({ hostname, port, path, method, agent, headers }, (incoming: IncomingMessage) => {
      incoming.once('error', reject).once('end', () => resolve(incoming.statusCode ?? 0));
      incoming.resume();
    });
    outgoing.once('error', reject).end(body);
    return promise;
  }

  return {
    folder: (streamKey) => ({
      put: (name, body, contentType) =>
        call('PUT', `${streamKey}/${name}`, typeof body === 'string' ? Buffer.from(body) : body, contentType),
      remove: (name) => call('DELETE', `${streamKey}/${name}`, new Uint8Array()),
    }),
    close: () => agent.destroy(),
  };
}
