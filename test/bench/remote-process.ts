/**
 * A child process whose functions are called over its IPC channel. Owns the few lines of protocol both sides need; what
 * the functions do is theirs. One process a role, so that memory and CPU are counted where they belong.
 */
import { type ChildProcess, fork } from 'node:child_process';

type Functions = Record<string, (...args: never[]) => unknown>;
type Awaited1<F> = F extends (...args: infer A) => infer R ? (...args: A) => Promise<Awaited<R>> : never;
export type Remote<F> = { readonly [Name in keyof F]: Awaited1<F[Name]> };

interface Call {
  readonly id: number;
  readonly name: string;
  readonly args: readonly unknown[];
}
type Answer = { readonly id: number; readonly result?: unknown; readonly error?: string };

export interface RemoteProcess<F> {
  readonly pid: number;
  readonly call: Remote<F>;
  stop(): Promise<void>;
}

/** Starts `file` with an environment of its own; resolves when it listens. Rejects when it ends before. */
export async function startRemote<F>(
  file: string,
  env: Readonly<Record<string, string>>,
  execArgv: readonly string[] = [],
): Promise<RemoteProcess<F>> {
  const child = fork(file, {
    env: { ...process.env, NODE_OPTIONS: '', ...env },
    execArgv: [...execArgv],
    serialization: 'advanced',
  });
  const pending = new Map<number, PromiseWithResolvers<unknown>>();
  const ended = Promise.withResolvers<void>();
  const ready = Promise.withResolvers<void>();
  child.on('message', (message: Answer | 'ready') => {
    if (message === 'ready') return ready.resolve();
    const waiting = pending.get(message.id);
    pending.delete(message.id);
    if (message.error === undefined) waiting?.resolve(message.result);
    else waiting?.reject(new Error(message.error));
  });
  child.once('exit', (code, signal) => {
    const error = new Error(`${file} ended with ${signal ?? code}`);
    ready.reject(error);
    for (const waiting of pending.values()) waiting.reject(error);
    ended.resolve();
  });
  await ready.promise;
  return { pid: child.pid ?? 0, call: callerOn<F>(child, pending), stop: () => stop(child, ended.promise) };
}

function callerOn<F>(child: ChildProcess, pending: Map<number, PromiseWithResolvers<unknown>>): Remote<F> {
  let last = 0;
  const call = (name: string) => {
    return (...args: unknown[]) => {
      const waiting = Promise.withResolvers<unknown>();
      last += 1;
      pending.set(last, waiting);
      child.send({ id: last, name, args } satisfies Call);
      return waiting.promise;
    };
  };
  // The functions' names and types are those of the other side, which the caller names as F.
  return new Proxy({}, { get: (_target, name) => (name === 'then' ? undefined : call(String(name))) }) as Remote<F>;
}

async function stop(child: ChildProcess, ended: Promise<void>): Promise<void> {
  if (child.connected) child.disconnect();
  await ended;
}

/** The other side: answers calls until the parent is gone, then ends. */
export function serve(functions: Functions, onEnd: () => Promise<void>): void {
  process.on('message', (call: Call) => void answer(functions, call));
  process.once('disconnect', () => void onEnd().finally(() => process.exit(0)));
  process.send?.('ready');
}

async function answer(functions: Functions, call: Call): Promise<void> {
  try {
    const run = functions[call.name];
    if (run === undefined) throw new Error(`There is no function ${call.name}`);
    const result = await run(...(call.args as never[]));
    process.send?.({ id: call.id, result } satisfies Answer);
  } catch (error) {
    process.send?.({ id: call.id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
}
