/**
 * A stand-in for the Stream Service: the two reads that the recorder polls (docs/STREAM-SERVICE.md), the
 * webhooks it sends, and every way in which a real one misbehaves. It knows nothing of segments.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { listen, type RunningServer, sendJson } from './http.ts';
import { type StreamWebhook, sendWebhook, toSecond, type WebhookTarget } from './webhooks.ts';

export interface Stream {
  readonly stream_id: string;
  readonly stream_key: string;
  readonly user_id: string;
  readonly status: 'live' | 'ended';
  readonly started_at: string;
  readonly ended_at: string | null;
}

/** How the reads answer: `down` cuts the connection, `garbage` is 200 with a body that is not the contract's. */
export type FailMode = 'down' | 'error-500' | 'garbage' | { readonly slowMs: number };

/** What becomes of a webhook. `held` ones wait for `deliverHeld`, in the order of the test's choice. */
export type Delivery = 'once' | 'twice' | 'never' | 'held' | { readonly delayMs: number };

export interface StartStreamOptions {
  readonly streamKey?: string;
  readonly streamId?: string;
  readonly userId?: string;
  readonly startedAt?: Date;
  readonly webhook?: Delivery;
}

export interface SentWebhook {
  readonly webhook: StreamWebhook;
  /** HTTP status, or 0 where the recorder did not answer. */
  readonly status: number;
  readonly text: string;
}

const GARBAGE = ['<html><body>502 Bad Gateway</body></html>', '{"streams":', '{"streams":{"a":1}}', 'null', '[]'];

export class StreamServiceStandIn {
  readonly #streams = new Map<string, Stream>();
  readonly #held: StreamWebhook[] = [];
  readonly #delayed = new Set<Promise<unknown>>();
  readonly #stopping = new AbortController();
  #server: RunningServer | undefined;
  #target: WebhookTarget | undefined;
  #failMode: FailMode | undefined;
  #garbageServed = 0;

  /** Paths that were asked for, in order. */
  readonly reads: string[] = [];
  /** Webhooks that went out, with the recorder's answers. */
  readonly sent: SentWebhook[] = [];

  private constructor(target: WebhookTarget | undefined) {
    this.#target = target;
  }

  static async start(target?: WebhookTarget): Promise<StreamServiceStandIn> {
    const standIn = new StreamServiceStandIn(target);
    standIn.#server = await listen((request, response) => standIn.#answer(request, response));
    return standIn;
  }

  get url(): string {
    if (this.#server === undefined) throw new Error('The Stream Service stand-in is not running');
    return this.#server.url;
  }

  /** The recorder to send webhooks to; it is often started after this server, whose URL it needs. */
  sendWebhooksTo(target: WebhookTarget): void {
    this.#target = target;
  }

  /** How reads answer from now on; undefined makes it well again. */
  failWith(mode: FailMode | undefined): void {
    this.#failMode = mode;
  }

  async startStream(options: StartStreamOptions = {}): Promise<Stream> {
    const stream: Stream = {
      stream_id: options.streamId ?? randomUUID(),
      stream_key: options.streamKey ?? `key-${randomUUID().slice(0, 8)}`,
      user_id: options.userId ?? randomUUID(),
      status: 'live',
      started_at: toSecond(options.startedAt ?? new Date()),
      ended_at: null,
    };
    this.#streams.set(stream.stream_id, stream);
    await this.#deliver(webhookOf(stream), options.webhook ?? 'once');
    return stream;
  }

  async endStream(streamId: string, webhook: Delivery = 'once'): Promise<Stream> {
    const live = this.#streams.get(streamId);
    if (live === undefined) throw new Error(`There is no stream ${streamId}`);
    const ended: Stream = { ...live, status: 'ended', ended_at: toSecond(new Date()) };
    this.#streams.set(streamId, ended);
    await this.#deliver(webhookOf(ended), webhook);
    return ended;
  }

  /** The stream is unknown from now on, as after a restart of a service that keeps its streams in memory. */
  forget(streamId: string): void {
    this.#streams.delete(streamId);
  }

  /** Sends the held webhooks in the order that `arrange` gives them. */
  async deliverHeld(arrange: (held: StreamWebhook[]) => StreamWebhook[] = (held) => held): Promise<void> {
    for (const webhook of arrange(this.#held.splice(0))) await this.#send(webhook);
  }

  async close(): Promise<void> {
    this.#stopping.abort();
    await Promise.allSettled(this.#delayed);
    await this.#server?.close();
    this.#server = undefined;
  }

  async #deliver(webhook: StreamWebhook, delivery: Delivery): Promise<void> {
    if (delivery === 'never') return;
    if (delivery === 'held') {
      this.#held.push(webhook);
    } else if (delivery === 'once') {
      await this.#send(webhook);
    } else if (delivery === 'twice') {
      await Promise.all([this.#send(webhook), this.#send(webhook)]);
    } else {
      const later = sleep(delivery.delayMs, undefined, { signal: this.#stopping.signal }).then(() =>
        this.#send(webhook),
      );
      this.#delayed.add(later);
      later.catch(() => undefined).finally(() => this.#delayed.delete(later));
    }
  }

  async #send(webhook: StreamWebhook): Promise<void> {
    if (this.#target === undefined) return;
    try {
      const { status, text } = await sendWebhook(this.#target, webhook);
      this.sent.push({ webhook, status, text });
    } catch (error) {
      this.sent.push({ webhook, status: 0, text: String(error) });
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', this.url);
    this.reads.push(`${request.method ?? 'GET'} ${url.pathname}${url.search}`);
    const mode = this.#failMode;
    if (mode === 'down') {
      request.socket.destroy();
    } else if (mode === 'error-500') {
      sendJson(response, 500, { error: 'Internal server error' });
    } else if (mode === 'garbage') {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(GARBAGE[this.#garbageServed++ % GARBAGE.length]);
    } else {
      if (mode !== undefined) await sleep(mode.slowMs, undefined, { signal: this.#stopping.signal });
      this.#answerWell(url, response);
    }
  }

  #answerWell(url: URL, response: ServerResponse): void {
    const [area, id, ...rest] = url.pathname.split('/').filter((part) => part !== '');
    if (area !== 'streams' || rest.length > 0) {
      sendJson(response, 404, { error: 'Not found' });
    } else if (id === undefined) {
      const status = url.searchParams.get('status');
      const all = [...this.#streams.values()];
      sendJson(response, 200, { streams: all.filter((stream) => status === null || stream.status === status) });
    } else {
      const stream = this.#streams.get(decodeURIComponent(id));
      if (stream === undefined) sendJson(response, 404, { error: 'Stream not found' });
      else sendJson(response, 200, { stream });
    }
  }
}

function webhookOf(stream: Stream): StreamWebhook {
  return {
    event: stream.status === 'live' ? 'stream.started' : 'stream.ended',
    stream_id: stream.stream_id,
    stream_key: stream.stream_key,
    user_id: stream.user_id,
    timestamp: stream.ended_at ?? stream.started_at,
  };
}
