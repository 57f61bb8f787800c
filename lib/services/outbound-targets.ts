/**
 * Where events of recordings go: webhooks signed by Standard Webhooks, and an EventBridge bus. One attempt at a time;
 * which event, when and how often is decided in lib/recordings/outbox.ts.
 */
import { createHash } from 'node:crypto';
import type { Config } from '../platform/config.ts';
import { sign, type WebhookSecrets } from '../platform/signature.ts';
import { callOut } from './outbound-http.ts';

export interface OutboundEvent {
  readonly id: string;
  readonly type: string;
  readonly occurredAt: Date;
  /** The whole message as JSON. */
  readonly body: string;
}

/** `gone`: the receiver says that it wants no more of this (410). */
export type DeliveryResult =
  | { readonly kind: 'delivered' }
  | { readonly kind: 'failed'; readonly why: string; readonly retryAfterMs: number | null }
  | { readonly kind: 'gone'; readonly why: string };

export interface OutboundTarget {
  /** Stable while its configuration is; tells the host, not the path, which may hold a secret. */
  readonly name: string;
  deliver(event: OutboundEvent, nowMs: number): Promise<DeliveryResult>;
}

const MAX_RETRY_AFTER_MS = 3_600_000;

type OutboundConfig = Pick<
  Config,
  'OUTBOUND_WEBHOOK_URLS' | 'OUTBOUND_WEBHOOK_SECRET' | 'OUTBOUND_TIMEOUT' | 'EVENT_BUS_NAME' | 'AWS_REGION'
>;

/** All targets of the configuration. */
export function createOutboundTargets(config: OutboundConfig): OutboundTarget[] {
  const { OUTBOUND_WEBHOOK_SECRET: secrets = [], OUTBOUND_TIMEOUT: timeoutMs, EVENT_BUS_NAME: bus } = config;
  const webhooks = config.OUTBOUND_WEBHOOK_URLS.map((url) => webhookTarget(url, secrets, timeoutMs));
  return bus ? [...webhooks, eventBridgeTarget(bus, config.AWS_REGION, timeoutMs)] : webhooks;
}

/** A receiver of signed webhooks. Anything but a 2xx is a failure, a redirect too. */
function webhookTarget(url: string, secrets: WebhookSecrets, timeoutMs: number): OutboundTarget {
  const digest = createHash('sha256').update(url).digest('hex').slice(0, 8);
  return {
    name: `${new URL(url).origin}#${digest}`,
    async deliver(event, nowMs) {
      try {
        const reply = await callOut(url, {
          method: 'POST',
          headers: { 'content-type': 'application/json', ...sign(secrets, event.id, nowMs, event.body) },
          body: event.body,
          timeoutMs,
          maxAnswerBytes: null,
        });
        if (reply.status >= 200 && reply.status < 300) return { kind: 'delivered' };
        if (reply.status === 410) return { kind: 'gone', why: 'status 410' };
        return { kind: 'failed', why: `status ${reply.status}`, retryAfterMs: pauseOf(reply.retryAfter, nowMs) };
      } catch (error) {
        return { kind: 'failed', why: error instanceof Error ? error.message : String(error), retryAfterMs: null };
      }
    },
  };
}

/** `Retry-After` is seconds or a date (RFC 9110, 10.2.3); null where it asks for nothing. */
function pauseOf(retryAfter: string | null, nowMs: number): number | null {
  const seconds = Number(retryAfter ?? Number.NaN);
  const pauseMs = Number.isNaN(seconds) ? Date.parse(retryAfter ?? '') - nowMs : seconds * 1000;
  return pauseMs > 0 ? Math.min(pauseMs, MAX_RETRY_AFTER_MS) : null;
}

/** An EventBridge bus. The client is loaded with the first event: most services have no bus. */
export function eventBridgeTarget(bus: string, region: string, timeoutMs: number): OutboundTarget {
  const load = async () => {
    const { EventBridgeClient, PutEventsCommand } = await import('@aws-sdk/client-eventbridge');
    const requestHandler = { connectionTimeout: 2000, requestTimeout: timeoutMs, throwOnRequestTimeout: true };
    return { client: new EventBridgeClient({ region, maxAttempts: 2, requestHandler }), PutEventsCommand };
  };
  let loaded: ReturnType<typeof load> | undefined;
  return {
    name: `eventbridge:${bus}`,
    async deliver(event) {
      try {
        loaded ??= load();
        const { client, PutEventsCommand } = await loaded;
        const entry = {
          EventBusName: bus,
          Source: 'recording-service',
          DetailType: event.type,
          Detail: event.body,
          Time: event.occurredAt,
        };
        const { FailedEntryCount, Entries } = await client.send(new PutEventsCommand({ Entries: [entry] }));
        if (!FailedEntryCount) return { kind: 'delivered' };
        return { kind: 'failed', why: `EventBridge: ${Entries?.[0]?.ErrorCode ?? 'refused'}`, retryAfterMs: null };
      } catch (error) {
        const why = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
        return { kind: 'failed', why: `EventBridge: ${why}`, retryAfterMs: null };
      }
    },
  };
}
