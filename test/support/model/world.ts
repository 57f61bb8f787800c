/**
 * The service in the simulated world: its functions' entry points on simulated hosts, the packager and the Stream
 * Service around them. Owns who is invoked when; what follows is the real code's.
 */
import { createContext } from '../../../lib/composition.ts';
import { FfmpegMissing } from '../../../lib/ffmpeg/errors.ts';
import { ServiceError } from '../../../lib/platform/errors.ts';
import { advanceRecording } from '../../../lib/recordings/advance.ts';
import { captureNotified } from '../../../lib/recordings/capture-notified.ts';
import type { RecordingContext } from '../../../lib/recordings/context.ts';
import type { MediaEngine } from '../../../lib/recordings/media-engine.ts';
import { tick } from '../../../lib/recordings/monitor.ts';
import { recordStreamEvent } from '../../../lib/recordings/record-stream-event.ts';
import { retryRecording } from '../../../lib/recordings/remake.ts';
import { sweepRecording } from '../../../lib/recordings/sweep.ts';
import type { StreamState } from '../../../lib/services/stream-service.ts';
import { createVodService } from '../../../lib/services/vod-service.ts';
import { simulateMedia, simulateStore, simulateStreamService } from './backends.ts';
import type { Bench } from './bench.ts';
import type { Invocation } from './invocation.ts';
import { MemoryStore, type StoredObject } from './memory-store.ts';
import type { Host, Schedule } from './schedule.ts';
import { type MakeSegment, type Script, type ScriptEvent, START_MS, STREAM_KEY, writeScript } from './script.ts';
import { LockAwareRunner, simulateDatabase } from './simulated-database.ts';
import { SimulatedQueues } from './simulated-queues.ts';
import { Simulation } from './simulation.ts';

/** As in serverless.yml. */
const LIMIT_MS = { webhook: 10_000, segments: 120_000, finalizer: 900_000, poller: 70_000 } as const;
export const LIVE_BUCKET = 'live-segments';
export const BUCKET = 'recordings';

/** A file as it was written to its key. */
export interface WrittenFile {
  readonly key: string;
  readonly bytes: Uint8Array;
  readonly atMs: number;
}

/** What the segments are made of, what joins them, and who looks at the result. */
export interface Footage {
  readonly media: MediaEngine;
  readonly ffmpegPath: string;
  /** Of a usual segment: parts are counted in segments. */
  readonly segmentBytes: number;
  readonly make: MakeSegment;
  readonly judge: (world: World, bench: Bench, phase: 'finished' | 'cleaned') => Promise<string[]>;
}

export class World {
  readonly schedule: Schedule;
  readonly script: Script;
  readonly simulation: Simulation;
  readonly store: MemoryStore;
  readonly files: WrittenFile[] = [];
  /** Errors of functions that are none of the service's own: no fault explains them. */
  readonly surprises: string[] = [];
  /** When the service was told of a broadcast: a webhook came through, or it asked while the broadcast was live. */
  readonly startsHeard = new Map<number, number>();
  readonly endsHeard = new Map<number, number>();
  readonly #bench: Bench;
  readonly #footage: Footage;
  readonly #queues: SimulatedQueues;
  readonly #runner: LockAwareRunner;
  readonly #config: RecordingContext['config'];
  #ids = 0;

  constructor(bench: Bench, schedule: Schedule, footage: Footage, tell?: (line: string) => void) {
    this.schedule = schedule;
    this.script = writeScript(schedule, footage.make);
    this.#bench = bench;
    this.#footage = footage;
    this.#config = bench.configFor(schedule.settings, schedule.settings.partSegments * footage.segmentBytes);
    this.#runner = new LockAwareRunner(bench.monitor);
    this.simulation = new Simulation({
      startMs: START_MS,
      seed: schedule.seed,
      faults: schedule.faults,
      faultsUntilMs: this.script.lastMs,
      untilQuiet: () => this.#runner.untilQuiet(),
      onThrow: (name, error) => {
        if (!(error instanceof ServiceError)) this.surprises.push(`${name} threw ${String(error)}`);
      },
      isDown: (target, nowMs) =>
        schedule.outages.some(
          (one) => one.target === target && nowMs >= START_MS + one.fromMs && nowMs < START_MS + one.fromMs + one.forMs,
        ),
      ...(tell ? { tell } : {}),
    });
    this.store = new MemoryStore({
      buckets: [LIVE_BUCKET, BUCKET],
      now: () => this.#hostNow('store'),
      minPartBytes: 1,
      onWrite: (bucket, object) => this.#noteWrite(bucket, object),
    });
    this.#queues = new SimulatedQueues(
      this.simulation,
      {
        segments: (message) =>
          this.#invoke('segments', 'segments', (context) => {
            if (message.type === 'notification') return captureNotified(context, [message.key]);
            if (message.type === 'sweep') return sweepRecording(context, message.recordingId);
            return context.queues.requestAdvance(message.recordingId, message.reason);
          }),
        finalizer: (recordingId) =>
          this.#invoke('finalizer', 'finalizer', (context, invocation) =>
            advanceRecording(context, recordingId, () => invocation.endsAtMs - this.simulation.nowMs),
          ),
      },
      schedule.settings.doubled,
    );
    for (const event of this.script.events) this.simulation.at(event.atMs, () => this.#happen(event));
    for (const at of schedule.sweepsMs) this.simulation.at(START_MS + at, () => this.#abortUploads());
  }

  /** One round of the monitor. */
  tickAt(atMs: number): void {
    this.simulation.at(atMs, () => {
      void this.#invoke('tick', 'poller', tick);
    });
  }

  retry(recordingId: string): Promise<'done' | 'failed' | 'killed'> {
    return this.#invoke('retry', 'webhook', (context) => retryRecording(context, recordingId));
  }

  /** What the database has noted of the events is what was heard: one that it did not take is lost all the same. */
  async noteHeard(): Promise<void> {
    const { rows } = await this.#bench.db.query<{
      streamId: string;
      event: string;
      occurredAt: Date;
      receivedAt: Date;
    }>(
      `SELECT stream_id AS "streamId", event, occurred_at AS "occurredAt", min(received_at) AS "receivedAt"
         FROM stream_events GROUP BY 1, 2, 3`,
    );
    for (const [number, one] of this.script.broadcasts.entries()) {
      for (const [event, atMs, heard] of [
        ['stream.started', one.startMs, this.startsHeard],
        ['stream.ended', one.endMs, this.endsHeard],
      ] as const) {
        const told = this.#toldMs(atMs);
        const row = rows.find(
          (noted) => noted.streamId === one.streamId && noted.event === event && noted.occurredAt.getTime() === told,
        );
        if (!row) heard.delete(number);
        // On the database's clock, which is the world's.
        else heard.set(number, Math.max(heard.get(number) ?? 0, row.receivedAt.getTime()));
      }
    }
  }

  #hostNow(host: Host): number {
    return this.simulation.nowMs + this.schedule.skewMs[host];
  }

  async #happen(event: ScriptEvent): Promise<void> {
    if (event.kind === 'upload') {
      this.simulation.tell(`packager uploads ${event.key} (${event.bytes.length} bytes)`);
      await this.store.put(LIVE_BUCKET, event.key, event.bytes);
    } else if (event.kind === 'delete') {
      this.simulation.tell(`packager deletes ${event.key}`);
      await this.store.remove(LIVE_BUCKET, [event.key]);
    } else if (event.kind === 'notify') this.#queues.send({ type: 'notification', key: event.key });
    else void this.#webhook(event);
  }

  async #webhook({ event, broadcast }: Extract<ScriptEvent, { kind: 'webhook' }>): Promise<void> {
    const told = this.script.broadcasts[broadcast];
    if (!told) return;
    const occurredMs = event === 'stream.started' ? told.startMs : told.endMs;
    const outcome = await this.#invoke(event, 'webhook', (context) =>
      recordStreamEvent(context, {
        event,
        streamId: told.streamId,
        streamKey: STREAM_KEY,
        userId: null,
        occurredAt: new Date(this.#toldMs(occurredMs)),
        source: 'webhook',
      }),
    );
    // One that died may have told: then it is heard, and otherwise nothing is lost by taking it for heard.
    if (outcome !== 'done') return;
    const heard = event === 'stream.started' ? this.startsHeard : this.endsHeard;
    if (!heard.has(broadcast)) heard.set(broadcast, this.simulation.nowMs);
  }

  /** Times of the Stream Service are its own, to the second. */
  #toldMs(atMs: number): number {
    return Math.floor((atMs + this.schedule.skewMs.streams) / 1000) * 1000;
  }

  #stateOf(streamId: string): StreamState | null {
    const now = this.simulation.nowMs;
    const last = this.script.broadcasts.findLast((one) => one.streamId === streamId && one.startMs <= now);
    if (!last) return null;
    return {
      streamId,
      streamKey: STREAM_KEY,
      userId: null,
      live: now < last.endMs,
      startedAt: new Date(this.#toldMs(last.startMs)),
      endedAt: now < last.endMs ? null : new Date(this.#toldMs(last.endMs)),
    };
  }

  #liveStreams(): StreamState[] {
    const now = this.simulation.nowMs;
    for (const [number, one] of this.script.broadcasts.entries()) {
      if (one.startMs <= now && now < one.endMs && !this.startsHeard.has(number)) this.startsHeard.set(number, now);
    }
    const ids = new Set(this.script.broadcasts.map((one) => one.streamId));
    return [...ids].flatMap((id) => this.#stateOf(id) ?? []).filter((state) => state.live);
  }

  async #abortUploads(): Promise<void> {
    for (const { key, uploadId } of await this.store.listUploads(BUCKET)) {
      this.simulation.tell(`the store aborts ${uploadId}`);
      await this.store.abortUpload(BUCKET, key, uploadId);
    }
  }

  #noteWrite(bucket: string, { key, bytes }: StoredObject): void {
    if (bucket === BUCKET && !key.startsWith('.')) this.files.push({ key, bytes, atMs: this.simulation.nowMs });
  }

  #invoke(
    name: string,
    host: keyof typeof LIMIT_MS,
    work: (context: RecordingContext, invocation: Invocation) => Promise<unknown>,
  ): Promise<'done' | 'failed' | 'killed'> {
    return this.simulation.invoke(name, this.schedule.skewMs[host], LIMIT_MS[host], (invocation) =>
      work(this.#contextFor(invocation, host), invocation),
    );
  }

  #contextFor(invocation: Invocation, host: Host): RecordingContext {
    const { simulation, store } = this;
    const bench = this.#bench;
    return createContext(this.#config, {
      clock: simulation.clockOf(invocation),
      logger: bench.logger,
      db: simulateDatabase(bench.db, simulation, invocation, this.#runner),
      store: simulateStore(store, simulation, invocation, () => this.#hostNow('store')),
      queues: this.#queues.sendersOf(invocation),
      streams: simulateStreamService(
        () => this.#liveStreams(),
        (streamId) => this.#stateOf(streamId),
        simulation,
        invocation,
      ),
      vod: createVodService(this.#config.VOD_SERVICE_URL, this.#config.VOD_SERVICE_TIMEOUT),
      outbound: [],
      links: { linkTo: () => Promise.reject(new Error('nobody downloads here')) },
      newId: () => {
        this.#ids += 1;
        return `00000000-0000-4000-8000-${String(this.#ids).padStart(12, '0')}`;
      },
      // The monitor wants it for pictures alone.
      ffmpeg: async () => {
        if (host !== 'finalizer') throw new FfmpegMissing([]);
        return { path: this.#footage.ffmpegPath, version: 'simulated', source: 'simulation' };
      },
      media: simulateMedia(this.#footage.media, simulation, invocation),
    });
  }
}
