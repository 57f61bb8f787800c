/**
 * The base of every error the service raises on purpose: a literal `code` that operators can search for,
 * whether trying again can help, and the cause. Each area lists its own in its `errors.ts`.
 */
export abstract class ServiceError extends Error {
  /** Stable identifier of the kind of failure, e.g. `SEGMENT_EMPTY`. */
  abstract readonly code: string;
  /** True when the same call may succeed later without anyone changing anything. */
  abstract readonly retryable: boolean;

  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = new.target.name;
  }
}
