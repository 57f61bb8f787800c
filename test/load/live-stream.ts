/** One live stream of the load: its webhooks, its packager, and when it did what. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type PackagerStore, type SourceSegment, startPackager } from '../support/packager.ts';
import type { StreamServiceStandIn } from '../support/stream-service.ts';

export interface StreamLog {
  readonly streamId: string;
  readonly streamKey: string;
  /** When the upload of each segment was complete, by key. */
  readonly uploadedAtMs: Map<string, number>;
  uploadedBytes: number;
  readonly webhookMs: number[];
  readonly behindMs: number[];
  endedAtMs: number;
}

export interface StreamPlan {
  readonly segments: ReadonlyArray<SourceSegment & { readonly bytes: Uint8Array }>;
  readonly service: StreamServiceStandIn;
  /** The folder of a stream key in the bucket. */
  readonly storeOf: (streamKey: string) => PackagerStore;
  /** Streams do not start all in the same moment. */
  readonly startAfterMs: number;
}

/** Goes live, uploads in real time, ends. Resolves when the end was told. */
export async function liveStream(plan: StreamPlan): Promise<StreamLog> {
  const log: StreamLog = {
    streamId: randomUUID(),
    streamKey: `load-${randomUUID().slice(0, 13)}`,
    uploadedAtMs: new Map(),
    uploadedBytes: 0,
    webhookMs: [],
    behindMs: [],
    endedAtMs: 0,
  };
  await sleep(plan.startAfterMs);
  const { streamId, streamKey } = log;
  await timed(log.webhookMs, () => plan.service.startStream({ streamId, streamKey }));
  const startedAt = performance.now();
  const packager = startPackager({
    store: watched(plan.storeOf(streamKey), log),
    segments: plan.segments,
    speed: 1,
    playlist: { kind: 'window', segments: 6 },
    deleteBehind: 10,
    onStep: (step) => {
      if (step.kind !== 'segment') return;
      log.uploadedBytes += plan.segments[step.index]?.bytes.length ?? 0;
      log.behindMs.push(performance.now() - startedAt - step.atMs);
    },
  });
  await packager.done;
  log.endedAtMs = Date.now();
  await timed(log.webhookMs, () => plan.service.endStream(streamId));
  return log;
}

function watched(store: PackagerStore, log: StreamLog): PackagerStore {
  return {
    put: async (name, body, contentType) => {
      await store.put(name, body, contentType);
      if (name.endsWith('.ts')) log.uploadedAtMs.set(`${log.streamKey}/${name}`, Date.now());
    },
    remove: (name) => store.remove(name),
  };
}

async function timed(into: number[], work: () => Promise<unknown>): Promise<void> {
  const from = performance.now();
  await work();
  into.push(performance.now() - from);
}
