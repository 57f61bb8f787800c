/** What can go wrong in the life of a recording. */
import { ServiceError } from '../platform/errors.ts';

/** There is no recording with this id. */
export class RecordingNotFound extends ServiceError {
  readonly code = 'RECORDING_NOT_FOUND';
  readonly retryable = false;
}

/** The stream ended and not one usable segment was found for it. */
export class NoSegments extends ServiceError {
  readonly code = 'NO_SEGMENTS';
  readonly retryable = false;
}

/** Somebody else works on the recording, or took it over in the meantime. */
export class LeaseLost extends ServiceError {
  readonly code = 'LEASE_LOST';
  readonly retryable = true;
}

/** The stored object is not what the ledger says it has to be. */
export class VerificationFailed extends ServiceError {
  readonly code = 'VERIFICATION_FAILED';
  readonly retryable = false;
}

/** The recording's state does not allow what was asked (a retry of one that has not failed). */
export class WrongState extends ServiceError {
  readonly code = 'WRONG_STATE';
  readonly retryable = false;
}

/** A staged segment that the ledger lists is not in the store. */
export class StagedSegmentMissing extends ServiceError {
  readonly code = 'STAGED_SEGMENT_MISSING';
  readonly retryable = false;
}

/** Somebody is importing this recording into the VOD Service right now. */
export class ImportUnderWay extends ServiceError {
  readonly code = 'IMPORT_UNDER_WAY';
  readonly retryable = true;
}

/** Whoever worked on the recording ended in the middle of it, again and again, and could not say why. */
export class WorkerDied extends ServiceError {
  readonly code = 'WORKER_DIED';
  readonly retryable = false;
}

/** What a dead letter asks for is being worked on right now. */
export class WorkerAlive extends ServiceError {
  readonly code = 'WORKER_ALIVE';
  readonly retryable = true;
}
