/**
 * Sends one HTTP request and reads its answer straight into memory: a stream for the body, and a signal for the time
 * limit, would cost more CPU than a segment's bytes. Owns the time limit and where the bytes go; what an answer means
 * is object-requests.ts.
 */
import { Agent, type Dispatcher } from 'undici';

export interface AnswerLimits {
  /** For all of it: waiting for a connection, sending, and the whole body. */
  readonly timeoutMs: number;
  /** The body of a success is put here where it fits. */
  readonly memory?: Uint8Array | undefined;
  /** The body of a success that says that it is longer is not read. */
  readonly maxBytes?: number | undefined;
}

export interface Answer {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** When they came, milliseconds on our clock: a body takes its time. */
  readonly answeredAtMs: number;
  /** Of an answer that is no success the beginning; empty where `isTooLarge`. */
  readonly bytes: Uint8Array;
  readonly isTooLarge: boolean;
}

/** The time limit has passed. */
export class AnswerTimedOut extends Error {
  override readonly name = 'TimeoutError';

  constructor(timeoutMs: number) {
    super(`no whole answer within ${timeoutMs} ms`);
  }
}

const MAX_ERROR_BYTES = 64 * 1024;

/** How a process connects to a store, whatever it asks for. */
export const CONNECTION_OPTIONS = {
  connections: 64,
  connect: { timeout: 3000 },
  headersTimeout: 60_000,
  bodyTimeout: 60_000,
} as const;

/** The connections over which this process reads and writes objects, in all stores. */
export const connections: Dispatcher = new Agent(CONNECTION_OPTIONS);

/** @throws {AnswerTimedOut} and what undici throws where there is no whole answer */
export function exchange(
  dispatcher: Dispatcher,
  request: Dispatcher.DispatchOptions,
  limits: AnswerLimits,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    dispatcher.dispatch(request, new AnswerReader(limits, resolve, reject));
  });
}

class AnswerReader implements Dispatcher.DispatchHandler {
  readonly #limits: AnswerLimits;
  readonly #resolve: (answer: Answer) => void;
  readonly #reject: (error: Error) => void;
  readonly #timer: NodeJS.Timeout;
  #controller: Dispatcher.DispatchController | undefined;
  #expired: AnswerTimedOut | undefined;
  #statusCode = 0;
  #headers: Record<string, string | undefined> = {};
  #answeredAtMs = 0;
  #bytes: Uint8Array = new Uint8Array();
  #size = 0;
  #isTooLarge = false;

  constructor(limits: AnswerLimits, resolve: (answer: Answer) => void, reject: (error: Error) => void) {
    this.#limits = limits;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#timer = setTimeout(() => this.#expire(), limits.timeoutMs);
  }

  #expire(): void {
    this.#expired = new AnswerTimedOut(this.#limits.timeoutMs);
    this.#reject(this.#expired);
    this.#controller?.abort(this.#expired);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    // It waited for a connection until its time was over.
    if (this.#expired) controller.abort(this.#expired);
  }

  onResponseStart(controller: Dispatcher.DispatchController, statusCode: number, headers: IncomingHeaders): void {
    // Informational; the answer is still to come (RFC 9110, section 15.2).
    if (statusCode < 200) return;
    this.#statusCode = statusCode;
    this.#answeredAtMs = Date.now();
    for (const name in headers) this.#headers[name] = String(headers[name]);
    if (!this.#isSuccess) return;
    const length = Number(this.#headers['content-length'] ?? 0);
    if (this.#refuses(controller, length)) return;
    const { memory } = this.#limits;
    this.#bytes = memory !== undefined && memory.length >= length ? memory : Buffer.allocUnsafe(length);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (!this.#isSuccess && this.#size >= MAX_ERROR_BYTES) return;
    const size = this.#size + chunk.length;
    if (this.#isSuccess && this.#refuses(controller, size)) return;
    // A store that sends no length, or a wrong one, is read all the same.
    if (size > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(size, 2 * this.#bytes.length));
      grown.set(this.#bytes.subarray(0, this.#size));
      this.#bytes = grown;
    }
    this.#bytes.set(chunk, this.#size);
    this.#size = size;
  }

  /** True if a body of this size is not wanted; it is not read then. */
  #refuses(controller: Dispatcher.DispatchController, bytes: number): boolean {
    const { maxBytes = Number.POSITIVE_INFINITY } = this.#limits;
    if (bytes <= maxBytes) return false;
    this.#isTooLarge = true;
    this.#size = 0;
    this.#finish();
    controller.abort(new Error(`an answer of ${bytes} bytes, at most ${maxBytes} are wanted`));
    return true;
  }

  onResponseEnd(): void {
    this.#finish();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    clearTimeout(this.#timer);
    this.#reject(error);
  }

  get #isSuccess(): boolean {
    return this.#statusCode >= 200 && this.#statusCode < 300;
  }

  #finish(): void {
    clearTimeout(this.#timer);
    this.#resolve({
      statusCode: this.#statusCode,
      headers: this.#headers,
      answeredAtMs: this.#answeredAtMs,
      bytes: this.#bytes.subarray(0, this.#size),
      isTooLarge: this.#isTooLarge,
    });
  }
}

type IncomingHeaders = Readonly<Record<string, string | string[] | undefined>>;
