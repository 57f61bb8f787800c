/**
 * Waiting for a condition with a deadline: the only way tests and the demo wait for the service.
 * A wait that fails says what it waited for, how long, and what it saw last.
 */
import { setTimeout as sleep } from 'node:timers/promises';

export interface WaitOptions {
  /** Give up after this long. */
  readonly withinMs: number;
  /** Pause between two looks. */
  readonly everyMs?: number;
  /** What a failed look saw, for the message of the deadline. */
  readonly lastSeen?: () => string;
}

/**
 * Calls `look` until it returns something other than undefined, null or false, and returns that.
 * An exception in `look` counts as "not yet": its message is part of the error at the deadline.
 */
export async function waitFor<T>(
  what: string,
  look: () => Promise<T | undefined | null | false> | T | undefined | null | false,
  options: WaitOptions,
): Promise<T> {
  const startedAt = performance.now();
  let problem: unknown;
  for (;;) {
    try {
      const seen = await look();
      if (seen !== undefined && seen !== null && seen !== false) return seen;
      problem = undefined;
    } catch (error) {
      problem = error;
    }
    const passedMs = performance.now() - startedAt;
    if (passedMs >= options.withinMs) throw deadline(what, passedMs, problem, options);
    await sleep(Math.min(options.everyMs ?? 50, Math.max(1, options.withinMs - passedMs)));
  }
}

/** Stores tell times in whole seconds: what is uploaded after this is later by the store's clock, too. */
export async function nextSecond(): Promise<void> {
  const second = Math.floor(Date.now() / 1000);
  await waitFor('the next second', () => Math.floor(Date.now() / 1000) > second, { withinMs: 5000 });
}

function deadline(what: string, passedMs: number, problem: unknown, options: WaitOptions): Error {
  const seen = options.lastSeen ? `; last seen: ${options.lastSeen()}` : '';
  const reason = problem === undefined ? '' : `; last error: ${String(problem)}`;
  return new Error(`Not within ${Math.round(passedMs)} ms: ${what}${seen}${reason}`, { cause: problem });
}
