/**
 * Structured logs: one JSON line an event, pino underneath. It owns what may stand in a log: secrets are
 * redacted by path, and a stream key, which is a credential, only ever appears as a short hash (but for the
 * specified message that names the finished file).
 */
import { createHash } from 'node:crypto';
import { normalize } from 'node:path';
import { types } from 'node:util';
import { type DestinationStream, type LoggerOptions, type Logger as PinoLogger, pino } from 'pino';
import type { Config } from './config.ts';

export type Logger = Pick<PinoLogger, 'trace' | 'debug' | 'info' | 'warn' | 'error'> & {
  child(fields: Record<string, unknown>): Logger;
};

const REDACTED = [
  'password',
  'secret',
  'authorization',
  '*.password',
  '*.secret',
  '*.authorization',
  'headers.authorization',
];

/**
 * A logger for the service; `level` is one of pino's. Writes to standard output synchronously, as a Lambda must.
 * @param keyFolders names of folders and buckets whose entries are named by stream keys
 */
export function createLogger(
  level: string,
  keyFolders: readonly string[] = [],
  destination?: DestinationStream,
): Logger {
  const options: LoggerOptions = {
    level,
    base: { service: 'recording-service' },
    messageKey: 'message',
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: { paths: REDACTED, censor: '[redacted]' },
    serializers: { err: (error: unknown) => errorForLog(error, keyFolders) },
  };
  return destination ? pino(options, destination) : pino(options);
}

const MAX_CAUSES = 5;
const KEPT = [
  'code',
  'retryable',
  'statusCode',
  'exitCode',
  'signal',
  'errno',
  'syscall',
  'constraint',
  'table',
] as const;

/**
 * What of an error is logged: type, message, stack, a few known fields and its causes. Everything else stays out, since
 * providers hang on what they like: S3 its `Key` and `Resource`, PostgreSQL a `detail` with the row's values.
 */
function errorForLog(error: unknown, keyFolders: readonly string[], depth = 0): unknown {
  if (!isError(error)) return hideStreamKeys(String(error), keyFolders);
  const known = error as unknown as Record<string, unknown>;
  const fields = KEPT.flatMap((name) => (isPlain(known[name]) ? [[name, known[name]]] : []));
  return {
    type: error.name,
    message: hideStreamKeys(error.message, keyFolders),
    ...Object.fromEntries(fields),
    stack: hideStreamKeys(error.stack ?? '', keyFolders),
    ...(error.cause === undefined || depth >= MAX_CAUSES
      ? {}
      : { cause: errorForLog(error.cause, keyFolders, depth + 1) }),
  };
}

/** Errors of another realm (workers, test runners) are errors too. */
const isError = (value: unknown): value is Error => types.isNativeError(value) || value instanceof Error;
const isPlain = (value: unknown): boolean => ['string', 'number', 'boolean'].includes(typeof value);

/** The folders and buckets whose entries are named by stream keys. */
export function keyFoldersOf(config: Pick<Config, 'SCRATCH_DIR' | 'LIVE_BUCKET' | 'MINIO_BUCKET'>): string[] {
  return [normalize(config.SCRATCH_DIR), config.LIVE_BUCKET, config.MINIO_BUCKET];
}

/**
 * Replaces the entry of a bucket or folder that is named by a stream key: `live-segments/{key}/x.ts` →
 * `live-segments/…/x.ts`. Source files of a folder with a bucket's name (`lib/recordings/x.ts`) stay as they are.
 */
export function hideStreamKeys(text: string, keyFolders: readonly string[]): string {
  let hidden = text;
  for (const folder of keyFolders) {
    const name = folder.replace(/\/+$/, '').replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
    const inFolder = new RegExp(
      `(?<![\\w/.-]|[^:/]/)((?:\\w+://[^/\\s]+/)?${name}/)(?!\\.staging\\b)[^/\\s'":,)]+`,
      'g',
    );
    hidden = hidden.replaceAll(inFolder, '$1…');
  }
  return hidden;
}

/** Ten hex digits that stand for a stream key in logs: enough to tell streams apart, useless for publishing. */
export function hashStreamKey(streamKey: string): string {
  return createHash('sha256').update(streamKey).digest('hex').slice(0, 10);
}

/** A file's name as it may be shown: streaming servers put the stream key in front, `key-12.ts` is `…-12.ts`. */
export function withoutStreamKey(name: string, streamKey: string): string {
  return streamKey === '' ? name : name.replaceAll(streamKey, '…');
}
