/**
 * The service's metrics, read from the database: whatever the number of functions that run, there is one truth, and a
 * scrape of any of them sees it. Prometheus text for scrapers, one EMF line a minute for CloudWatch.
 */
import { Gauge, Registry } from 'prom-client';
import { nowOf, type RecordingContext } from './context.ts';
import type { DrainOutcome } from './dead-letters.ts';
import { scratchUse } from './scratch.ts';

/** Segments, failures and latencies are those of the last quarter of an hour: the ledger only grows, and is never read whole. */
const WINDOW_MS = 15 * 60_000;

export interface MetricsSnapshot {
  readonly recordings: Readonly<Record<'recording' | 'processing' | 'completed' | 'failed', number>>;
  /** Recordings that failed in the last quarter of an hour; those above are all that have. */
  readonly recentFailures: number;
  readonly segments: Readonly<Record<'captured' | 'missing' | 'rejected' | 'late', number>>;
  readonly capturedBytes: number;
  readonly storedBytes: number;
  /** Seconds from a segment's upload to its ledger row; null where nothing was captured in the window. */
  readonly captureLagSeconds: { readonly p50: number | null; readonly p95: number | null };
  /** Seconds from hearing of the end to the completed row. */
  readonly finishSeconds: { readonly p50: number | null; readonly p95: number | null };
  /** Seconds that the oldest recording in `processing` has been due. */
  readonly queueAgeSeconds: number;
  /** Recordings in `recording` for which no segment came for a minute. */
  readonly silentRecordings: number;
  readonly scratchUsedRatio: number | null;
  /** Messages that failed on every delivery, by what became of them; and those of the last quarter of an hour. */
  readonly deadLetters: Readonly<Record<DrainOutcome, number>>;
  readonly recentDeadLetters: number;
}

/** Reads all metrics; five statements on indexed columns. */
export async function readMetrics(context: RecordingContext): Promise<MetricsSnapshot> {
  const now = nowOf(context);
  const since = nowOf(context, -WINDOW_MS);
  const counts = await context.db.query<{ kind: 'recording' | 'segment'; state: string; count: number; bytes: number }>(
    `SELECT 'recording' AS kind, status::text AS state, count(*)::int AS count, coalesce(sum(file_size), 0)::bigint AS bytes
       FROM recordings GROUP BY status
     UNION ALL
     SELECT 'segment', state, count(*)::int, coalesce(sum(size), 0)::bigint FROM recording_segments WHERE captured_at >= $1 GROUP BY state`,
    [since],
  );
  const lag = await context.db.query<Quantiles>(
    `SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY lag) AS p50, percentile_cont(0.95) WITHIN GROUP (ORDER BY lag) AS p95
       FROM (SELECT greatest(0, extract(epoch FROM captured_at - source_modified_at))::float8 AS lag FROM recording_segments
              WHERE state = 'captured' AND captured_at >= $1) recent`,
    [since],
  );
  const finish = await context.db.query<Quantiles>(
    `SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY took) AS p50, percentile_cont(0.95) WITHIN GROUP (ORDER BY took) AS p95
       FROM (SELECT greatest(0, extract(epoch FROM (completed_at AT TIME ZONE 'UTC') - end_heard_at))::float8 AS took FROM recordings
              WHERE status = 'completed' AND completed_at >= ($1::timestamptz AT TIME ZONE 'UTC')) recent`,
    [since],
  );
  const work = await context.db.query<{ age: number | null; silent: number; failed: number }>(
    `SELECT (SELECT count(*)::int FROM recordings WHERE status = 'failed' AND completed_at >= ($2::timestamptz AT TIME ZONE 'UTC')) AS failed,
            (SELECT extract(epoch FROM $1 - min(coalesce(next_attempt_at, updated_at)))::float8 FROM recordings WHERE status = 'processing') AS age,
            (SELECT count(*)::int FROM recordings
              WHERE status = 'recording' AND coalesce(last_segment_at, created_at) < $1::timestamptz - interval '1 minute') AS silent`,
    [now, since],
  );
  const letters = await context.db.query<{ outcome: DrainOutcome; count: number; recent: number }>(
    `SELECT outcome, count(*)::int AS count, count(*) FILTER (WHERE drained_at >= $1)::int AS recent FROM dead_letters GROUP BY outcome`,
    [since],
  );
  const lettersOf = (outcome: DrainOutcome) => letters.rows.find((row) => row.outcome === outcome)?.count ?? 0;
  const count = (kind: string, state: string) => counts.rows.find((row) => row.kind === kind && row.state === state);
  return {
    recordings: {
      recording: count('recording', 'recording')?.count ?? 0,
      processing: count('recording', 'processing')?.count ?? 0,
      completed: count('recording', 'completed')?.count ?? 0,
      failed: count('recording', 'failed')?.count ?? 0,
    },
    segments: {
      captured: count('segment', 'captured')?.count ?? 0,
      missing: count('segment', 'missing')?.count ?? 0,
      rejected: count('segment', 'rejected')?.count ?? 0,
      late: count('segment', 'late')?.count ?? 0,
    },
    capturedBytes: count('segment', 'captured')?.bytes ?? 0,
    storedBytes: count('recording', 'completed')?.bytes ?? 0,
    captureLagSeconds: lag.rows[0] ?? { p50: null, p95: null },
    finishSeconds: finish.rows[0] ?? { p50: null, p95: null },
    queueAgeSeconds: Math.max(0, work.rows[0]?.age ?? 0),
    recentFailures: work.rows[0]?.failed ?? 0,
    silentRecordings: work.rows[0]?.silent ?? 0,
    scratchUsedRatio: await scratchUse(context.config.SCRATCH_DIR),
    deadLetters: { repeated: lettersOf('repeated'), failed: lettersOf('failed'), dropped: lettersOf('dropped') },
    recentDeadLetters: letters.rows.reduce((sum, row) => sum + row.recent, 0),
  };
}

interface Quantiles {
  readonly p50: number | null;
  readonly p95: number | null;
  [column: string]: unknown;
}

/** The snapshot in Prometheus' text format. */
export function toPrometheus(snapshot: MetricsSnapshot): Promise<string> {
  const registry = new Registry();
  const gauge = (name: string, help: string, values: ReadonlyArray<[Record<string, string>, number | null]>) => {
    // A gauge without labels says 0 until it is set: what is not known is no metric at all.
    const known = values.filter((one): one is [Record<string, string>, number] => one[1] !== null);
    if (known.length === 0) return;
    const labelNames = Object.keys(known[0]?.[0] ?? {});
    const metric = new Gauge({ name: `recording_${name}`, help, labelNames, registers: [registry] });
    for (const [labels, value] of known) metric.set(labels, value);
  };
  const byState = (counts: Readonly<Record<string, number>>, label: string) =>
    Object.entries(counts).map(([state, value]): [Record<string, string>, number] => [{ [label]: state }, value]);
  const quantiles = ({
    p50,
    p95,
  }: {
    p50: number | null;
    p95: number | null;
  }): Array<[Record<string, string>, number | null]> => [
    [{ quantile: '0.5' }, p50],
    [{ quantile: '0.95' }, p95],
  ];
  gauge('recordings', 'Recordings by status', byState(snapshot.recordings, 'status'));
  gauge('recent_failures', 'Recordings that failed in the last 15 minutes', [[{}, snapshot.recentFailures]]);
  gauge(
    'segments',
    'Segments of the last 15 minutes by state; missing ones are gaps',
    byState(snapshot.segments, 'state'),
  );
  gauge('captured_bytes', 'Bytes of the segments captured in the last 15 minutes', [[{}, snapshot.capturedBytes]]);
  gauge('stored_bytes', 'Bytes of completed recordings', [[{}, snapshot.storedBytes]]);
  gauge(
    'capture_lag_seconds',
    'From upload of a segment to its ledger row, last 15 minutes',
    quantiles(snapshot.captureLagSeconds),
  );
  gauge('finish_seconds', 'From the end of a stream to its MP4, last 15 minutes', quantiles(snapshot.finishSeconds));
  gauge('queue_age_seconds', 'How long the oldest recording in processing has been due', [
    [{}, snapshot.queueAgeSeconds],
  ]);
  gauge('silent_recordings', 'Live recordings without a segment for a minute', [[{}, snapshot.silentRecordings]]);
  gauge('scratch_used_ratio', 'Used share of the scratch disk, 0 to 1', [[{}, snapshot.scratchUsedRatio]]);
  gauge(
    'dead_letters',
    'Messages that failed on every delivery, by what became of them',
    byState(snapshot.deadLetters, 'outcome'),
  );
  return registry.metrics();
}

/** The snapshot as one CloudWatch embedded metric format (EMF) document; stages that share an account have a namespace each. */
export function toEmf(snapshot: MetricsSnapshot, nowMs: number, namespace: string): Record<string, unknown> {
  const values: Record<string, number | null> = {
    RecordingsLive: snapshot.recordings.recording,
    RecordingsProcessing: snapshot.recordings.processing,
    RecordingsFailed: snapshot.recordings.failed,
    RecentFailures: snapshot.recentFailures,
    SegmentsMissing: snapshot.segments.missing,
    SegmentsRejected: snapshot.segments.rejected,
    CaptureLagP95: snapshot.captureLagSeconds.p95,
    FinishLatencyP95: snapshot.finishSeconds.p95,
    QueueAge: snapshot.queueAgeSeconds,
    SilentRecordings: snapshot.silentRecordings,
    StoredBytes: snapshot.storedBytes,
    DeadLetters: snapshot.recentDeadLetters,
  };
  const known = Object.entries(values).filter(([, value]) => value !== null);
  const unit = (name: string) =>
    /Lag|Latency|Age/.test(name) ? 'Seconds' : name.endsWith('Bytes') ? 'Bytes' : 'Count';
  return {
    _aws: {
      Timestamp: nowMs,
      CloudWatchMetrics: [
        {
          Namespace: namespace,
          Dimensions: [['service']],
          Metrics: known.map(([name]) => ({ Name: name, Unit: unit(name) })),
        },
      ],
    },
    service: 'recording-service',
    ...Object.fromEntries(known),
  };
}

/** Writes the metrics as one line of the log, where CloudWatch finds them. A failure is logged, never thrown. */
export async function emitMetrics(context: RecordingContext): Promise<void> {
  try {
    const snapshot = await readMetrics(context);
    context.logger.info(toEmf(snapshot, context.clock.now(), context.config.METRICS_NAMESPACE), 'Metrics');
  } catch (error) {
    context.logger.warn({ err: error }, 'Could not read the metrics');
  }
}
