/**
 * What can go wrong in the embedded stack (local development and tests only), one sentence per error. What the
 * S3 server answers to its clients is in s3-error.ts.
 */
import { ServiceError } from '../lib/platform/errors.ts';

/** The embedded PostgreSQL cannot be found, initialised or started. */
export class PostgresUnavailable extends ServiceError {
  readonly code = 'POSTGRES_UNAVAILABLE';
  readonly retryable = false;
}

/** A port that the stack wants is taken; the message names the variable that changes it. */
export class PortTaken extends ServiceError {
  readonly code = 'PORT_TAKEN';
  readonly retryable = false;
  constructor(port: number, variable: string, options?: { cause?: unknown }) {
    super(`Port ${port} is already in use: set ${variable} to another one, or stop what listens there.`, options);
  }
}

/** Another stack is running on the same data directory. */
export class DataDirInUse extends ServiceError {
  readonly code = 'DATA_DIR_IN_USE';
  readonly retryable = false;
  constructor(directory: string, options?: { cause?: unknown }) {
    super(`${directory} is used by a running service: stop it, or set DATA_DIR to another directory.`, options);
  }
}

/** A function of the service did not start, or stopped by itself. */
export class FunctionsUnavailable extends ServiceError {
  readonly code = 'FUNCTIONS_UNAVAILABLE';
  readonly retryable = false;
}

/** True for a system error with this code. Jest runs modules in a realm of its own, where `instanceof Error` fails. */
export function hasCode(error: unknown, code: string): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === code;
}
