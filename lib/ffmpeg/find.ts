/**
 * Finds the ffmpeg binary: FFMPEG_PATH, the Lambda layer, the two npm packages that carry one, PATH. Owns the order and
 * the message when there is none; running it is run.ts.
 */
import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, chmod, copyFile, mkdir, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { FfmpegMissing, FfmpegNotExecutable } from './errors.ts';

const exec = promisify(execFile);

export interface Ffmpeg {
  readonly path: string;
  /** What follows `ffmpeg version`, e.g. `5.1.9-0+deb12u1`. */
  readonly version: string;
  /** Which of the places it was found in. */
  readonly source: string;
}

export interface FindOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly layerPath?: string;
  /** Loads an optional package; rejects when it is not there. Passed in by tests. */
  readonly load?: (name: string) => Promise<unknown>;
}

/** Throws FfmpegNotExecutable when FFMPEG_PATH is wrong, FfmpegMissing when no place has a binary. */
export async function findFfmpeg(options: FindOptions = {}): Promise<Ffmpeg> {
  const env = options.env ?? process.env;
  const named = env.FFMPEG_PATH;
  if (named) return await operatorsChoice(named);
  const tried: string[] = ['FFMPEG_PATH (not set)'];
  for (const place of places(options, env)) {
    const found = await tryPlace(place);
    if (typeof found !== 'string') return found;
    tried.push(`${place.source} (${found})`);
  }
  throw new FfmpegMissing(tried);
}

interface Place {
  readonly source: string;
  readonly paths: () => Promise<readonly string[]>;
}

function places(options: FindOptions, env: Readonly<Record<string, string | undefined>>): Place[] {
  const load = options.load ?? loadPackage;
  const layer = options.layerPath ?? '/opt/bin/ffmpeg';
  const onPath = (env.PATH ?? '').split(delimiter).filter((dir) => dir !== '');
  return [
    { source: layer, paths: async () => [layer] },
    { source: 'ffmpeg-static', paths: async () => pathsIn(await load('ffmpeg-static')) },
    { source: '@ffmpeg-installer/ffmpeg', paths: async () => pathsIn(await load('@ffmpeg-installer/ffmpeg')) },
    { source: 'PATH', paths: async () => onPath.map((dir) => join(dir, 'ffmpeg')) },
  ];
}

/**
 * A name that is not a literal: a bundler must leave the optional packages alone, since they carry binaries for one
 * platform and may be absent where the bundle runs.
 */
function loadPackage(name: string): Promise<unknown> {
  return import(name);
}

/** ffmpeg-static exports a path or null, @ffmpeg-installer/ffmpeg an object with `path`; both as CommonJS. */
function pathsIn(loaded: unknown): readonly string[] {
  const value = isRecord(loaded) && 'default' in loaded ? loaded.default : loaded;
  if (typeof value === 'string') return [value];
  if (isRecord(value) && typeof value.path === 'string') return [value.path];
  return [];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** The binary found, or why there is none. */
async function tryPlace(place: Place): Promise<Ffmpeg | string> {
  let paths: readonly string[];
  try {
    paths = await place.paths();
  } catch {
    return 'not installed';
  }
  let why = 'no such file';
  for (const path of paths) {
    if (!(await isFile(path))) continue;
    try {
      const usable = await makeExecutable(path);
      return { path: usable, version: await versionOf(usable), source: place.source };
    } catch (error) {
      why = error instanceof Error ? (error.message.split('\n')[0] ?? 'does not run') : 'does not run';
    }
  }
  return why;
}

async function operatorsChoice(path: string): Promise<Ffmpeg> {
  try {
    if (!(await isFile(path))) throw new Error('not a file');
    await access(path, constants.X_OK);
    return { path, version: await versionOf(path), source: 'FFMPEG_PATH' };
  } catch (cause) {
    throw new FfmpegNotExecutable(path, { cause });
  }
}

async function isFile(path: string): Promise<boolean> {
  return await stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}

/** Archives lose the x bit. A layer is read-only, hence the copy where the bit cannot be set in place. */
async function makeExecutable(path: string): Promise<string> {
  if (await canExecute(path)) return path;
  try {
    await chmod(path, 0o755);
    return path;
  } catch {
    const dir = join(tmpdir(), 'ffmpeg-bin');
    const copy = join(dir, 'ffmpeg');
    await mkdir(dir, { recursive: true });
    await copyFile(path, copy);
    await chmod(copy, 0o755);
    return copy;
  }
}

/** Whether a binary is (still) there, and may be run. */
export async function canExecute(path: string): Promise<boolean> {
  return await access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

async function versionOf(path: string): Promise<string> {
  const { stdout } = await exec(path, ['-hide_banner', '-version'], { timeout: 20_000, maxBuffer: 1 << 20 });
  const version = /^ffmpeg version (\S+)/m.exec(stdout)?.[1];
  if (version === undefined) throw new Error('it does not call itself ffmpeg');
  return version;
}
