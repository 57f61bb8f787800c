/**
 * One broadcast from outside: the Stream Service tells (or fails to), the packager pushes, the recording is
 * awaited and downloaded. Knows the public contract only: HTTP, S3, and what the stand-ins do.
 */
import { randomUUID } from 'node:crypto';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { call } from '../support/http.ts';
import { assertFaststart, comparePackets, ffprobe, type Hls, packets, referenceRemux } from '../support/media/index.ts';
import {
  type PackagerRun,
  packagerS3Client,
  type S3Address,
  s3PackagerStore,
  startPackager,
} from '../support/packager.ts';
import type { PackagerOptions } from '../support/packager-plan.ts';
import type { Delivery, Stream, StreamServiceStandIn } from '../support/stream-service.ts';
import { waitFor } from '../support/wait.ts';

/** What a scenario needs to know of the service that it plays against. */
export interface Target {
  readonly url: string;
  readonly s3: S3Address;
  readonly streams: StreamServiceStandIn;
  /** What the service has logged, one JSON a line. */
  readonly log: readonly string[];
}

const recordingSchema = z.strictObject({
  id: z.uuid(),
  stream_id: z.uuid(),
  video_id: z.uuid().nullable(),
  file_path: z.string(),
  duration: z.int(),
  file_size: z.int(),
  status: z.enum(['recording', 'processing', 'completed', 'failed']),
  started_at: z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
  completed_at: z
    .string()
    .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
    .nullable(),
});

export type RecordingAnswer = z.output<typeof recordingSchema>;

const listSchema = z.strictObject({ recordings: z.array(recordingSchema) });

/** All recordings of a stream, newest first, in exactly the specified shape. */
export async function recordingsOf(url: string, streamId: string): Promise<RecordingAnswer[]> {
  const { recordings } = listSchema.parse((await call(`${url}/recordings`)).json);
  return recordings.filter((recording) => recording.stream_id === streamId);
}

export function waitForRecording(
  url: string,
  streamId: string,
  statuses: readonly RecordingAnswer['status'][],
  withinMs: number,
): Promise<RecordingAnswer> {
  let last = 'no recording';
  return waitFor(
    `the recording of ${streamId} is ${statuses.join(' or ')}`,
    async () => {
      const [recording] = await recordingsOf(url, streamId);
      last = JSON.stringify(recording ?? null);
      return recording && statuses.includes(recording.status) ? recording : undefined;
    },
    { withinMs, everyMs: 50, lastSeen: () => last },
  );
}

export interface Broadcast extends PackagerOptions {
  readonly hls: Hls;
  readonly streamKey?: string;
  /** 1 is real time; as fast as it goes by default. */
  readonly speed?: number;
  /** What becomes of the webhooks. */
  readonly started?: Delivery;
  readonly ended?: Delivery;
  /** Awaited after the last segment and before the end: for states that only a live stream has. */
  readonly beforeEnd?: (stream: Stream) => Promise<void>;
  readonly withinMs?: number;
}

export interface Played {
  readonly stream: Stream;
  readonly recording: RecordingAnswer;
  /** From stream.ended to the moment at which the API said `completed`. */
  readonly finishMs: number;
}

/** Plays one broadcast to its end and waits for its recording to be completed or failed. */
export async function play(target: Target, broadcast: Broadcast): Promise<Played> {
  const streamKey = broadcast.streamKey ?? `e2e-${randomUUID().slice(0, 8)}`;
  const stream = await target.streams.startStream({ streamKey, webhook: broadcast.started ?? 'once' });
  const run = push(target, streamKey, broadcast);
  await run.ended;
  await broadcast.beforeEnd?.(stream);
  const endedAt = performance.now();
  await target.streams.endStream(stream.stream_id, broadcast.ended ?? 'once');
  await run.done;
  requirePunctual(performance.now() - endedAt, broadcast.lastSegmentLateMs);
  const recording = await waitForRecording(
    target.url,
    stream.stream_id,
    ['completed', 'failed'],
    broadcast.withinMs ?? 60_000,
  );
  return { stream, recording, finishMs: performance.now() - endedAt };
}

/** Later than the service waits (END_GRACE), a late segment that this machine was too busy to upload proves nothing. */
function requirePunctual(lastUploadMs: number, plannedMs: number | undefined): void {
  if (plannedMs === undefined || lastUploadMs <= plannedMs + 2500) return;
  const late = `${Math.round(lastUploadMs)} ms after the end in place of ${plannedMs} ms`;
  throw new Error(`This machine is too busy: the packager was done ${late}`);
}

export function push(target: Target, streamKey: string, broadcast: Broadcast): PackagerRun {
  const store = s3PackagerStore(packagerS3Client(target.s3), streamKey);
  const { hls, speed, ...options } = broadcast;
  return startPackager({ store, segments: sourceSegments(hls), ...options, ...(speed === undefined ? {} : { speed }) });
}

function sourceSegments(hls: Hls): { path: string; durationMs: number }[] {
  return hls.segments.map((path, index) => ({ path, durationMs: Math.round((hls.durations[index] ?? 0) * 1000) }));
}

/** The finished object, read as anybody reads it: by its URL, without credentials. */
export async function download(target: Target, recording: RecordingAnswer): Promise<string> {
  const answer = await fetch(`${target.s3.endpoint}/${recording.file_path}`, { signal: AbortSignal.timeout(30_000) });
  if (answer.status !== 200) throw new Error(`GET ${recording.file_path}: ${answer.status}`);
  const file = join(await mkdtemp(join(tmpdir(), 'e2e-')), 'recording.mp4');
  await writeFile(file, Buffer.from(await answer.arrayBuffer()));
  return file;
}

/** Everything that is promised of a finished recording, against one ffmpeg over the bytes of these segments. */
export async function expectExact(target: Target, played: Played, segments: readonly string[]): Promise<void> {
  const { recording, stream } = played;
  if (recording.status !== 'completed') throw new Error(storyOf(target, recording));
  expect(recording).toMatchObject({
    status: 'completed',
    stream_id: stream.stream_id,
    video_id: null,
    started_at: stream.started_at,
  });
  expect(recording.completed_at).not.toBeNull();
  const file = await download(target, recording);
  await assertFaststart(file);
  const [actual, expected] = await Promise.all([
    packets(file, { hash: true }),
    referenceRemux(segments).then((reference) => packets(reference, { hash: true })),
  ]);
  expect(comparePackets(actual, expected)).toEqual([]);
  expect(expected.reduce((sum, { packets: all }) => sum + all.length, 0)).toBeGreaterThan(0);
  const { size, seconds } = await measure(file);
  expect(recording.file_size).toBe(size);
  expect(Math.abs(recording.duration - seconds)).toBeLessThan(1);
}

/** What the service has said of a recording that is not as it has to be. */
function storyOf({ log }: Target, recording: RecordingAnswer): string {
  const lines = log.filter((line) => line.includes(recording.id));
  return [`The recording ${recording.id} is ${recording.status}. The log says of it:`, ...lines].join('\n');
}

async function measure(file: string): Promise<{ size: number; seconds: number }> {
  const { stdout } = await ffprobe(['-show_entries', 'format=duration,size', '-of', 'json', file]);
  const { format } = z
    .object({ format: z.object({ duration: z.coerce.number(), size: z.coerce.number() }) })
    .parse(JSON.parse(stdout));
  return { size: format.size, seconds: format.duration };
}
