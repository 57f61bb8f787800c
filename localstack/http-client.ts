/** Calls to the functions' own HTTP endpoints on this machine. fetch would give up on an answer after five minutes. */
import { Agent, request } from 'node:http';
import { hasCode } from './errors.ts';

export interface Answer {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: string;
}

export class LocalHttpClient {
  readonly #agent = new Agent({ keepAlive: true });
  readonly #port: number;

  constructor(port: number) {
    this.#port = port;
  }

  post(path: string, body: string, signal?: AbortSignal): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
      const target = { host: '127.0.0.1', port: this.#port, path, method: 'POST', agent: this.#agent, headers };
      const outgoing = request({ ...target, ...(signal ? { signal } : {}) }, (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
        incoming.once('error', reject);
        incoming.once('end', () => {
          const text = Buffer.concat(chunks).toString('utf8');
          resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body: text });
        });
      });
      outgoing.once('error', (error) => {
        // The server closed an idle connection at the moment we took it: nothing has been received, so ask again.
        if (outgoing.reusedSocket && hasCode(error, 'ECONNRESET') && !signal?.aborted) {
          this.post(path, body, signal).then(resolve, reject);
        } else reject(error);
      });
      outgoing.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}
