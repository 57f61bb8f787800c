/**
 * The webhooks that the Stream Service sends to the recorder, as a sender sees them: the body and the
 * POST. Signing is left to the caller (`headersFor`), since a loopback sender needs none.
 */
import { call, type HttpAnswer } from './http.ts';

export interface StreamWebhook {
  readonly event: 'stream.started' | 'stream.ended';
  readonly stream_id: string;
  readonly stream_key: string;
  readonly user_id: string;
  /** RFC 3339 UTC to the second. */
  readonly timestamp: string;
}

export interface WebhookTarget {
  /** Base URL of the recorder. */
  readonly serviceUrl: string;
  /** Further headers for the exact body that is sent, e.g. a signature. */
  readonly headersFor?: (body: string) => Record<string, string>;
}

/** RFC 3339 UTC to the second, as every public time value. */
export function toSecond(time: Date): string {
  return `${time.toISOString().slice(0, 19)}Z`;
}

export function sendWebhook(target: WebhookTarget, webhook: StreamWebhook): Promise<HttpAnswer> {
  const body = JSON.stringify(webhook);
  return call(`${target.serviceUrl}/webhook/stream`, { body, headers: target.headersFor?.(body) ?? {} });
}
