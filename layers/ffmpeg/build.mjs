/**
 * Builds the Lambda layer: `build/layer/bin/ffmpeg`, which a function finds at /opt/bin/ffmpeg, and the zip of it. From a given
 * static binary, or from the installer package of the wanted architecture. Plain JavaScript: osls loads it too.
 *
 *   npm run layer                                from @ffmpeg-installer, for this machine's architecture
 *   npm run layer -- --from ./ffmpeg-7.0-amd64   from a static build of your own
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, utimesSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { parseArgs } from 'node:util';

/** All layers and the function together, unzipped. */
const LAMBDA_LIMIT_BYTES = 250 * 1024 * 1024;
const here = import.meta.dirname;

/**
 * @param {{ from?: string, arch?: string, log?: (line: string) => void }} [options] arch: `x86_64` or `arm64`
 * @returns {{ binary: string, version: string, bytes: number }}
 */
export function buildLayer({ from, arch = hostArchitecture(), log = console.log } = {}) {
  const source = from ? path.resolve(from) : installerBinary(arch);
  const machine = elfMachine(source);
  if (machine !== arch) throw new Error(`${source} is for ${machine}, the layer is for ${arch}.`);
  const bytes = statSync(source).size;
  if (bytes > LAMBDA_LIMIT_BYTES) throw new Error(`${source} has ${mebibytes(bytes)}; Lambda takes 250 MiB unzipped.`);
  const build = path.join(here, 'build');
  const binary = path.join(build, 'layer', 'bin', 'ffmpeg');
  rmSync(build, { recursive: true, force: true });
  mkdirSync(path.dirname(binary), { recursive: true });
  cpSync(source, binary);
  chmodSync(binary, 0o755);
  // The same binary makes the same zip, so that a deployment does not replace the layer for nothing.
  utimesSync(binary, 0, 0);
  const version = arch === hostArchitecture() ? verify(binary) : 'not run: it is for another machine';
  log(
    `layers/ffmpeg/build/layer/bin/ffmpeg: ${version}, ${mebibytes(bytes)}, ${arch}, from ${from ? source : 'the installer package'}`,
  );
  return { binary, version, bytes };
}

const mebibytes = (bytes) => `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
const hostArchitecture = () => (process.arch === 'arm64' ? 'arm64' : 'x86_64');

function installerBinary(arch) {
  const name = `@ffmpeg-installer/linux-${arch === 'arm64' ? 'arm64' : 'x64'}`;
  const require = createRequire(createRequire(import.meta.url).resolve('@ffmpeg-installer/ffmpeg'));
  try {
    return path.join(path.dirname(require.resolve(`${name}/package.json`)), 'ffmpeg');
  } catch {
    throw new Error(`${name} is not installed on this machine; give a static Linux build with --from.`);
  }
}

/** The machine that an executable is for, out of its ELF header. */
function elfMachine(file) {
  if (!existsSync(file)) throw new Error(`${file} does not exist.`);
  const header = readFileSync(file).subarray(0, 20);
  if (header.subarray(0, 4).toString('latin1') !== '\x7fELF') throw new Error(`${file} is no Linux executable.`);
  return { 62: 'x86_64', 183: 'arm64' }[header.readUInt16LE(18)] ?? 'an unknown machine';
}

/** Runs it as a Lambda would, with nothing of this machine around it, and asks for what the service needs. */
function verify(binary) {
  const options = { encoding: 'utf8', env: {}, timeout: 20_000 };
  const version = /^ffmpeg version (\S+)/.exec(execFileSync(binary, ['-version'], options))?.[1];
  if (!version) throw new Error('The binary does not say its version: it is not ffmpeg.');
  const muxers = spawnSync(binary, ['-hide_banner', '-muxers'], options).stdout;
  const demuxers = spawnSync(binary, ['-hide_banner', '-demuxers'], options).stdout;
  for (const [kind, list, names] of [
    ['muxer', muxers, ['mp4', 'mpegts']],
    ['demuxer', demuxers, ['mpegts', 'concat']],
  ]) {
    for (const name of names) {
      if (!new RegExp(`\\b${name}\\b`).test(list)) throw new Error(`This ffmpeg has no ${kind} ${name}.`);
    }
  }
  return `ffmpeg ${version}`;
}

if (process.argv[1] === import.meta.filename) {
  try {
    const { values } = parseArgs({ options: { from: { type: 'string' }, arch: { type: 'string' } } });
    const { binary } = buildLayer(values);
    const zip = path.join(here, 'build', 'ffmpeg-layer.zip');
    // `osls package` makes its own zip; this one is for `aws lambda publish-layer-version`.
    const zipped = spawnSync('zip', ['-q', '-X', '-r', zip, 'bin'], { cwd: path.dirname(path.dirname(binary)) });
    console.log(zipped.status === 0 ? zip : 'No zip on this machine: `npx osls package` makes one without it.');
  } catch (error) {
    console.error(`✖ ${error.message}`);
    process.exitCode = 1;
  }
}
