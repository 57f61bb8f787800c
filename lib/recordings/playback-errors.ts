/** What can be wrong with a wish to watch, clip or take a recording in another form. */
import { ServiceError } from '../platform/errors.ts';

/** Nothing of the recording can be played: nothing is captured yet, or its media is gone. */
export class NothingToPlay extends ServiceError {
  readonly code = 'NOTHING_TO_PLAY';
  readonly retryable = true;
}

/** There is no such segment, fragment, picture or clip (any more). */
export class MediaNotFound extends ServiceError {
  readonly code = 'MEDIA_NOT_FOUND';
  readonly retryable = false;
}

/** What was read is another file's by now. */
export class MediaReplaced extends ServiceError {
  readonly code = 'MEDIA_REPLACED';
  readonly retryable = true;
}

/** A clip that cannot be: nothing between its start and end, or outside of the recording. */
export class ClipRefused extends ServiceError {
  readonly code = 'CLIP_REFUSED';
  readonly retryable = false;
}

/** The recording has as many clips as it may have. */
export class TooManyClips extends ServiceError {
  readonly code = 'TOO_MANY_CLIPS';
  readonly retryable = false;
}
