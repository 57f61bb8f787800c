/**
 * Why bytes are not what they should be. Corrupt: they contradict themselves. Truncated: they end too early. Unsupported:
 * they are well-formed, but use what the engine does not carry. Nothing here imports anything, like all of lib/mp4.
 */

export abstract class Mp4Error extends Error {
  abstract readonly code: string;
  /** The same bytes give the same error. */
  readonly retryable = false;

  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** The bytes contradict themselves. */
export class Corrupt extends Mp4Error {
  readonly code = 'MP4_CORRUPT';
}

/** The bytes end before what they announce. */
export class Truncated extends Mp4Error {
  readonly code = 'MP4_TRUNCATED';
}

/** Well-formed, but not something the engine carries. */
export class Unsupported extends Mp4Error {
  readonly code = 'MP4_UNSUPPORTED';
}
