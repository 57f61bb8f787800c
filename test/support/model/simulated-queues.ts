/**
 * Both queues on the simulated clock, as SQS has them: the standard one delivers at least once, in any order; the FIFO
 * one works on one message of a group at a time and drops equal deduplication ids for five minutes. A message whose
 * function failed or died comes back after the visibility timeout, five times at most.
 */
import type { Queues } from '../../../lib/services/queues.ts';
import type { Invocation } from './invocation.ts';
import type { Simulation } from './simulation.ts';

export type SegmentsMessage =
  | { readonly type: 'notification'; readonly key: string }
  | { readonly type: 'sweep'; readonly recordingId: string }
  | { readonly type: 'advance'; readonly recordingId: string; readonly reason: string };

type Outcome = 'done' | 'failed' | 'killed';

export interface Consumers {
  segments(message: SegmentsMessage): Promise<Outcome>;
  finalizer(recordingId: string): Promise<Outcome>;
}

/** As in serverless.yml. */
const SEGMENTS_VISIBILITY_MS = 720_000;
const JOBS_VISIBILITY_MS = 5_400_000;
const MOST_RECEIVES = 5;
const DEDUPLICATION_MS = 300_000;

interface Job {
  readonly recordingId: string;
  receives: number;
}

export class SimulatedQueues {
  readonly #simulation: Simulation;
  readonly #consumers: Consumers;
  readonly #doubled: boolean;
  readonly #groups = new Map<string, { waiting: Job[]; busy: boolean }>();
  readonly #seen = new Map<string, number>();

  constructor(simulation: Simulation, consumers: Consumers, doubled: boolean) {
    this.#simulation = simulation;
    this.#consumers = consumers;
    this.#doubled = doubled;
  }

  send(message: SegmentsMessage, delayMs = 0): void {
    this.#deliver(message, delayMs, 1);
    if (this.#doubled) this.#deliver(message, delayMs + this.#simulation.random.between(500, 20_000), 1);
  }

  /** The senders of one invocation; a call that fails is logged by the real ones and no error. */
  sendersOf(invocation: Invocation): Queues {
    const call = async (what: string, send: () => void) => {
      const failure = () => new Error('the queue does not answer');
      const effect = async () => send();
      await this.#simulation.call(invocation, { target: 'queue', what, effect, failure }).catch(() => {});
    };
    return {
      requestSweep: (recordingId, delaySeconds = 0) =>
        call(`sweep ${recordingId}`, () =>
          this.send({ type: 'sweep', recordingId }, Math.min(900, Math.ceil(delaySeconds)) * 1000),
        ),
      requestAdvance: (recordingId, reason, delaySeconds = 0, group = recordingId) =>
        call(`advance ${recordingId} ${reason} +${delaySeconds}`, () => {
          const delayMs = Math.min(900, Math.ceil(delaySeconds)) * 1000;
          if (delayMs > 0) this.send({ type: 'advance', recordingId, reason }, delayMs);
          else this.#sendJob(recordingId, group, `${recordingId}:${reason}`);
        }),
    };
  }

  #deliver(message: SegmentsMessage, delayMs: number, receives: number): void {
    const { nowMs, random } = this.#simulation;
    this.#simulation.at(nowMs + delayMs + random.between(10, 300), () => {
      void this.#consumers.segments(message).then((outcome) => {
        if (outcome !== 'done' && receives < MOST_RECEIVES)
          this.#deliver(message, SEGMENTS_VISIBILITY_MS, receives + 1);
      });
    });
  }

  #sendJob(recordingId: string, group: string, id: string): void {
    const { nowMs } = this.#simulation;
    const seen = this.#seen.get(id);
    if (seen !== undefined && nowMs - seen < DEDUPLICATION_MS) return;
    this.#seen.set(id, nowMs);
    const state = this.#groups.get(group) ?? { waiting: [], busy: false };
    this.#groups.set(group, state);
    state.waiting.push({ recordingId, receives: 0 });
    this.#next(group);
  }

  #next(group: string): void {
    const state = this.#groups.get(group);
    const job = state?.waiting[0];
    if (!state || !job || state.busy) return;
    state.busy = true;
    const { nowMs, random } = this.#simulation;
    this.#simulation.at(nowMs + random.between(10, 200), () => {
      job.receives += 1;
      void this.#consumers.finalizer(job.recordingId).then((outcome) => {
        const isOver = outcome === 'done' || job.receives >= MOST_RECEIVES;
        if (isOver) state.waiting.shift();
        const again = () => {
          state.busy = false;
          this.#next(group);
        };
        if (isOver) again();
        else this.#simulation.at(this.#simulation.nowMs + JOBS_VISIBILITY_MS, again);
      });
    });
  }
}
