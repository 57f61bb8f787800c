/** Puts the load on a running service and finds out afterwards what became of every segment and every stream. */
import { readFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { SourceSegment } from '../support/packager.ts';
import { StreamServiceStandIn } from '../support/stream-service.ts';
import { liveStream, type StreamLog } from './live-stream.ts';
import type { LoadArguments } from './load-arguments.ts';
import type { CpuShare, LoadResult } from './load-results.ts';
import { openLoadStore } from './load-store.ts';
import { cpuBelow } from './process-tree.ts';
import { type RunningRecorder, startRecorder } from './running-recorder.ts';

export interface LoadSource {
  readonly segments: readonly SourceSegment[];
}

interface LedgerRow {
  readonly key: string;
  readonly capturedAt: Date;
}
interface RecordingRow {
  readonly streamId: string;
  readonly status: string;
  readonly filePath: string;
  readonly fileSize: number;
  readonly segments: number;
  readonly completedAt: Date | null;
}

const START_SPREAD_MS = 2000;
const LOOK_EVERY_MS = 500;

/** Starts the service, lets the streams live, waits for their recordings, stops everything. */
export async function runLoad(
  options: LoadArguments,
  source: LoadSource,
  say: (line: string) => void,
): Promise<LoadResult> {
  const service = await StreamServiceStandIn.start();
  const environment = { STREAM_SERVICE_URL: service.url, LOG_LEVEL: options.verbose ? 'info' : 'warn' };
  const log = (line: string) => {
    if (options.verbose || !line.startsWith('{')) say(line);
  };
  const recorder = await startRecorder(environment, log, options.profile ? ['--cpu-prof'] : []);
  service.sendWebhooksTo({ serviceUrl: recorder.url });
  const database = new pg.Client({ connectionString: recorder.env.DATABASE_URL ?? '' });
  try {
    await database.connect();
    const { streams, cpu, liveSeconds } = await liveAll(options, source, service, recorder, say);
    say('All streams have ended; waiting for their recordings …');
    const recordings = await settled(database, streams, options.settleSeconds * 1000);
    const ledger = await database.query<LedgerRow>(
      `SELECT source_key AS key, min(captured_at) AS "capturedAt" FROM recording_segments WHERE state = 'captured' GROUP BY source_key`,
    );
    return await judge(options, streams, ledger.rows, recordings, recorder, { cpu, liveSeconds });
  } finally {
    await database.end();
    await service.close();
    await recorder.stop();
  }
}

async function liveAll(
  options: LoadArguments,
  source: LoadSource,
  service: StreamServiceStandIn,
  recorder: RunningRecorder,
  say: (line: string) => void,
) {
  const store = openLoadStore({
    endpoint: `http://${recorder.env.MINIO_ENDPOINT}`,
    accessKeyId: recorder.env.MINIO_ACCESS_KEY ?? '',
    secretAccessKey: recorder.env.MINIO_SECRET_KEY ?? '',
  });
  // All streams send the same bytes, read once.
  const segments = await Promise.all(
    source.segments.map(async (segment) => ({ ...segment, bytes: await readFile(segment.path) })),
  );
  say(`${options.streams} streams go live …`);
  const before = cpuOf(recorder);
  const own = process.cpuUsage();
  const from = performance.now();
  const streams = await Promise.all(
    Array.from({ length: options.streams }, (_, at) =>
      liveStream({
        ...{ segments, service, startAfterMs: (at * START_SPREAD_MS) / options.streams },
        storeOf: (streamKey) => store.folder(streamKey),
      }),
    ),
  );
  const liveSeconds = (performance.now() - from) / 1000;
  const { user, system } = process.cpuUsage(own);
  const cpu: CpuShare[] = [{ name: 'this load', share: (user + system) / 1e6 / liveSeconds }];
  for (const [name, seconds] of cpuOf(recorder)) {
    cpu.push({ name, share: Math.max(0, seconds - (before.get(name) ?? 0)) / liveSeconds });
  }
  store.close();
  return { streams, cpu: cpu.sort((a, b) => b.share - a.share), liveSeconds };
}

const FUNCTIONS = 'functions';
const FFMPEG = 'their ffmpeg (pictures, files)';

function cpuOf(recorder: RunningRecorder): Map<string, number> {
  const nameOf = (pid: number, command: string) => {
    if (pid === recorder.pid) return 'embedded S3, SQS, event bridge';
    if (/^postgres/.test(command)) return 'PostgreSQL';
    return /^ffmpeg/.test(command) ? FFMPEG : FUNCTIONS;
  };
  return cpuBelow(recorder.pid, nameOf, (parent) => (parent === FUNCTIONS ? FFMPEG : parent));
}

/** Waits until every stream has a finished recording, or time is up. */
async function settled(
  database: pg.Client,
  streams: readonly StreamLog[],
  withinMs: number,
): Promise<readonly RecordingRow[]> {
  const until = performance.now() + withinMs;
  for (;;) {
    const { rows } = await database.query<RecordingRow>(
      `SELECT r.stream_id AS "streamId", r.status, r.file_path AS "filePath", r.file_size::float8 AS "fileSize",
              coalesce((r.facts->>'segments')::int, 0) AS segments,
              (SELECT max(e.occurred_at) FROM recording_events e WHERE e.recording_id = r.id AND e.type = 'recording.completed') AS "completedAt"
         FROM recordings r WHERE r.stream_id = ANY($1::uuid[])`,
      [streams.map((stream) => stream.streamId)],
    );
    const open = rows.filter((row) => row.status === 'recording' || row.status === 'processing').length;
    if ((open === 0 && rows.length >= streams.length) || performance.now() > until) return rows;
    await sleep(LOOK_EVERY_MS);
  }
}

async function judge(
  options: LoadArguments,
  streams: readonly StreamLog[],
  ledger: readonly LedgerRow[],
  recordings: readonly RecordingRow[],
  recorder: RunningRecorder,
  measured: Pick<LoadResult, 'cpu' | 'liveSeconds'>,
): Promise<LoadResult> {
  const captured = new Map(ledger.map((row) => [row.key, row.capturedAt.getTime()]));
  const uploads = streams.flatMap((stream) => [...stream.uploadedAtMs]);
  const byStream = Map.groupBy(recordings, (row) => row.streamId);
  const mine = streams.map((stream) => ({ stream, rows: byStream.get(stream.streamId) ?? [] }));
  const completed = mine.filter(({ rows }) => rows.length === 1 && rows[0]?.status === 'completed');
  let wrongFiles = 0;
  for (const { stream, rows } of completed) {
    const [row] = rows;
    if (row && !(await isRight(row, stream, recorder))) wrongFiles += 1;
  }
  const failed = mine.filter(({ rows }) => rows.some((row) => row.status === 'failed')).length;
  return {
    options,
    machine: `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}`,
    uploaded: uploads.length,
    uploadedBytes: streams.reduce((sum, stream) => sum + stream.uploadedBytes, 0),
    lost: uploads.filter(([key]) => !captured.has(key)).length,
    completed: completed.length,
    failed,
    stuck: streams.length - completed.length - failed,
    wrongFiles,
    // A capture can be faster than the answer to the upload is heard.
    uploadToLedger: uploads.flatMap(([key, at]) => Math.max(0, (captured.get(key) ?? Number.NaN) - at) || 0),
    endToFile: completed.map(({ stream, rows }) => (rows[0]?.completedAt?.getTime() ?? 0) - stream.endedAtMs),
    webhook: streams.flatMap((stream) => stream.webhookMs),
    behind: streams.flatMap((stream) => stream.behindMs),
    ...measured,
  };
}

/** The file is where the row says, in that size, and all segments are in it. */
async function isRight(row: RecordingRow, stream: StreamLog, recorder: RunningRecorder): Promise<boolean> {
  if (row.segments !== stream.uploadedAtMs.size) return false;
  const answer = await fetch(`${recorder.env.PUBLIC_URL_BASE}/${row.filePath}`, { method: 'HEAD' });
  return answer.status === 200 && Number(answer.headers.get('content-length')) === row.fileSize;
}
