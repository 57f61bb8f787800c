/** A receiver of webhooks that keeps what it got and answers as it is told, and a clock that a test moves. */
import type { Clock } from '../../lib/platform/clock.ts';
import { listen, readBody } from './http.ts';

export interface ReceivedWebhook {
  readonly headers: Record<string, string>;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into messages whose shape is what they test
  readonly json: any;
  readonly status: number;
}

export interface Receiver {
  readonly url: string;
  readonly received: ReceivedWebhook[];
  /** Decides each answer by the message; 200 until it is set. */
  answer: (message: { type: string; data: { recording: { id: string } } }) => number;
  /** Further headers of each answer. */
  headers: Record<string, string>;
  /** Of each answer. */
  body: string;
  close(): Promise<void>;
}

export async function startReceiver(): Promise<Receiver> {
  const received: ReceivedWebhook[] = [];
  const server = await listen(async (request, response) => {
    const text = await readBody(request);
    const json = JSON.parse(text);
    const status = receiver.answer(json);
    received.push({ headers: request.headers as Record<string, string>, text, json, status });
    response.writeHead(status, receiver.headers);
    response.end(receiver.body);
  });
  const receiver: Receiver = {
    url: `${server.url}/hooks/secret-path`,
    received,
    answer: () => 200,
    headers: {},
    body: '{}',
    close: () => server.close(),
  };
  return receiver;
}

export interface ManualClock extends Clock {
  advance(ms: number): void;
}

/** A clock that stands still until it is moved. */
export function manualClock(startMs = Date.parse('2025-10-05T18:00:00Z')): ManualClock {
  let now = startMs;
  return {
    now: () => now,
    sleep: async (ms) => {
      now += Math.max(0, ms);
    },
    advance: (ms) => {
      now += ms;
    },
  };
}
