/**
 * The process of one role of the service, as a Lambda would be: capture, finalizer, or a plain ffmpeg to compare with.
 * Each runs the product's own use cases on the store's process and tells what that cost.
 */

import { spawn } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { createContext } from '../../lib/composition.ts';
import { readConfig } from '../../lib/platform/config.ts';
import { createLogger } from '../../lib/platform/logging.ts';
import { migrate } from '../../lib/platform/migrate.ts';
import { advanceRecording } from '../../lib/recordings/advance.ts';
import { captureNotified } from '../../lib/recordings/capture-notified.ts';
import { recordStreamEvent } from '../../lib/recordings/record-stream-event.ts';
import { sweepRecording } from '../../lib/recordings/sweep.ts';
import type { Queues } from '../../lib/services/queues.ts';
import { createS3Client, S3ObjectStore } from '../../lib/storage/s3-object-store.ts';
import { countWrites } from './counting-store.ts';
import { usageOfThisProcess } from './process-usage.ts';
import { serve } from './remote-process.ts';

export interface BenchStream {
  readonly streamId: string;
  readonly streamKey: string;
}

export interface CaptureProgress {
  /** How many segments are captured now. */
  readonly captured: number;
  /** The finalizer was asked for. */
  readonly woken: boolean;
}

const CAPTURES_AT_ONCE = 4;
const FUNCTION_MS = 15 * 60_000;
const LIVE = 'live-segments';

const config = readConfig(process.env);
const logger = createLogger(config.LOG_LEVEL);
/** What the packager writes is not the service's doing and is not counted. */
const packager = new S3ObjectStore(createS3Client(config));
const counted = countWrites(new S3ObjectStore(createS3Client(config)));
let woken = false;
const queues: Queues = {
  requestSweep: async () => {},
  requestAdvance: async () => {
    woken = true;
  },
};
const context = createContext(config, { logger, queues, store: counted.store });

async function tell(event: 'stream.started' | 'stream.ended', stream: BenchStream): Promise<void> {
  const occurredAt = new Date();
  await recordStreamEvent(context, { event, ...stream, userId: null, occurredAt, source: 'webhook' });
}

/** Puts one segment where the packager would, captures it, and forgets it there as a sliding window does. */
async function captureOne(stream: BenchStream, paths: readonly string[], index: number, window: number): Promise<void> {
  const keyOf = (at: number) => `${stream.streamKey}/${basename(paths[at] ?? '')}`;
  await packager.put(LIVE, keyOf(index), await readFile(paths[index] ?? ''), 'video/mp2t');
  await captureNotified(context, [keyOf(index)]);
  if (window > 0 && index >= window) await packager.remove(LIVE, [keyOf(index - window)]);
}

/** Captures on from `from`, until a part can be rolled or everything is captured. */
async function captureUntilWoken(
  stream: BenchStream,
  paths: readonly string[],
  from: number,
  window: number,
): Promise<CaptureProgress> {
  woken = false;
  let next = from;
  while (next < paths.length && !woken) {
    const batch = Array.from({ length: Math.min(CAPTURES_AT_ONCE, paths.length - next) }, (_, at) => next + at);
    await Promise.all(batch.map((index) => captureOne(stream, paths, index, window)));
    next += batch.length;
  }
  return { captured: next, woken };
}

/** The playlist as the packager leaves it: what its window still has, and the mark of the end. */
async function putFinalPlaylist(stream: BenchStream, names: readonly string[], sequence: number): Promise<void> {
  const head = ['#EXTM3U', '#EXT-X-VERSION:3', '#EXT-X-TARGETDURATION:2', `#EXT-X-MEDIA-SEQUENCE:${sequence}`];
  const lines = [...head, ...names.flatMap((name) => ['#EXTINF:2.002,', name]), '#EXT-X-ENDLIST', ''];
  const bytes = new TextEncoder().encode(lines.join('\n'));
  await packager.put(LIVE, `${stream.streamKey}/index.m3u8`, bytes, 'application/vnd.apple.mpegurl');
}

async function recordingOf(stream: BenchStream) {
  const [recording] = await context.recordings.list({ limit: 1, streamId: stream.streamId });
  if (!recording) throw new Error('There is no recording of the stream');
  const { id, status, facts, filePath, durationSeconds, fileSizeBytes, failureMessage } = recording;
  return { id, status, facts, filePath, durationSeconds, fileSizeBytes, failureMessage };
}

/** Sets a completed recording back to what a failed engine leaves: its next attempt goes the short way. */
async function prepareShortWay(recordingId: string): Promise<void> {
  await context.recordings.reopen(recordingId, 'late', new Date());
  await context.places.clear(recordingId);
  await context.parts.removeAll(recordingId);
  await context.db.query(`UPDATE recordings SET facts = facts || '{"faults": 2}' WHERE id = $1`, [recordingId]);
}

/** One ffmpeg over the joined bytes of the stream: what the CPU of the engine is compared with. */
async function plainRemux(paths: readonly string[], output: string): Promise<void> {
  const { path } = await context.ffmpeg();
  const args = ['-hide_banner', '-loglevel', 'error', '-y', '-f', 'mpegts', '-i', 'pipe:0', '-c', 'copy', output];
  const child = spawn(path, args, { stdio: ['pipe', 'ignore', 'inherit'] });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  for (const segment of paths) for await (const chunk of createReadStream(segment)) await write(child.stdin, chunk);
  child.stdin.end();
  if ((await ended) !== 0) throw new Error('The plain remux failed');
}

async function write(into: NodeJS.WritableStream, chunk: Buffer): Promise<void> {
  if (!into.write(chunk)) await new Promise((resolve) => into.once('drain', resolve));
}

async function removeEverything(stream: BenchStream, recordingId: string): Promise<void> {
  const { filePath } = await recordingOf(stream);
  const prefixes = [
    [LIVE, `${stream.streamKey}/`],
    [config.MINIO_BUCKET, `.staging/${recordingId}/`],
  ] as const;
  for (const [bucket, prefix] of prefixes) {
    for (;;) {
      const { objects } = await packager.list(bucket, prefix);
      if (objects.length === 0) break;
      const keys = objects.map((object) => object.key);
      await packager.remove(bucket, keys);
    }
  }
  if (filePath !== '') await packager.remove(config.MINIO_BUCKET, [filePath.slice(config.MINIO_BUCKET.length + 1)]);
}

const functions = {
  migrate: (folder: string) => migrate(context.db, folder, logger),
  tell,
  captureUntilWoken,
  putFinalPlaylist,
  recordingOf,
  advance: (recordingId: string) => advanceRecording(context, recordingId, () => FUNCTION_MS),
  sweep: (recordingId: string) => sweepRecording(context, recordingId),
  prepareShortWay,
  plainRemux,
  removeEverything,
  usage: () => ({ ...usageOfThisProcess(), writtenBytes: counted.writtenBytes() }),
};
export type WorkerFunctions = typeof functions;
export type WorkerUsage = ReturnType<typeof functions.usage>;

serve(functions, () => context.db.end());
