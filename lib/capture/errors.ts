/**
 * Why an object cannot be captured. `retryable` says whether the same key may hold something better in a few
 * seconds (an upload that is replaced by its packager); the codes go into the ledger's `reason`.
 */
import { ServiceError } from '../platform/errors.ts';

/** A segment that contributes nothing to the recording; the ledger keeps its row with the reason. */
export abstract class SegmentRejected extends ServiceError {}

/** The object has no bytes. Packagers that create first and write later replace it. */
export class SegmentEmptyError extends SegmentRejected {
  override readonly code = 'SEGMENT_EMPTY';
  override readonly retryable = true;
  constructor() {
    super('The segment is empty (0 bytes)');
  }
}

/** The bytes are something else than an MPEG transport stream: an error page, a playlist, noise, AES-128 ciphertext. */
export class SegmentNotTsError extends SegmentRejected {
  override readonly code = 'SEGMENT_NOT_TS';
  override readonly retryable = false;
  /** What the first bytes look like, for people. */
  readonly looksLike: string;
  constructor(looksLike: string) {
    super(`The segment is not an MPEG transport stream: it looks like ${looksLike}`);
    this.looksLike = looksLike;
  }
}

/** So little of the transport stream arrived that no sample is whole. */
export class SegmentTruncatedError extends SegmentRejected {
  override readonly code = 'SEGMENT_TRUNCATED';
  override readonly retryable = true;
  readonly packets: number;
  readonly truncatedBytes: number;
  constructor(packets: number, truncatedBytes: number) {
    super(`The segment is cut off: ${packets} whole packets, ${truncatedBytes} bytes after them, no usable sample`);
    this.packets = packets;
    this.truncatedBytes = truncatedBytes;
  }
}

/** A transport stream without (valid) PAT and PMT, and no track layout known from a neighbour. */
export class SegmentNoProgramError extends SegmentRejected {
  override readonly code = 'SEGMENT_NO_PROGRAM';
  override readonly retryable = false;
  constructor(detail: string) {
    super(`The segment names no audio or video track: ${detail}`);
  }
}

/** Tracks are there, but not one PES packet carries a timestamp. */
export class SegmentNoTimestampsError extends SegmentRejected {
  override readonly code = 'SEGMENT_NO_TIMESTAMPS';
  override readonly retryable = false;
  constructor(detail: string) {
    super(`The segment has no timestamps: ${detail}`);
  }
}

/** Scrambled payloads (transport_scrambling_control) or SAMPLE-AES stream types: there is no key here. */
export class SegmentEncryptedError extends SegmentRejected {
  override readonly code = 'SEGMENT_ENCRYPTED';
  override readonly retryable = false;
  constructor(detail: string) {
    super(`The segment is encrypted: ${detail}`);
  }
}

/** A transport stream in a framing that cannot be joined byte-wise with the others (192 or 204 byte packets). */
export class SegmentUnsupportedError extends SegmentRejected {
  override readonly code = 'SEGMENT_UNSUPPORTED';
  override readonly retryable = false;
  constructor(detail: string) {
    super(`The segment's format is not supported: ${detail}`);
  }
}

/** The text is no HLS playlist, or one that contradicts itself. A packager rewrites it within seconds. */
export class PlaylistInvalidError extends ServiceError {
  override readonly code = 'PLAYLIST_INVALID';
  override readonly retryable = true;
  constructor(detail: string, cause?: unknown) {
    super(`The playlist is invalid: ${detail}`, { cause });
  }
}

/** Larger than any live playlist has reason to be. */
export class PlaylistTooLargeError extends ServiceError {
  override readonly code = 'PLAYLIST_TOO_LARGE';
  override readonly retryable = false;
  constructor(length: number, limit: number) {
    super(`The playlist is too large: ${length} characters, at most ${limit} are read`);
  }
}

/** A valid playlist of a kind whose segments are no whole objects (byte ranges). */
export class PlaylistUnsupportedError extends ServiceError {
  override readonly code = 'PLAYLIST_UNSUPPORTED';
  override readonly retryable = false;
  constructor(detail: string) {
    super(`The playlist is not supported: ${detail}`);
  }
}
