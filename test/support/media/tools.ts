/**
 * The binaries the tests run: ffmpeg found as the product finds it, ffprobe beside it, Chromium where there is one.
 * Owns finding and plain running; what is made with them is make-hls.ts and packets.ts.
 */
import { execFile } from 'node:child_process';
import { access, chmod, constants } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { type Ffmpeg, findFfmpeg } from '../../../lib/ffmpeg/find.ts';

const exec = promisify(execFile);
const require = createRequire(import.meta.url);

let ffmpegOnce: Promise<Ffmpeg> | undefined;
let ffprobeOnce: Promise<string> | undefined;

export function ffmpegBinary(): Promise<Ffmpeg> {
  ffmpegOnce ??= findFfmpeg();
  return ffmpegOnce;
}

/** FFPROBE_PATH, the package, PATH. */
export function ffprobeBinary(): Promise<string> {
  ffprobeOnce ??= findFfprobe();
  return ffprobeOnce;
}

async function findFfprobe(): Promise<string> {
  const tried = [process.env.FFPROBE_PATH, ffprobeOfPackage(), ...onPath('ffprobe')];
  for (const path of tried) {
    if (path === undefined || !(await exists(path))) continue;
    await access(path, constants.X_OK).catch(() => chmod(path, 0o755));
    return path;
  }
  throw new Error(`ffprobe is missing; tried ${tried.join(', ')}. Set FFPROBE_PATH.`);
}

function ffprobeOfPackage(): string | undefined {
  try {
    return (require('@ffprobe-installer/ffprobe') as { path: string }).path;
  } catch {
    return undefined;
  }
}

/** Where Chromium is, or undefined: the browser tests then say so and pass over. */
export async function chromiumBinary(): Promise<string | undefined> {
  for (const path of [process.env.CHROMIUM_PATH, ...onPath('chromium'), ...onPath('google-chrome')]) {
    if (path !== undefined && (await exists(path))) return path;
  }
  return undefined;
}

function onPath(name: string): string[] {
  const dirs = (process.env.PATH ?? '').split(delimiter).filter((dir) => dir !== '');
  return dirs.map((dir) => join(dir, name));
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

export interface Output {
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs ffmpeg for a test; `args` come after `-hide_banner -nostdin -y`. The error carries what ffmpeg wrote. */
export async function ffmpeg(args: readonly string[], options: { cwd?: string } = {}): Promise<Output> {
  const { path } = await ffmpegBinary();
  return await run(path, ['-hide_banner', '-nostdin', '-y', ...args], options);
}

export async function ffprobe(args: readonly string[]): Promise<Output> {
  return await run(await ffprobeBinary(), ['-hide_banner', '-v', 'error', ...args], {});
}

async function run(path: string, args: readonly string[], options: { cwd?: string }): Promise<Output> {
  return await exec(path, args, { ...options, maxBuffer: 512 << 20, timeout: 300_000, killSignal: 'SIGKILL' });
}
