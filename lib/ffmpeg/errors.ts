/**
 * What can go wrong with the ffmpeg binary. One sentence an error; `stderrTail` holds the last lines the binary wrote.
 * Not here: damage in the MP4 boxes it produced, which lib/mp4/errors.ts names.
 */
import { ServiceError } from '../platform/errors.ts';

/** No usable ffmpeg in any of the places where one may be. An operator has to act; work is kept until then. */
export class FfmpegMissing extends ServiceError {
  readonly code = 'FFMPEG_MISSING';
  readonly retryable = true;
  readonly tried: readonly string[];

  constructor(tried: readonly string[], options?: { cause?: unknown }) {
    super(`ffmpeg is missing; tried ${tried.join('; ')}. Set FFMPEG_PATH, add the layer or install ffmpeg.`, options);
    this.tried = tried;
  }
}

/** FFMPEG_PATH names something that is not an executable file: the operator's choice is never silently replaced. */
export class FfmpegNotExecutable extends ServiceError {
  readonly code = 'FFMPEG_NOT_EXECUTABLE';
  readonly retryable = true;
  readonly path: string;

  constructor(path: string, options?: { cause?: unknown }) {
    super(`FFMPEG_PATH is set to ${path}, which is not an executable ffmpeg.`, options);
    this.path = path;
  }
}

/** ffmpeg ended with an error: the input is not what it should be, or it was killed from outside. */
export class FfmpegFailed extends ServiceError {
  readonly code = 'FFMPEG_FAILED';
  /** Not started, or killed by a signal (out of memory, a shutdown): it may work again. An error exit is about the input. */
  readonly retryable: boolean;
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly stderrTail: string;

  constructor(
    end: { exitCode: number | null; signal: string | null; stderrTail: string },
    options?: { cause?: unknown },
  ) {
    const how = end.signal === null ? `exit code ${end.exitCode}` : `signal ${end.signal}`;
    super(`ffmpeg ended with ${how}: ${lastLine(end.stderrTail)}`, options);
    this.retryable = end.exitCode === null;
    this.exitCode = end.exitCode;
    this.signal = end.signal;
    this.stderrTail = end.stderrTail;
  }
}

/** Segments were captured, and nothing of them can be put into MP4; the message says why, stream by stream. */
export class NothingCarried extends ServiceError {
  readonly code = 'NOTHING_CARRIED';
  readonly retryable = false;

  constructor(warnings: readonly string[]) {
    super(`Nothing of the stream can be put into MP4: ${warnings.join('; ') || 'it has no picture and no sound'}`);
  }
}

/** ffmpeg ran longer than it was given and was killed. */
export class FfmpegTimeout extends ServiceError {
  readonly code = 'FFMPEG_TIMEOUT';
  readonly retryable = true;
  readonly timeoutMs: number;
  readonly stderrTail: string;

  constructor(timeoutMs: number, stderrTail: string) {
    super(`ffmpeg did not finish within ${timeoutMs} ms and was stopped.`);
    this.timeoutMs = timeoutMs;
    this.stderrTail = stderrTail;
  }
}

/** The caller withdrew the work (its time is up, the process is shutting down). */
export class FfmpegAborted extends ServiceError {
  readonly code = 'FFMPEG_ABORTED';
  readonly retryable = true;

  constructor(options?: { cause?: unknown }) {
    super('ffmpeg was stopped because its work was withdrawn.', options);
  }
}

/** The scratch disk is full: nothing is wrong with the media, and the step may run again. `detail` is what said so. */
export class ScratchFull extends ServiceError {
  readonly code = 'SCRATCH_FULL';
  readonly retryable = true;
  readonly detail: string;

  constructor(detail: string, options?: { cause?: unknown }) {
    super('No space left on the scratch disk: free space under SCRATCH_DIR, or make it larger.', options);
    this.detail = detail;
  }
}

function lastLine(text: string): string {
  const lines = text.trimEnd().split('\n');
  return lines.at(-1)?.trim() || 'it wrote no message';
}
