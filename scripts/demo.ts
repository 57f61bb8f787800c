/**
 * `npm run demo`: the main job, watchable. Pushes a live stream at the service as a packager would, tells it of start
 * and end as the Stream Service would, shows what the API says meanwhile, and judges the finished file.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findFfmpeg } from '../lib/ffmpeg/find.ts';
import { packagerS3Client, s3PackagerStore } from '../test/support/packager.ts';
import { StreamSourceError } from '../test/support/packager-source.ts';
import { NGINX_MISSING } from '../test/support/servers/nginx-rtmp.ts';
import type { Stream } from '../test/support/stream-service.ts';
import { waitFor } from '../test/support/wait.ts';
import { DEMO_USAGE, type DemoArguments, oneLine, parseDemoArguments } from './demo-arguments.ts';
import { judge } from './demo-check.ts';
import { openRtmp, rtmpStreamId } from './demo-rtmp.ts';
import { type DemoService, openService } from './demo-service.ts';
import { type DemoStream, prepareStream } from './demo-stream.ts';
import { countStaged, download, findRecording, lastComplaints, type RecordingAnswer } from './demo-watch.ts';

/** What a user can mend: said in one line, without a stack. */
class DemoProblem extends Error {}

type Broadcast = Pick<Stream, 'stream_id'>;

const KEEP_IN = '.data/demo';
const LOOK_EVERY_MS = 500;
const COMPLETE_WITHIN_MS = 120_000;

const startedAt = performance.now();

/** `0:07  text`, time since the demo began. */
function say(text: string): void {
  const seconds = Math.floor((performance.now() - startedAt) / 1000);
  console.log(`${String(Math.floor(seconds / 60)).padStart(3)}:${String(seconds % 60).padStart(2, '0')}  ${text}`);
}

async function run(options: DemoArguments, scratch: string, signal: AbortSignal): Promise<boolean> {
  const ffmpeg = await findFfmpeg();
  // Before anything is started: a wrong name should cost no waiting.
  const stream = await prepareStream(options, ffmpeg.path, join(scratch, 'stream'));
  console.log(`\nRecording Service demo: ${oneLine(stream.description)}\n`);
  await using service = await openService(join(scratch, 'service'), say);
  try {
    return options.rtmp
      ? await recordOverRtmp(service, options.seconds, ffmpeg.path, scratch, signal)
      : await record(service, stream, signal);
  } catch (error) {
    for (const complaint of signal.aborted ? [] : lastComplaints(service.log)) console.error(`  ${oneLine(complaint)}`);
    throw error;
  }
}

async function record(service: DemoService, stream: DemoStream, signal: AbortSignal): Promise<boolean> {
  signal.throwIfAborted();
  const { broadcast, endedAt } = await broadcastStream(service, stream, signal);
  const recording = await awaitCompletion(service, broadcast, signal);
  const finishMs = performance.now() - endedAt;
  say(`✅ ${recording.status}, ${(finishMs / 1000).toFixed(2)} s after stream.ended`);
  return report(service, stream, recording, finishMs);
}

/** The same from a streaming server: it tells of start and end itself, and the uploader pushes what it writes. */
async function recordOverRtmp(
  service: DemoService,
  seconds: number,
  ffmpegPath: string,
  scratch: string,
  signal: AbortSignal,
): Promise<boolean> {
  await using rtmp = await openRtmp(service, ffmpegPath, join(scratch, 'rtmp'));
  if (!rtmp) throw new DemoProblem(NGINX_MISSING);
  signal.throwIfAborted();
  const streamKey = `demo-${randomUUID().slice(0, 8)}`;
  const broadcast = { stream_id: rtmpStreamId(streamKey) };
  say(`🔴 publishing to ${rtmp.server.url}/${streamKey}; nginx tells the service`);
  const watching = new AbortController();
  const progress = {
    get segments() {
      return rtmp.uploaded.size;
    },
    mediaMs: null,
  };
  const watched = watch(service, broadcast, progress, watching.signal);
  const problem = await rtmp.publish(streamKey, seconds, signal);
  const endedAt = performance.now();
  signal.throwIfAborted();
  if (problem !== '') throw new DemoProblem(`The publisher failed: ${oneLine(problem)}`);
  say('⏹  the publisher is done; nginx closes its last segment');
  const recording = await awaitCompletion(service, broadcast, signal).finally(async () => {
    watching.abort();
    await watched;
  });
  const finishMs = performance.now() - endedAt;
  say(`✅ ${recording.status}, ${(finishMs / 1000).toFixed(2)} s after the publisher`);
  const stream = { files: () => rtmp.files(streamKey), hasDiscontinuity: false };
  return report(service, stream, recording, finishMs);
}

async function broadcastStream(
  service: DemoService,
  stream: DemoStream,
  signal: AbortSignal,
): Promise<{ broadcast: Stream; endedAt: number }> {
  const streamKey = `demo-${randomUUID().slice(0, 8)}`;
  const broadcast = await service.streams.startStream({ streamKey });
  requireAccepted(service);
  say(`🔴 stream.started sent, stream key ${streamKey}`);
  const progress = { segments: 0, mediaMs: 0 };
  const store = s3PackagerStore(packagerS3Client(service.s3), streamKey);
  const packager = stream.start(store, (segments, mediaMs) => Object.assign(progress, { segments, mediaMs }));
  const stop = () => packager.stop();
  signal.addEventListener('abort', stop);
  const watching = new AbortController();
  const watched = watch(service, broadcast, progress, watching.signal);
  try {
    await packager.ended;
    signal.throwIfAborted();
    const endedAt = performance.now();
    await service.streams.endStream(broadcast.stream_id);
    say(`⏹  the encoder stopped after ${told(progress)}; stream.ended sent`);
    await packager.done;
    requireAccepted(service);
    return { broadcast, endedAt };
  } finally {
    signal.removeEventListener('abort', stop);
    watching.abort();
    await watched;
  }
}

function requireAccepted(service: DemoService): void {
  const last = service.streams.sent.at(-1);
  if (last?.status === 200) return;
  throw new DemoProblem(`The service answered the webhook with ${last?.status ?? 0}: ${oneLine(last?.text ?? '')}`);
}

interface Pushed {
  readonly segments: number;
  /** Null where nobody counts it. */
  readonly mediaMs: number | null;
}

const told = ({ segments, mediaMs }: Pushed) =>
  `${segments} ${segments === 1 ? 'segment' : 'segments'}${mediaMs === null ? '' : ` (${(mediaMs / 1000).toFixed(0)} s)`}`;

/** One line whenever something has changed. */
async function watch(service: DemoService, broadcast: Broadcast, progress: Pushed, signal: AbortSignal): Promise<void> {
  let shown = '';
  while (!signal.aborted) {
    const recording = await findRecording(service.url, broadcast.stream_id).catch(() => undefined);
    const captured = recording ? await countStaged(service.s3, recording.id).catch(() => undefined) : 0;
    const status = recording ? `${recording.status}, ${recording.duration} s` : 'not known yet';
    const line = `pushed ${told(progress)} · captured ${captured ?? '?'} · API: ${status}`;
    if (line !== shown && progress.segments > 0 && !signal.aborted) say(line);
    shown = line;
    await sleep(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
}

async function awaitCompletion(
  service: DemoService,
  broadcast: Broadcast,
  signal: AbortSignal,
): Promise<RecordingAnswer> {
  const finished = await waitFor(
    'the recording is completed',
    async () => {
      if (signal.aborted) return { aborted: true } as const;
      const recording = await findRecording(service.url, broadcast.stream_id);
      return recording && ['completed', 'failed'].includes(recording.status) ? recording : undefined;
    },
    { withinMs: COMPLETE_WITHIN_MS, everyMs: 50 },
  );
  if ('aborted' in finished) throw new DemoProblem('Stopped');
  if (finished.status === 'failed') throw new DemoProblem('The recording failed; the log of the service says why');
  return finished;
}

async function report(
  service: DemoService,
  stream: Pick<DemoStream, 'files' | 'hasDiscontinuity'>,
  recording: RecordingAnswer,
  finishMs: number,
): Promise<boolean> {
  const url = `${service.publicUrlBase}/${recording.file_path}`;
  const copy = join(KEEP_IN, recording.file_path.split('/').at(-1) ?? 'recording.mp4');
  await mkdir(KEEP_IN, { recursive: true });
  const { bytes, isPublic } = await download(service.s3, url, recording.file_path);
  await writeFile(copy, bytes);
  const findings = await judge({
    file: copy,
    segments: await stream.files(),
    hasDiscontinuity: stream.hasDiscontinuity,
    duration: recording.duration,
    fileSize: recording.file_size,
  });
  const rows = [
    { name: 'recording', says: recording.id, ok: true },
    { name: 'file', says: recording.file_path, ok: true },
    {
      name: 'url',
      says: `${url}${service.ownProcess ? ' (until this demo ends)' : isPublic ? '' : ' (with credentials)'}`,
      ok: true,
    },
    { name: 'copy', says: relative(process.cwd(), copy), ok: true },
    ...findings,
    { name: 'finished', says: `${(finishMs / 1000).toFixed(2)} s after the end`, ok: true },
  ];
  console.log();
  for (const { name, says, ok } of rows) console.log(`  ${ok ? ' ' : '✗'} ${name.padEnd(10)} ${says}`);
  const right = rows.every(({ ok }) => ok);
  console.log(right ? '\nAll is right.\n' : '\nNot right: see the lines marked ✗.\n');
  return right;
}

async function main(): Promise<number> {
  const parsed = parseDemoArguments(process.argv.slice(2));
  if (parsed.kind === 'help') {
    console.log(DEMO_USAGE);
    return 0;
  }
  if (parsed.kind === 'wrong') {
    console.error(`${parsed.problem}. See npm run demo -- --help`);
    return 2;
  }
  const scratch = await mkdtemp(join(tmpdir(), 'recording-demo-'));
  const stopping = new AbortController();
  // `disconnect`: whoever started us was killed. Not once: Ctrl-C comes from the terminal and from npm.
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP', 'disconnect'])
    process.on(name, () => stopping.abort(new DemoProblem('Stopped')));
  // A listener on the channel would keep this process from ending.
  process.channel?.unref();
  try {
    return (await run(parsed.options, scratch, stopping.signal)) ? 0 : 1;
  } catch (error) {
    const known = error instanceof DemoProblem || error instanceof StreamSourceError;
    console.error(known ? oneLine(error.message) : error);
    return error instanceof StreamSourceError ? 2 : 1;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

process.exitCode = await main();
