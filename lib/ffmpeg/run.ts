/**
 * Runs ffmpeg: an array of arguments (never a shell), a time limit, an AbortSignal, the tail of what it wrote. Owns the
 * hardening every call gets and the translation of its end into errors; which arguments a job needs is the job's.
 */
import { spawn } from 'node:child_process';
import { constants, setPriority } from 'node:os';
import { FfmpegAborted, FfmpegFailed, FfmpegTimeout, ScratchFull } from './errors.ts';

const STDERR_TAIL_BYTES = 8 * 1024;

/** Before every argument list: no terminal, no banner, only what is worth a warning. */
const GLOBAL_ARGS = ['-nostdin', '-hide_banner', '-loglevel', 'warning', '-y'] as const;

export interface RunOptions {
  readonly ffmpegPath: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  /** Gives way to everything else on the machine: for what nobody waits for. */
  readonly background?: boolean;
}

export interface RunResult {
  /** What ffmpeg warned of, one line each, repeated ones once, bounded. */
  readonly warnings: readonly string[];
  readonly stderrTail: string;
}

/**
 * An input that can only be a local file of a named format: a segment is somebody else's bytes, and a playlist in its
 * place must not make ffmpeg open addresses.
 */
export function hardenedInput(path: string, format: string, options: readonly string[] = []): string[] {
  const formats = format === 'concat' ? 'concat,mpegts' : format;
  return ['-protocol_whitelist', 'file', '-format_whitelist', formats, '-f', format, ...options, '-i', `file:${path}`];
}

/** Resolves when ffmpeg ended well. Throws FfmpegFailed, ScratchFull, FfmpegTimeout or FfmpegAborted. */
export function runFfmpeg(options: RunOptions): Promise<RunResult> {
  const { promise, resolve, reject } = Promise.withResolvers<RunResult>();
  const { signal } = options;
  if (signal?.aborted) {
    reject(new FfmpegAborted({ cause: signal.reason }));
    return promise;
  }
  const child = spawn(options.ffmpegPath, [...GLOBAL_ARGS, ...options.args], {
    cwd: options.cwd,
    stdio: ['ignore', 'ignore', 'pipe'],
    windowsHide: true,
  });
  if (options.background) yieldToOthers(child.pid);
  const tail = tailOf(STDERR_TAIL_BYTES);
  child.stderr.on('data', tail.add);
  let stopped: 'timeout' | 'aborted' | undefined;
  const stop = (why: 'timeout' | 'aborted') => {
    stopped ??= why;
    child.kill('SIGKILL');
  };
  const timer = setTimeout(() => stop('timeout'), options.timeoutMs);
  const onAbort = () => stop('aborted');
  signal?.addEventListener('abort', onAbort, { once: true });
  const release = () => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  };
  child.once('error', (cause) => {
    release();
    reject(new FfmpegFailed({ exitCode: null, signal: null, stderrTail: cause.message }, { cause }));
  });
  child.once('close', (exitCode, killedBy) => {
    release();
    const stderrTail = withoutFolders(tail.text());
    if (stopped === 'aborted') reject(new FfmpegAborted({ cause: signal?.reason }));
    else if (stopped === 'timeout') reject(new FfmpegTimeout(options.timeoutMs, stderrTail));
    else if (isScratchFull(stderrTail)) reject(new ScratchFull(stderrTail));
    else if (exitCode !== 0) reject(new FfmpegFailed({ exitCode, signal: killedBy, stderrTail }));
    else resolve({ warnings: warningsIn(stderrTail), stderrTail });
  });
  return promise;
}

function yieldToOthers(pid: number | undefined): void {
  try {
    if (pid !== undefined) setPriority(pid, constants.priority.PRIORITY_LOW);
  } catch {
    // It has ended already, or the system does not allow it: then it runs as any other.
  }
}

/** Some versions of ffmpeg lose a write error at the trailer and end with 0: the message counts, not only the code. */
function isScratchFull(stderr: string): boolean {
  return stderr.includes('No space left on device') || stderr.includes('Disk quota exceeded');
}

/** What it says goes into logs and reports, and a folder of scratch space is named by a stream key, a credential. */
function withoutFolders(text: string): string {
  return text.replaceAll(/(file:)?(\/[^\s/:'"]+)+\//g, '');
}

function warningsIn(stderr: string): string[] {
  const seen = new Set<string>();
  for (const line of stderr.split('\n')) {
    const text = line.replace(/ @ 0x[0-9a-f]+\]/g, ']').trim();
    if (text !== '' && !/^Last message repeated/.test(text)) seen.add(text.slice(0, 300));
    if (seen.size >= 20) break;
  }
  return [...seen];
}

/** Keeps the last bytes of a stream that may be endless. */
function tailOf(maxBytes: number): { add: (chunk: Buffer) => void; text: () => string } {
  let kept = Buffer.alloc(0);
  let isCut = false;
  return {
    add: (chunk) => {
      const joined = Buffer.concat([kept, chunk]);
      isCut ||= joined.length > maxBytes;
      kept = joined.length > maxBytes ? Buffer.from(joined.subarray(joined.length - maxBytes)) : joined;
    },
    // A line that lost its beginning says nothing.
    text: () => kept.toString('utf8').slice(isCut ? kept.indexOf(10) + 1 : 0),
  };
}
