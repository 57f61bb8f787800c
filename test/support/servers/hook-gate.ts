/** Between a streaming server and the recorder: passes hooks on, or is down; keeps what the server really sent. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { listen, type RunningServer, readBody } from '../http.ts';

export interface HookGate {
  /** `http://127.0.0.1:…`, in front of the recorder's paths. */
  readonly url: string;
  /** Bodies as they came, of hooks that were answered, refused or cut off alike. */
  readonly bodies: readonly string[];
  /** While it is down, connections are cut off: the recorder is not there. */
  isDown: boolean;
  close(): Promise<void>;
}

export async function openHookGate(recorderUrl: string): Promise<HookGate> {
  const bodies: string[] = [];
  const state = { isDown: false };
  const pass = async (request: IncomingMessage, response: ServerResponse) => {
    const body = await readBody(request);
    bodies.push(body);
    if (state.isDown) {
      request.socket.destroy();
      return;
    }
    const answer = await fetch(`${recorderUrl}${request.url}`, {
      method: request.method ?? 'POST',
      headers: { 'content-type': request.headers['content-type'] ?? '' },
      body,
    });
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' });
    response.end(await answer.text());
  };
  const server: RunningServer = await listen(pass);
  return {
    url: server.url,
    bodies,
    get isDown() {
      return state.isDown;
    },
    set isDown(down: boolean) {
      state.isDown = down;
    },
    close: () => server.close(),
  };
}
