/**
 * A real PostgreSQL in the simulated world: each statement, and each COMMIT, is one call that may be lost, answered too
 * late, or the last that its function makes. Owns that one statement runs at a time but for those that wait for a lock:
 * they are told by PostgreSQL's own list of locks, and the world goes on beside them.
 */
import { type Database, DatabaseUnavailable, type Queryable } from '../../../lib/platform/database.ts';
import type { Invocation } from './invocation.ts';
import type { Simulation } from './simulation.ts';

const failure = () => new DatabaseUnavailable('PostgreSQL is not available: the connection was lost');
/** A statement that has not answered by then may be waiting for a lock. */
const LOOK_AFTER_MS = 5;

/** A connection: one statement at a time. */
type Session = object;

/** Runs statements until they answer or wait for a lock that an open transaction holds. */
export class LockAwareRunner {
  readonly #monitor: Queryable;
  readonly #outstanding = new Map<Session, Promise<void>>();

  /** @param monitor a connection of its own */
  constructor(monitor: Queryable) {
    this.#monitor = monitor;
  }

  /** Resolves when the statement is done, or waits; and when every other one that waited is done, or waits on. */
  run(session: Session, statement: () => Promise<unknown>): Promise<void> {
    this.add(session, statement());
    return this.untilQuiet();
  }

  /** What a session does from now on. */
  add(session: Session, work: Promise<unknown>): void {
    const end = () => {
      if (this.#outstanding.get(session) === done) this.#outstanding.delete(session);
    };
    const done: Promise<void> = work.then(end, end);
    this.#outstanding.set(session, done);
  }

  async untilQuiet(): Promise<void> {
    while (this.#outstanding.size > 0) {
      const first = await Promise.race([
        Promise.race(this.#outstanding.values()).then(() => 'done' as const),
        new Promise<'late'>((resolve) => setTimeout(resolve, LOOK_AFTER_MS, 'late')),
      ]);
      if (first === 'late' && (await this.#countWaiting()) === this.#outstanding.size) return;
    }
  }

  async #countWaiting(): Promise<number> {
    const { rows } = await this.#monitor.query<{ waiting: number }>(
      'SELECT count(DISTINCT pid)::int AS waiting FROM pg_locks WHERE NOT granted',
    );
    return rows[0]?.waiting ?? 0;
  }
}

/** The database as one invocation has it: one connection, gone with it. */
export function simulateDatabase(
  real: Database,
  simulation: Simulation,
  invocation: Invocation,
  runner: LockAwareRunner,
): Database {
  const call = <Result>(session: Session, what: string, effect: () => Promise<Result>): Promise<Result> =>
    simulation.call<Result>(invocation, {
      target: 'database',
      what,
      failure,
      effect,
      run: (work) => runner.run(session, work),
    });
  const gate = (on: Queryable, session: Session): Queryable => ({
    query: (text, values) => call(session, labelOf(text), () => on.query(atSimulatedTime(text, simulation), values)),
  });
  return {
    query: (text, values) => invocation.exclusively(() => gate(real, {}).query(text, values)),
    transaction: (work) =>
      invocation.exclusively(() => {
        const session = {};
        return transaction(real, invocation, {
          work: (client) => work(gate(client, session)),
          commit: (effect) => call(session, 'COMMIT', effect),
          // Its rollback waits behind the statement that it was killed in.
          rollBack: (over) => runner.add(session, over),
        });
      }),
    end: async () => {},
  };
}

interface TransactionSteps<Result> {
  readonly work: (client: Queryable) => Promise<Result>;
  readonly commit: (effect: () => Promise<Result>) => Promise<Result>;
  readonly rollBack: (over: Promise<unknown>) => void;
}

/** BEGIN costs nothing here; COMMIT is a call of its own. A killed function's transaction is rolled back. */
async function transaction<Result>(
  real: Database,
  invocation: Invocation,
  steps: TransactionSteps<Result>,
): Promise<Result> {
  const worked = Promise.withResolvers<Result>();
  const decided = Promise.withResolvers<void>();
  decided.promise.catch(() => {});
  const over = real.transaction(async (client) => {
    const result = await Promise.race([steps.work(client), invocation.death]);
    worked.resolve(result);
    await Promise.race([decided.promise, invocation.death]);
    return result;
  });
  over.catch((error: unknown) => worked.reject(error));
  invocation.death.catch(() => steps.rollBack(over));
  await worked.promise.catch(async (error: unknown) => {
    if (invocation.killed) await new Promise(() => {});
    throw error;
  });
  try {
    return await steps.commit(() => {
      decided.resolve();
      return over;
    });
  } catch (error) {
    decided.reject(error);
    await over.catch(() => {});
    throw error;
  }
}

/** The database's clock is the world's. */
function atSimulatedTime(text: string, { nowMs }: Simulation): string {
  return text.replace('clock_timestamp()', `'${new Date(nowMs).toISOString()}'::timestamptz`);
}

/** The first words of a statement. */
function labelOf(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim().slice(0, 60);
}
