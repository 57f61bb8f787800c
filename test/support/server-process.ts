/** A server as a child process: started until it answers, stopped until it has ended. Knows no server in particular. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { waitFor } from './wait.ts';

export interface ServerCommand {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** For servers that leave files where they run. */
  readonly cwd?: string;
  /** What shows that it is ready: a URL that answers 200, or a port of loopback that takes connections. */
  readonly ready: { readonly url: string } | { readonly port: number };
}

export interface ServerProcess {
  readonly pid: number;
  /** The last of what it said. */
  output(): string;
  stop(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>;
}

const START_MS = 20_000;
const STOP_MS = 10_000;

/** Rejects with what the server said when it ends before it answers. */
export async function startServerProcess(command: ServerCommand): Promise<ServerProcess> {
  const child = spawn(command.file, command.args, {
    env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', ...command.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(command.cwd === undefined ? {} : { cwd: command.cwd }),
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-8000);
    });
  }
  const ended = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      said += String(error);
      resolve();
    });
    child.once('exit', () => resolve());
  });
  const isOver = () => child.exitCode !== null || child.signalCode !== null || child.pid === undefined;
  const answers = async () => {
    if (isOver()) return 'ended';
    return (await isReady(command.ready)) ? 'ready' : undefined;
  };
  const state = await waitFor(`${command.file} answers`, answers, {
    withinMs: START_MS,
    lastSeen: () => said.slice(-1000),
  }).catch(async (error: unknown) => {
    child.kill('SIGKILL');
    await ended;
    throw error;
  });
  if (state === 'ended') throw new Error(`${command.file} ended before it answered: ${said.slice(-1000)}`);
  return { pid: child.pid ?? 0, output: () => said, stop: (signal = 'SIGTERM') => stopChild(child, isOver, signal) };
}

async function isReady(ready: ServerCommand['ready']): Promise<boolean> {
  if ('port' in ready) {
    const socket = connect(ready.port, '127.0.0.1');
    await once(socket, 'connect', { signal: AbortSignal.timeout(1000) }).finally(() => socket.destroy());
    return true;
  }
  const answer = await fetch(ready.url, { signal: AbortSignal.timeout(1000) });
  await answer.arrayBuffer();
  return answer.ok;
}

async function stopChild(child: ChildProcess, isOver: () => boolean, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (isOver()) return;
  const exited = once(child, 'exit');
  child.kill(signal);
  const hard = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  await exited;
  clearTimeout(hard);
}
