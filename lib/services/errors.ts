/** What can go wrong with the services around the recorder. */
import { ServiceError } from '../platform/errors.ts';

/** A neighbouring service cannot be reached, answers with a 5xx, or with something that is not its contract. */
export class NeighbourUnavailable extends ServiceError {
  readonly code = 'NEIGHBOUR_UNAVAILABLE';
  readonly retryable = true;
}

/** The VOD Service does not accept the bearer token that came with an import. */
export class TokenRefused extends ServiceError {
  readonly code = 'TOKEN_REFUSED';
  readonly retryable = false;
}

/** The VOD Service understood an import and will not do it. */
export class ImportRefused extends ServiceError {
  readonly code = 'IMPORT_REFUSED';
  readonly retryable = false;
}
