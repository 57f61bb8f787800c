/**
 * Measures one length of stream: the live phase (segments captured, parts rolled as they come, faster than real time),
 * the finish, the short way over the same staged segments, a plain remux of the same bytes. Every step is a process of
 * its own, so that its memory and CPU are its own.
 */
import { randomUUID } from 'node:crypto';
import { basename, join } from 'node:path';
import { HEAP_FOR_BODIES } from '../../localstack/functions.ts';
import { ffmpeg } from '../support/media/tools.ts';
import type { LengthResult, WorkCost } from './bench-results.ts';
import type { BenchStream, WorkerFunctions } from './bench-worker.ts';
import { watchPeaks } from './process-usage.ts';
import { type RemoteProcess, startRemote } from './remote-process.ts';
import { totalBytes } from './stream-source.ts';

export interface BenchSettings {
  readonly folder: string;
  /** Environment of the store, and of what the workers need beside it. */
  readonly env: Readonly<Record<string, string>>;
  readonly window: number;
  readonly shortWayUpToSeconds: number;
  readonly profile: boolean;
  readonly say: (line: string) => void;
}

type Worker = RemoteProcess<WorkerFunctions>;
const WORKER = join(import.meta.dirname, 'bench-worker.ts');

export async function measureLength(
  settings: BenchSettings,
  streamSeconds: number,
  paths: readonly string[],
): Promise<LengthResult> {
  const { say } = settings;
  const stream: BenchStream = { streamId: randomUUID(), streamKey: `bench-${randomUUID().slice(0, 8)}` };
  const capture = await startWorker(settings, 'capture');
  try {
    await capture.call.tell('stream.started', stream);
    const { id } = await capture.call.recordingOf(stream);
    const live = await liveThrough(settings, capture, stream, id, paths);
    say(
      `  live phase simulated in ${live.roll.seconds.toFixed(0)} s of rolling, ${live.capture.seconds.toFixed(0)} s of capture`,
    );
    await putFinalPlaylist(settings, capture, stream, paths);
    const finish = await finishTimed(settings, stream, id, () => capture.call.tell('stream.ended', stream));
    const done = await capture.call.recordingOf(stream);
    await checkFile(settings, done.filePath, streamSeconds);
    say(`  finished in ${finish.seconds.toFixed(2)} s (${done.facts.engine}, ${done.facts.parts ?? 0} parts)`);
    const shortWay = streamSeconds <= settings.shortWayUpToSeconds ? await shortWayTimed(settings, stream, id) : null;
    if (shortWay) say(`  the short way: ${shortWay.seconds.toFixed(2)} s`);
    const plainRemux = await remuxPlainly(settings, paths);
    await capture.call.removeEverything(stream, id);
    return {
      streamSeconds,
      segments: paths.length,
      streamBytes: await totalBytes(paths),
      fileBytes: done.fileSizeBytes,
      parts: done.facts.parts ?? 0,
      engine: done.facts.engine ?? 'unknown',
      live: live.roll,
      capture: live.capture,
      finish,
      shortWay,
      plainRemux,
    };
  } finally {
    await capture.stop();
  }
}

function startWorker(settings: BenchSettings, role: string): Promise<Worker> {
  const profile = settings.profile ? ['--cpu-prof', `--cpu-prof-name=${role}-${Date.now()}.cpuprofile`] : [];
  return startRemote<WorkerFunctions>(WORKER, settings.env, [HEAP_FOR_BODIES, ...profile]);
}

async function liveThrough(
  settings: BenchSettings,
  capture: Worker,
  stream: BenchStream,
  id: string,
  paths: readonly string[],
): Promise<{ roll: WorkCost; capture: WorkCost }> {
  let captureSeconds = 0;
  const capturing = await meter(settings, capture);
  const finalizer = await startWorker(settings, 'roll');
  try {
    const rolling = await meter(settings, finalizer);
    let rollSeconds = 0;
    for (let captured = 0; captured < paths.length; ) {
      const from = performance.now();
      const progress = await capture.call.captureUntilWoken(stream, paths, captured, settings.window);
      const between = performance.now();
      if (progress.woken) await finalizer.call.advance(id);
      captured = progress.captured;
      captureSeconds += (between - from) / 1000;
      rollSeconds += (performance.now() - between) / 1000;
    }
    return { roll: await rolling.cost(rollSeconds), capture: await capturing.cost(captureSeconds) };
  } finally {
    await finalizer.stop();
  }
}

/** Counts what a worker costs from now on. */
async function meter(settings: BenchSettings, worker: Worker) {
  const before = await worker.call.usage();
  const peaks = watchPeaks(worker.pid, settings.env.SCRATCH_DIR ?? '');
  return {
    cost: async (seconds: number): Promise<WorkCost> => {
      const { treeBytes, scratchBytes } = peaks.stop();
      const after = await worker.call.usage();
      const known = after.childCpuMs !== null && before.childCpuMs !== null;
      return {
        seconds,
        ownCpuMs: after.ownCpuMs - before.ownCpuMs,
        childCpuMs: known ? (after.childCpuMs ?? 0) - (before.childCpuMs ?? 0) : null,
        peakBytes: after.peakBytes,
        peakTreeBytes: Math.max(treeBytes, after.peakBytes),
        peakScratchBytes: scratchBytes,
        writtenBytes: after.writtenBytes - before.writtenBytes,
      };
    },
  };
}

async function putFinalPlaylist(
  settings: BenchSettings,
  capture: Worker,
  stream: BenchStream,
  paths: readonly string[],
): Promise<void> {
  const first = settings.window > 0 ? Math.max(0, paths.length - settings.window) : 0;
  const names = paths.slice(first).map((path) => basename(path));
  await capture.call.putFinalPlaylist(stream, names, first);
}

/** A process that has done nothing yet finishes the recording, as after a cold start without its loading. */
async function finishTimed(
  settings: BenchSettings,
  stream: BenchStream,
  id: string,
  begin: () => Promise<unknown>,
): Promise<WorkCost> {
  const finalizer = await startWorker(settings, 'finish');
  try {
    const metered = await meter(settings, finalizer);
    const from = performance.now();
    await begin();
    await finalizer.call.advance(id);
    const done = await finalizer.call.recordingOf(stream);
    if (done.status !== 'completed') throw new Error(`The recording is ${done.status}: ${done.failureMessage}`);
    await readBeginning(settings, done.filePath);
    return await metered.cost((performance.now() - from) / 1000);
  } finally {
    await finalizer.stop();
  }
}

async function shortWayTimed(settings: BenchSettings, stream: BenchStream, id: string): Promise<WorkCost> {
  const worker = await startWorker(settings, 'prepare');
  await worker.call.prepareShortWay(id);
  await worker.stop();
  return finishTimed(settings, stream, id, async () => {});
}

function urlOf(settings: BenchSettings, filePath: string): string {
  return `${settings.env.PUBLIC_URL_BASE}/${filePath}`;
}

/** Readable is what a stranger can read: the first bytes over plain HTTP, and they are those of an MP4. */
async function readBeginning(settings: BenchSettings, filePath: string): Promise<void> {
  const answer = await fetch(urlOf(settings, filePath), { headers: { range: 'bytes=0-4095' } });
  const bytes = Buffer.from(await answer.arrayBuffer());
  if (answer.status !== 206 || bytes.toString('latin1', 4, 8) !== 'ftyp') {
    throw new Error(`The file cannot be read: HTTP ${answer.status}`);
  }
}

/** Plays the last seconds, which needs all of the moov to be right. */
async function checkFile(settings: BenchSettings, filePath: string, streamSeconds: number): Promise<void> {
  const from = Math.max(0, streamSeconds - 5);
  const { stderr } = await ffmpeg(['-ss', `${from}`, '-i', urlOf(settings, filePath), '-f', 'null', '-']);
  const frames = Number([...stderr.matchAll(/frame=\s*(\d+)/g)].at(-1)?.[1] ?? 0);
  if (frames < 60) throw new Error(`Only ${frames} pictures in the last seconds of the file:\n${stderr.slice(-2000)}`);
}

async function remuxPlainly(settings: BenchSettings, paths: readonly string[]): Promise<LengthResult['plainRemux']> {
  const worker = await startWorker(settings, 'plain');
  try {
    const before = await worker.call.usage();
    const from = performance.now();
    await worker.call.plainRemux(paths, join(settings.folder, 'plain.mp4'));
    const seconds = (performance.now() - from) / 1000;
    const after = await worker.call.usage();
    if (after.childCpuMs === null || before.childCpuMs === null) return null;
    return { seconds, cpuMs: after.childCpuMs - before.childCpuMs };
  } finally {
    await worker.stop();
  }
}
