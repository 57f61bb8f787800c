/** What a caller is told when something goes wrong: one table. The full error is for the log, never for the answer. */
import { randomUUID } from 'node:crypto';
import { ServiceError } from './errors.ts';
import { HttpProblem, type HttpResult, json } from './http-message.ts';

/** By code of a ServiceError; without `message` the error's own is told. A code that is not here is an opaque 500. */
const PUBLIC_ERRORS: Readonly<Record<string, { statusCode: number; message?: string }>> = {
  RECORDING_NOT_FOUND: { statusCode: 404, message: 'Recording not found' },
  WRONG_STATE: { statusCode: 409 },
  NOTHING_TO_PLAY: { statusCode: 404 },
  MEDIA_NOT_FOUND: { statusCode: 404 },
  CLIP_REFUSED: { statusCode: 422 },
  TOO_MANY_CLIPS: { statusCode: 409 },
  IMPORT_UNDER_WAY: { statusCode: 409 },
  IMPORT_REFUSED: { statusCode: 422 },
  TOKEN_REFUSED: { statusCode: 401 },
  DATABASE_UNAVAILABLE: { statusCode: 503, message: 'The database is not available, try again' },
  STORAGE_UNAVAILABLE: { statusCode: 503, message: 'The object store is not available, try again' },
  STORAGE_ACCESS_DENIED: { statusCode: 503, message: 'The object store is not available, try again' },
  BUCKET_MISSING: { statusCode: 503, message: 'The object store is not available, try again' },
  NEIGHBOUR_UNAVAILABLE: { statusCode: 502, message: 'Another service is not available, try again' },
};

export interface ErrorAnswer {
  readonly result: HttpResult;
  /** In the answer and in the log, so that one is found from the other; only where the answer tells nothing else. */
  readonly errorId: string | undefined;
}

/** The answer for anything that was thrown. */
export function answerFor(error: unknown): ErrorAnswer {
  if (error instanceof HttpProblem) {
    return { result: json(error.statusCode, { error: error.message }, { ...error.headers }), errorId: undefined };
  }
  const known = error instanceof ServiceError ? PUBLIC_ERRORS[error.code] : undefined;
  if (known && error instanceof ServiceError) {
    const headers: Record<string, string> = known.statusCode >= 500 ? { 'retry-after': '5' } : {};
    return { result: json(known.statusCode, { error: known.message ?? error.message }, headers), errorId: undefined };
  }
  const errorId = randomUUID();
  return { result: json(500, { error: 'Internal server error', error_id: errorId }), errorId };
}
