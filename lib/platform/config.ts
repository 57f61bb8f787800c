/**
 * Everything the environment can set, parsed once by a schema. A wrong value stops the start with a message that
 * names the variable. It knows nothing of what the values are used for.
 */
import { z } from 'zod';
import * as values from './config-values.ts';
import { ServiceError } from './errors.ts';

/** A variable is missing or has a value that cannot be used. */
export class ConfigInvalid extends ServiceError {
  readonly code = 'CONFIG_INVALID';
  readonly retryable = false;
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Parses `10s`, `500ms`, `5m`, `1h30m`, or plain seconds (`10`), into milliseconds; null where it is none of these. */
export function parseDuration(text: string): number | null {
  if (/^\d+(\.\d+)?$/.test(text)) return Math.round(Number(text) * 1000);
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(text)) return null;
  let totalMs = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) {
    totalMs += Number(amount) * (UNIT_MS[unit ?? ''] ?? 0);
  }
  return Math.round(totalMs);
}

const duration = (fallback: string, minMs = 0, maxMs = 366 * 86_400_000) =>
  z
    .string()
    .default(fallback)
    .transform((text, context) => {
      const ms = parseDuration(text.trim());
      if (ms === null || ms < minMs || ms > maxMs) {
        context.addIssue({ code: 'custom', message: `must be a duration such as "${fallback}", at least ${minMs} ms` });
        return z.NEVER;
      }
      return ms;
    });

const integer = (fallback: number, min: number, max: number) =>
  z
    .string()
    .default(String(fallback))
    .transform((text, context) => {
      const value = Number(text.trim());
      if (text.trim() === '' || !Number.isInteger(value) || value < min || value > max) {
        context.addIssue({ code: 'custom', message: `must be a whole number from ${min} to ${max}` });
        return z.NEVER;
      }
      return value;
    });

const flag = (fallback: boolean) =>
  z
    .string()
    .default(String(fallback))
    .transform((text, context) => {
      const value = text.trim().toLowerCase();
      if (value === 'true' || value === '1') return true;
      if (value === 'false' || value === '0') return false;
      context.addIssue({ code: 'custom', message: 'must be true or false' });
      return z.NEVER;
    });

/** Without user name and password: fetch refuses such a URL, and quotes it in what it says. */
const httpUrl = z
  .url({ protocol: /^https?$/, error: 'must be an http:// or https:// URL', abort: true })
  .refine((url) => new URL(url).username + new URL(url).password === '', 'must be a URL without user name and password')
  .transform((url) => url.replace(/\/+$/, ''));

const endpoint = z
  .string()
  .default('minio:9000')
  .refine((text) => /^[A-Za-z0-9.-]+(:\d{1,5})?$/.test(text) && Number(text.split(':')[1] ?? 1) <= 65_535, {
    message: 'must be host or host:port, without a scheme',
  });

const bucket = (fallback: string) =>
  z
    .string()
    .default(fallback)
    .refine((name) => /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(name), { message: 'must be a bucket name' });

const schema = z.object({
  DATABASE_URL: z
    .string()
    .refine((text) => /^postgres(ql)?:\/\//.test(text) && URL.canParse(text), { message: 'must be a postgres:// URL' })
    .optional(),
  DB_HOST: z.string().min(1).default('localhost'),
  DB_PORT: integer(5432, 1, 65_535),
  DB_USER: z.string().min(1).default('streaming_user'),
  DB_PASSWORD: z.string().default('streaming_pass'),
  DB_NAME: z.string().min(1).default('vod_db'),
  DB_POOL_MAX: integer(1, 1, 100),
  DB_PREPARE: flag(false),
  DB_SESSION_OPTIONS: z.string().default('-c TimeZone=UTC'),
  MINIO_ENDPOINT: endpoint,
  MINIO_ACCESS_KEY: z.string().default('minioadmin'),
  MINIO_SECRET_KEY: z.string().default('minioadmin123'),
  MINIO_USE_SSL: flag(false),
  MINIO_BUCKET: bucket('recordings'),
  LIVE_BUCKET: bucket('live-segments'),
  AWS_REGION: z.string().min(1).default('us-east-1'),
  PUBLIC_URL_BASE: httpUrl.default('http://localhost:9000'),
  PORT: integer(8083, 0, 65_535),
  STREAM_SERVICE_URL: httpUrl.default('http://stream-service:8082'),
  STREAM_SERVICE_TIMEOUT: duration('3s', 100, 60_000),
  VOD_SERVICE_URL: httpUrl.default('http://vod-service:8084'),
  MONITOR_INTERVAL: duration('10s', 200, 60_000),
  SEGMENT_DOWNLOAD_TIMEOUT: duration('30s', 100, 15 * 60_000),
  SEGMENT_RETRY_DELAY: duration('5s', 10, 15 * 60_000),
  MAX_RETRY_ATTEMPTS: integer(3, 1, 100),
  END_GRACE: duration('5s', 0, 15 * 60_000),
  STALE_TIMEOUT: duration('5m', 1000),
  LATE_SEGMENT_WINDOW: duration('10m', 0),
  RECONNECT_WINDOW: duration('0s', 0),
  CLOCK_SLACK: duration('10s', 0, 10 * 60_000),
  PART_SIZE: integer(16 * 1024 * 1024, 5 * 1024 * 1024, 1024 * 1024 * 1024),
  PROCESSING_ATTEMPTS: integer(3, 1, 100),
  RETRY_FOR: duration('24h', 1000),
  MAX_RECORDING_DURATION: duration('0s', 0),
  RETENTION_DAYS: integer(0, 0, 36_500),
  RETENTION_DRY_RUN: flag(true),
  METRICS_EMF: flag(false),
  METRICS_NAMESPACE: z
    .string()
    .regex(/^[\w.\-/#:]{1,255}$/, { message: 'must be a name of CloudWatch: letters, digits and . - _ / # :' })
    .default('RecordingService'),
  SCRATCH_DIR: z.string().min(1).default('/tmp/recordings'),
  SEGMENTS_QUEUE_URL: httpUrl.optional(),
  JOBS_QUEUE_URL: httpUrl.optional(),
  SQS_ENDPOINT: httpUrl.optional(),
  RECORDING_KEY_TEMPLATE: values.keyTemplate('{stream_key}.mp4'),
  WEBHOOK_SECRET: values.secrets().optional(),
  WEBHOOK_ALLOW_FROM: values.addressList('127.0.0.0/8,::1'),
  MINIO_WEBHOOK_TOKEN: values.token().optional(),
  HOOK_TOKEN: values.token().optional(),
  CORS_ORIGINS: values.origins(),
  DOWNLOAD_LINK_TTL: duration('1h', 1000, 7 * 86_400_000),
  VOD_SERVICE_TIMEOUT: duration('10s', 100, 60_000),
  VOD_SERVICE_TOKEN: values.token().optional(),
  AUTO_IMPORT: flag(false),
  OUTBOUND_WEBHOOK_URLS: values.urls(),
  OUTBOUND_WEBHOOK_SECRET: values.secrets().optional(),
  OUTBOUND_TIMEOUT: duration('5s', 100, 60_000),
  OUTBOUND_RETRY_FOR: duration('24h', 0),
  EVENT_BUS_NAME: z
    .string()
    .regex(/^[A-Za-z0-9./_:-]{1,400}$/, 'must be the name or ARN of an event bus')
    .optional(),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error']).default('info'),
});

/** The configuration: durations in milliseconds, sizes in bytes. */
export type Config = Readonly<z.output<typeof schema>>;

/** The variables that there are; a reference to a stored secret is resolved in these only. */
export const VARIABLES: readonly string[] = Object.keys(schema.shape);

/** Variables that make sense together only. */
const complete = schema.superRefine((config, context) => {
  const needs = (variable: string, message: string) => context.addIssue({ code: 'custom', path: [variable], message });
  if (config.OUTBOUND_WEBHOOK_URLS.length > 0 && !config.OUTBOUND_WEBHOOK_SECRET) {
    needs('OUTBOUND_WEBHOOK_SECRET', 'must be set where OUTBOUND_WEBHOOK_URLS is');
  }
  if (config.AUTO_IMPORT && !config.VOD_SERVICE_TOKEN)
    needs('VOD_SERVICE_TOKEN', 'must be set where AUTO_IMPORT is true');
});

/**
 * Reads the configuration out of an environment. An empty variable counts as not set.
 * @throws {ConfigInvalid} naming every variable that is wrong, never its value (it may be a secret)
 */
export function readConfig(environment: Readonly<Record<string, string | undefined>>): Config {
  const set = Object.fromEntries(
    Object.entries(environment).filter(([, value]) => value !== undefined && value !== ''),
  );
  const result = complete.safeParse(set);
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  throw new ConfigInvalid(`Configuration is wrong. ${problems.join('; ')}`);
}
