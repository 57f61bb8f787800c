/**
 * A deterministic world: a simulated clock, and invocations of functions whose every call of a back end is one event.
 * Owns when a call takes effect, which call meets a fault, and that nothing else of the program is running when the next
 * event comes. What the back ends do is theirs (backends.ts, simulated-database.ts).
 *
 *   invocation ── call ──► waits for its time ──► effect ──► answer ──► runs on until all it wants is calls again
 *                             │ kill-before          │ kill-after: the effect stays, the invocation is gone
 *                             └ fail-before          └ fail-after: the effect stays, the answer is an error
 */
import type { Clock } from '../../../lib/platform/clock.ts';
import { Invocation } from './invocation.ts';
import { Random } from './random.ts';

export type Target = 'database' | 'store' | 'queue' | 'media' | 'streams';

/** `freeze`: the whole host stands still for a while and then goes on as if nothing had happened. */
export type FaultKind = 'kill-before' | 'kill-after' | 'fail-before' | 'fail-after' | 'slow' | 'freeze';

/** What happens to the call with this number, counted over the whole schedule. */
export interface Fault {
  readonly call: number;
  readonly kind: FaultKind;
}

/** One call of a back end. */
export interface CallSpec<Result> {
  readonly target: Target;
  readonly what: string;
  readonly effect: () => Promise<Result>;
  /** The error that a failure of this call is. */
  readonly failure: () => Error;
  /** The caller gives up after this long; a slow call then fails without an effect. */
  readonly timeoutMs?: number;
  /** Usual latency, least and most. */
  readonly takesMs?: readonly [number, number];
  /** Runs the effect, and resolves when the world may go on, which may be before it is done. */
  readonly run?: (effect: () => Promise<unknown>) => Promise<void>;
}

interface FreshCall {
  readonly invocation: Invocation;
  readonly spec: CallSpec<unknown>;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

interface TimedEvent {
  at: number;
  readonly order: number;
  readonly invocation: Invocation | null;
  readonly run: () => Promise<void> | void;
}

export interface SimulationOptions {
  readonly startMs: number;
  readonly seed: number;
  readonly faults: readonly Fault[];
  /** True where a back end is down at a time. */
  readonly isDown: (target: Target, nowMs: number) => boolean;
  /** From then on no call meets a fault. */
  readonly faultsUntilMs: number;
  /** A function failed. */
  readonly onThrow: (name: string, error: unknown) => void;
  /** Resolves when no back end is at work for a function that is gone. */
  readonly untilQuiet: () => Promise<void>;
  /** Told of each step, for the story of a schedule that fails. */
  readonly tell?: (line: string) => void;
}

const FREEZE_MS = 50_000;
const SLOW_MS = 20_000;
/** Real time in which a program that is busy must come to its next call. */
const BUSY_LIMIT_MS = 20_000;

export class Simulation {
  readonly random: Random;
  readonly #options: SimulationOptions;
  readonly #faults: ReadonlyMap<number, FaultKind>;
  readonly #invocations = new Set<Invocation>();
  #events: TimedEvent[] = [];
  #fresh: FreshCall[] = [];
  #now: number;
  #calls = 0;
  #order = 0;
  #started = 0;

  constructor(options: SimulationOptions) {
    this.#options = options;
    this.#now = options.startMs;
    this.random = new Random(options.seed);
    this.#faults = new Map(options.faults.map((fault) => [fault.call, fault.kind]));
  }

  /** The world's own time; hosts have theirs. */
  get nowMs(): number {
    return this.#now;
  }

  /** How many calls there were. */
  get calls(): number {
    return this.#calls;
  }

  /** Invocations that are neither over nor killed. */
  get running(): readonly string[] {
    return [...this.#invocations].map((one) => one.name);
  }

  tell(line: string): void {
    this.#options.tell?.(`${((this.#now - this.#options.startMs) / 1000).toFixed(3).padStart(9)} s  ${line}`);
  }

  /** Something happens in the world at a time. */
  at(atMs: number, run: () => Promise<void> | void): void {
    this.#schedule(Math.max(atMs, this.#now), null, run);
  }

  /**
   * Runs one function. Resolves with how it ended; a killed one never runs on.
   * @param skewMs its host's clock less the world's
   */
  invoke(
    name: string,
    skewMs: number,
    limitMs: number,
    work: (invocation: Invocation) => Promise<unknown>,
  ): Promise<'done' | 'failed' | 'killed'> {
    this.#started += 1;
    const invocation = new Invocation(this.#started, name, skewMs, this.#now + limitMs);
    this.#invocations.add(invocation);
    this.#schedule(invocation.endsAtMs, null, () => this.#kill(invocation, 'its time is over'));
    return new Promise((resolve) => {
      const end = (how: 'done' | 'failed' | 'killed') => {
        this.#invocations.delete(invocation);
        invocation.ended = true;
        resolve(how);
      };
      invocation.death.catch(() => end('killed'));
      work(invocation).then(
        () => end('done'),
        (error: unknown) => {
          this.tell(`${invocation.name}: threw ${String(error)}`);
          this.#options.onThrow(invocation.name, error);
          end('failed');
        },
      );
    });
  }

  /** The clock of an invocation's host. */
  clockOf(invocation: Invocation): Clock {
    return {
      now: () => this.#now + invocation.skewMs,
      sleep: (ms, signal) =>
        new Promise((resolve) => {
          if (invocation.killed) return;
          if (signal?.aborted || ms <= 0) return resolve();
          signal?.addEventListener('abort', () => resolve(), { once: true });
          this.#schedule(this.#now + ms, invocation, () => resolve());
        }),
    };
  }

  /** One call of a back end, from within an invocation. */
  call<Result>(invocation: Invocation, spec: CallSpec<Result>): Promise<Result> {
    return new Promise<Result>((resolve, reject) => {
      if (invocation.killed) return;
      invocation.calls += 1;
      // The result goes back to the caller that made the effect: its type is that of the effect.
      this.#fresh.push({ invocation, spec, resolve: resolve as (result: unknown) => void, reject });
    });
  }

  /** Lets time pass. */
  async runUntil(untilMs: number): Promise<void> {
    await this.#settle();
    for (let next = this.#events[0]; next && next.at <= untilMs; next = this.#events[0]) {
      this.#events.shift();
      this.#now = Math.max(this.#now, next.at);
      if (next.invocation === null || this.#isAwake(next, next.invocation)) await next.run();
      await this.#settle();
    }
    this.#now = Math.max(this.#now, untilMs);
  }

  /** False for an event of a host that is gone, or stands still: then it comes when that goes on. */
  #isAwake(event: TimedEvent, invocation: Invocation): boolean {
    if (invocation.killed) return false;
    if (invocation.frozenUntilMs <= this.#now) return true;
    this.#schedule(invocation.frozenUntilMs, invocation, event.run);
    return false;
  }

  #schedule(at: number, invocation: Invocation | null, run: () => Promise<void> | void): void {
    this.#order += 1;
    const event: TimedEvent = { at, order: this.#order, invocation, run };
    let low = 0;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#events[middle]?.at ?? 0) <= at) low = middle + 1;
      else high = middle;
    }
    this.#events.splice(low, 0, event);
  }

  #kill(invocation: Invocation, why: string): void {
    if (invocation.killed || invocation.ended) return;
    this.tell(`${invocation.name}: KILLED, ${why}`);
    invocation.kill();
  }

  /** Until every invocation waits for a call or a time, and no file is being read or written. */
  async #settle(): Promise<void> {
    const startedAt = performance.now();
    for (let quiet = false; !quiet; ) {
      await new Promise((resolve) => setImmediate(resolve));
      await this.#options.untilQuiet();
      const busy =
        process.getActiveResourcesInfo().some((kind) => /^(FSReq|FileHandle.*Req)/.test(kind)) ||
        [...this.#invocations].some((one) => one.isBusy);
      quiet = !busy;
      if (busy && performance.now() - startedAt > BUSY_LIMIT_MS) {
        const names = [...this.#invocations].filter((one) => one.isBusy).map((one) => one.name);
        throw new Error(`Waits for something that is no call of a back end: ${names.join(', ')}`);
      }
    }
    this.#admit();
  }

  /** Gives the new calls their time, in an order that does not depend on how they came. */
  #admit(): void {
    const fresh = this.#fresh.toSorted(
      (a, b) => a.invocation.number - b.invocation.number || compare(a.spec.what, b.spec.what),
    );
    this.#fresh = [];
    for (const call of fresh) {
      const number = this.#calls;
      this.#calls += 1;
      const [least, most] = call.spec.takesMs ?? [1, 5];
      const latency = this.random.between(least, most);
      const fault = this.#now < this.#options.faultsUntilMs ? this.#faults.get(number) : undefined;
      const after = fault === 'slow' ? SLOW_MS + latency : latency;
      this.#schedule(this.#now + Math.min(after, call.spec.timeoutMs ?? after), call.invocation, () =>
        this.#carryOut(call, number, after > (call.spec.timeoutMs ?? after) ? 'timeout' : fault),
      );
    }
  }

  async #carryOut(
    { invocation, spec, resolve, reject }: FreshCall,
    number: number,
    fault: FaultKind | 'timeout' | undefined,
  ): Promise<void> {
    const down = this.#options.isDown(spec.target, this.#now);
    this.tell(
      `#${number} ${invocation.name}: ${spec.target} ${spec.what}${down ? ' DOWN' : ''}${fault ? ` ${fault.toUpperCase()}` : ''}`,
    );
    if (fault === 'kill-before') return this.#kill(invocation, `before call ${number}`);
    const answer = (give: () => void) => {
      invocation.calls -= 1;
      give();
    };
    if (down || fault === 'fail-before' || fault === 'timeout') return answer(() => reject(spec.failure()));
    if (fault === 'freeze') invocation.frozenUntilMs = this.#now + FREEZE_MS;
    const finish = (give: () => void) => {
      if (fault === 'kill-after') this.#kill(invocation, `after call ${number}`);
      else if (fault === 'fail-after') answer(() => reject(spec.failure()));
      else if (fault === 'freeze') this.#schedule(invocation.frozenUntilMs, invocation, () => answer(give));
      else answer(give);
    };
    const work = () =>
      spec.effect().then(
        (result) => finish(() => resolve(result)),
        (error: unknown) => finish(() => reject(error)),
      );
    await (spec.run ?? ((effect) => effect()))(work);
  }
}

function compare(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}
