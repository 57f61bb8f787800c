/**
 * The platform's gateway, as far as it concerns recordings: `/api/…` of one port is the service of another. It only
 * passes on public reads: the service trusts this machine's address, which everything behind a proxy comes from.
 */
import { Agent, createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { hasCode, PortTaken } from './errors.ts';

export interface GatewayOptions {
  readonly port: number;
  readonly host: string;
  /** Where the service listens. */
  readonly target: { readonly host: string; readonly port: number };
  /** Without a byte from the service for this long the answer is 504. */
  readonly timeoutMs?: number;
}

export interface RunningGateway {
  readonly port: number;
  stop(): Promise<void>;
}

const ROUTE = /^\/api\/recordings(\/|\?|$)/;
const METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);
const HOP_BY_HOP = ['connection', 'keep-alive', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'proxy-connection'];

/** @throws {PortTaken} */
export async function startGateway(options: GatewayOptions): Promise<RunningGateway> {
  const agent = new Agent({ keepAlive: true });
  const server = createServer((incoming, outgoing) => pass(incoming, outgoing, options, agent));
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => {
      reject(hasCode(cause, 'EADDRINUSE') ? new PortTaken(options.port, 'GATEWAY_PORT', { cause }) : cause);
    });
    server.listen(options.port, options.host, resolve);
  });
  const address = server.address();
  return {
    port: address && typeof address === 'object' ? address.port : 0,
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      agent.destroy();
      await closed;
    },
  };
}

function pass(incoming: IncomingMessage, outgoing: ServerResponse, options: GatewayOptions, agent: Agent): void {
  const { method = 'GET', url = '/' } = incoming;
  // A body of a read means nothing; unread it would block the connection.
  incoming.resume();
  if (!ROUTE.test(url)) refuse(outgoing, 404, 'Not found');
  else if (!METHODS.has(method)) refuse(outgoing, 405, 'Method not allowed');
  else forward(incoming, outgoing, options, agent);
}

function forward(incoming: IncomingMessage, outgoing: ServerResponse, options: GatewayOptions, agent: Agent): void {
  const { method, url } = incoming;
  const headers = { ...incoming.headers };
  for (const name of [...HOP_BY_HOP, 'content-length', 'expect']) delete headers[name];
  const upstream = httpRequest({ ...options.target, path: url, method, headers, agent }, (answer) => {
    const answerHeaders = { ...answer.headers };
    for (const name of HOP_BY_HOP) delete answerHeaders[name];
    outgoing.writeHead(answer.statusCode ?? 502, answerHeaders);
    answer.once('error', () => outgoing.destroy());
    answer.pipe(outgoing);
  });
  upstream.setTimeout(options.timeoutMs ?? 30_000, () => {
    refuse(outgoing, 504, 'The recording service did not answer in time');
    upstream.destroy();
  });
  upstream.once('error', (error) => {
    // The service closed an idle connection at the moment we took it; reads may be asked again.
    const wasIdle = upstream.reusedSocket && hasCode(error, 'ECONNRESET') && !outgoing.headersSent;
    if (wasIdle && !outgoing.destroyed) forward(incoming, outgoing, options, agent);
    else refuse(outgoing, 502, 'The recording service is not available');
  });
  // A reader who leaves ends the work that was done for it.
  outgoing.once('close', () => upstream.destroy());
  upstream.end();
}

function refuse(outgoing: ServerResponse, status: number, error: string): void {
  if (outgoing.headersSent) {
    outgoing.destroy();
    return;
  }
  const body = JSON.stringify({ error });
  outgoing.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  outgoing.end(body);
}
