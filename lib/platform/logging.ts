/**
 * Structured logs: one JSON line an event, pino underneath. It owns what may stand in a log: secrets are
 * redacted by path, and a stream key, which is a credential, only ever appears as a short hash.
 */
import { createHash } from 'node:crypto';
import { type Logger as PinoLogger, pino } from 'pino';

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

/** A logger for the service; `level` is one of pino's. Writes to standard output synchronously, as a Lambda must. */
export function createLogger(level: string): Logger {
  return pino({
    level,
    base: { service: 'recording-service' },
    messageKey: 'message',
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: { paths: REDACTED, censor: '[redacted]' },
    serializers: { err: pino.stdSerializers.errWithCause },
  });
}

/** Ten hex digits that stand for a stream key in logs: enough to tell streams apart, useless for publishing. */
export function hashStreamKey(streamKey: string): string {
  return createHash('sha256').update(streamKey).digest('hex').slice(0, 10);
}
