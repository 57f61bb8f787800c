/**
 * A gate in front of an S3 server: requests pass, until one of them is the moment that a test waits for. That one is held
 * before the server has it, or its answer is, so that a process can be killed exactly there.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Moment {
  readonly name: string;
  readonly matches: (method: string, url: string) => boolean;
  /** `before` the server has the request, or `after` it has done it. */
  readonly hold: 'before' | 'after';
}

export interface S3Gate {
  /** `127.0.0.1:9000` */
  readonly endpoint: string;
  /** Names of the moments at which a request is held. */
  readonly held: ReadonlySet<string>;
  /** Drops what is held, and holds nothing any more. */
  open(): void;
  close(): Promise<void>;
}

export async function startS3Gate(port: number, moments: readonly Moment[]): Promise<S3Gate> {
  const held = new Set<string>();
  const waiting = new Set<IncomingMessage>();
  let isOpen = false;
  const hold = (moment: Moment, incoming: IncomingMessage) => {
    held.add(moment.name);
    waiting.add(incoming);
  };
  const server = createServer((incoming, outgoing) => {
    const { method = '', url = '' } = incoming;
    const moment = isOpen ? undefined : moments.find((one) => one.matches(method, url));
    if (moment?.hold === 'before') return hold(moment, incoming);
    pass(incoming, outgoing, port, () => {
      if (!moment || isOpen) return true;
      hold(moment, incoming);
      return false;
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    endpoint: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    held,
    open: () => {
      isOpen = true;
      for (const incoming of waiting) incoming.socket.destroy();
      waiting.clear();
    },
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** The request as it came, host and all, since they are signed; `mayAnswer` is asked when the server has done it. */
function pass(incoming: IncomingMessage, outgoing: ServerResponse, port: number, mayAnswer: () => boolean): void {
  const { method, url, headers } = incoming;
  const onward = request({ host: '127.0.0.1', port, method, path: url, headers }, (answer) => {
    if (!mayAnswer()) return void answer.resume();
    outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(outgoing);
  });
  // Whoever is killed leaves requests behind.
  onward.on('error', () => outgoing.destroy());
  incoming.on('error', () => onward.destroy());
  incoming.pipe(onward);
}
