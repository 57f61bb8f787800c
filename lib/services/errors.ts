/** What can go wrong with the services around the recorder. */
import { ServiceError } from '../platform/errors.ts';

/** A neighbouring service cannot be reached, answers with a 5xx, or with something that is not its contract. */
export class NeighbourUnavailable extends ServiceError {
  readonly code = 'NEIGHBOUR_UNAVAILABLE';
  readonly retryable = true;
}
