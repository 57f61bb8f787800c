/**
 * A plugin of osls for stage `local`: puts right what serverless-offline does otherwise than API Gateway, tells the
 * process that started it when it listens, and ends with it.
 *
 * - serverless-offline allows every web page to read every answer, with credentials (Access-Control-Allow-Origin is
 *   whatever the Origin was). Who may read is the service's own decision: the Origin is hidden from it.
 * - of a header that is repeated it keeps one, by chance of its letters: all are joined, the last hop of a proxy is the last.
 * - it calls a body without a type JSON, which pages of other origins may not send unasked: it stays what it is, bytes.
 * - errors that never reach a function get the service's form, `{"error": …}`.
 * - the port for invocations stays on loopback, wherever the service listens: it asks nobody who they are.
 */
import { type AddressInfo, Server as NetServer } from 'node:net';

interface HapiRequest {
  readonly headers: Record<string, string | undefined>;
  readonly raw: { readonly req: { readonly rawHeaders: string[] } };
  readonly response: {
    readonly isBoom?: boolean;
    readonly output?: { readonly statusCode: number; payload: unknown };
  };
}

interface HapiServer {
  readonly listener: NetServer;
  ext(point: string, method: (request: HapiRequest, toolkit: { readonly continue: symbol }) => symbol): void;
}

interface OfflinePlugin {
  internals(): { getApiGatewayServer(): HapiServer };
}

interface Serverless {
  readonly pluginManager: { readonly plugins: readonly object[] };
  readonly service: { readonly custom: Record<string, Record<string, unknown>> };
}

/** What the parent process tells, when its back ends are there: the variables of the functions. */
export interface OfflineEnvironment {
  readonly type: 'environment';
  readonly environment: Readonly<Record<string, string>>;
}

/** What the parent process is told. */
export interface OfflineReady {
  readonly type: 'ready';
  readonly httpPort: number;
}

export default class LocalStackPlugin {
  readonly hooks: Record<string, () => void | Promise<void>>;

  constructor(serverless: Serverless) {
    // osls needs seconds to get here, in which the back ends start: so their addresses come as a message.
    const given = process.send ? environmentFromParent() : {};
    this.hooks = {
      'before:offline:start:init': async () => {
        keepOnLoopback(Number(serverless.service.custom['serverless-offline']?.lambdaPort));
        Object.assign(process.env, await given);
      },
      'after:offline:start:init': () => {
        const offline = serverless.pluginManager.plugins.find((plugin) => 'internals' in plugin) as OfflinePlugin;
        const server = offline.internals().getApiGatewayServer();
        correctAnswers(server);
        const ready: OfflineReady = { type: 'ready', httpPort: (server.listener.address() as AddressInfo).port };
        process.send?.(ready);
      },
    };
    // The parent was killed: nobody will send SIGTERM any more. The group takes ffmpeg along.
    process.once('disconnect', () => process.kill(-process.pid, 'SIGKILL'));
  }
}

function environmentFromParent(): Promise<Readonly<Record<string, string>>> {
  return new Promise((resolve) => {
    process.once('message', (message: OfflineEnvironment) => resolve(message.environment));
  });
}

function correctAnswers(server: HapiServer): void {
  server.ext('onRequest', (request, toolkit) => {
    // The event of the function is made from the raw headers, which keep it.
    delete request.headers.origin;
    const { rawHeaders } = request.raw.req;
    if (!request.headers['content-type']) rawHeaders.push('content-type', 'application/octet-stream');
    rawHeaders.splice(0, rawHeaders.length, ...joined(rawHeaders));
    return toolkit.continue;
  });
  server.ext('onPreResponse', ({ response }, toolkit) => {
    if (response.isBoom && response.output) {
      response.output.payload = { error: MESSAGES[response.output.statusCode] ?? 'Internal server error' };
    }
    return toolkit.continue;
  });
  // What is no HTTP at all never becomes a request.
  server.listener.prependListener(
    'clientError',
    (_error: Error, socket: NodeJS.WritableStream & { writable: boolean }) => {
      const body = JSON.stringify({ error: 'Bad request' });
      const head = `HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: application/json\r\n`;
      if (socket.writable) socket.end(`${head}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
    },
  );
}

/** Each name once, in small letters, with all of its values in order. */
function joined(rawHeaders: readonly string[]): string[] {
  const values = new Map<string, string>();
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]?.toLowerCase() ?? '';
    const before = values.get(name);
    const value = rawHeaders[at + 1] ?? '';
    values.set(name, before ? `${before},${value}` : value);
  }
  return [...values].flat();
}

const MESSAGES: Readonly<Record<number, string>> = {
  400: 'Bad request',
  404: 'Not found',
  405: 'Method not allowed',
  413: 'The body is too large',
  415: 'The content type is not supported',
};

/** serverless-offline has one host for both of its servers. */
function keepOnLoopback(port: number): void {
  const { listen } = NetServer.prototype;
  NetServer.prototype.listen = function patched(this: NetServer, ...args: unknown[]) {
    const [first] = args;
    const options =
      typeof first === 'object' && first !== null ? (first as { port?: number; host?: string }) : undefined;
    if (Number(options?.port ?? first) === port) {
      if (options) options.host = '127.0.0.1';
      else args[1] = '127.0.0.1';
    }
    return Reflect.apply(listen, this, args);
  };
}
