/** The metrics as scrapers and CloudWatch take them, and that what watches them names only those that there are. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { type MetricsSnapshot, toEmf, toPrometheus } from '../../../lib/recordings/metrics.ts';

const snapshot: MetricsSnapshot = {
  recordings: { recording: 3, processing: 0, completed: 12, failed: 1 },
  recentFailures: 1,
  segments: { captured: 90, missing: 2, rejected: 0, late: 0 },
  capturedBytes: 1e9,
  storedBytes: 5e12,
  captureLagSeconds: { p50: 0.12, p95: 0.8 },
  finishSeconds: { p50: null, p95: null },
  queueAgeSeconds: 0,
  silentRecordings: 0,
  scratchUsedRatio: null,
  deadLetters: { repeated: 0, failed: 0, dropped: 0 },
  recentDeadLetters: 0,
};

const LINE =
  /^(?<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(?<labels>\{[a-z_]+="[^"\\\n]*"(,[a-z_]+="[^"\\\n]*")*\})? (?<value>-?[0-9.e+-]+)$/;

describe('the text for Prometheus', () => {
  it('is what its exposition format asks for: HELP and TYPE before the samples, each series once', async () => {
    const text = await toPrometheus(snapshot);
    expect(text.endsWith('\n')).toBe(true);
    const described = new Map<string, Set<string>>();
    const series = new Set<string>();
    for (const line of text.split('\n').filter((one) => one !== '')) {
      const [, kind, about] = /^# (HELP|TYPE) (\S+) \S/.exec(line) ?? [];
      if (kind && about) {
        expect([line, series.has(about)]).toEqual([line, false]);
        described.set(about, (described.get(about) ?? new Set()).add(kind));
        continue;
      }
      const { name = '', labels = '', value = '' } = LINE.exec(line)?.groups ?? {};
      expect([line, [...(described.get(name) ?? [])]]).toEqual([line, ['HELP', 'TYPE']]);
      expect(name).toMatch(/^recording_[a-z_]+$/);
      // `_total` is for counters, and these are gauges: they go down again.
      expect(name).not.toMatch(/_(total|count|sum|bucket)$/);
      expect(Number.isFinite(Number(value))).toBe(true);
      expect(series.has(name + labels)).toBe(false);
      series.add(name + labels);
    }
    expect(series).toContain('recording_recordings{status="failed"}');
    expect(series).toContain('recording_recent_failures');
  });

  it('leaves out what is not known instead of saying 0', async () => {
    const text = await toPrometheus(snapshot);
    expect(text).not.toMatch(/^recording_(finish_seconds|scratch_used_ratio)[ {]/m);
    expect(text).toMatch(/^recording_capture_lag_seconds\{quantile="0\.95"\} 0\.8$/m);
  });
});

describe('the line for CloudWatch', () => {
  it('declares each metric that it has, with its unit, under one dimension', () => {
    const emf = toEmf(snapshot, 1_760_000_000_000, 'RecordingService') as Record<string, unknown> & {
      _aws: { CloudWatchMetrics: Array<{ Dimensions: string[][]; Metrics: Array<{ Name: string; Unit: string }> }> };
    };
    const [directive] = emf._aws.CloudWatchMetrics;
    expect(directive?.Dimensions).toEqual([['service']]);
    for (const { Name } of directive?.Metrics ?? []) expect([Name, typeof emf[Name]]).toEqual([Name, 'number']);
    expect(directive?.Metrics).toContainEqual({ Name: 'CaptureLagP95', Unit: 'Seconds' });
    expect(directive?.Metrics).toContainEqual({ Name: 'StoredBytes', Unit: 'Bytes' });
    expect(emf).not.toHaveProperty('FinishLatencyP95');
  });
});

describe('the alarms of serverless.yml', () => {
  const alarm = z.object({
    Type: z.literal('AWS::CloudWatch::Alarm'),
    Properties: z.looseObject({
      Namespace: z.string(),
      MetricName: z.string(),
      AlarmActions: z.array(z.object({ Ref: z.literal('AlarmTopic') })).length(1),
    }),
  });
  const text = readFileSync(join(import.meta.dirname, '../../../serverless.yml'), 'utf8');
  const { custom, resources } = parse(text, { merge: true, logLevel: 'error' });
  const alarms = Object.values(resources.Resources).flatMap((one) => {
    const { success, data } = alarm.safeParse(one);
    return success ? [data.Properties] : [];
  });

  it('watch metrics that the service writes, and tell the topic', () => {
    const all = { ...snapshot, finishSeconds: { p50: 1, p95: 1 }, scratchUsedRatio: 0.5 };
    const filters = JSON.stringify(Object.values(resources.Resources)).match(
      /"MetricName":"ScratchSpaceWarnings[^"]*"/g,
    );
    // Each stage's own: a stage for tests must not ring the alarms of another.
    const namespace = custom.environments.aws.METRICS_NAMESPACE;
    expect(namespace).toMatch(/^RecordingService\$\{self:custom\.suffix\}$/);
    const written = new Set([
      ...Object.keys(toEmf(all, 0, 'RecordingService')),
      ...(filters ?? []).map((one) => one.slice(14, -1)),
    ]);
    const own = alarms.filter(({ Namespace }) => Namespace === namespace);
    expect(own.map(({ MetricName }) => MetricName).filter((name) => !written.has(name))).toEqual([]);
    expect(own.map(({ MetricName }) => MetricName)).toEqual(
      expect.arrayContaining(['RecentFailures', 'SegmentsMissing']),
    );
    expect(alarms.length).toBeGreaterThanOrEqual(8);
  });
});
