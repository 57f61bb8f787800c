/**
 * Calls to other services: to addresses of the configuration only, without following redirects (a redirect could lead
 * anywhere inside our network), with a time limit over the whole answer and a limit of its size.
 */

export interface OutboundRequest {
  readonly method: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Covers connecting and the whole answer. */
  readonly timeoutMs: number;
  /** Null: the status is all that matters, and no body is waited for. */
  readonly maxAnswerBytes: number | null;
}

export interface OutboundReply {
  readonly status: number;
  readonly text: string;
  readonly retryAfter: string | null;
}

/**
 * Makes one call. Any status is a reply, a redirect's too.
 * @throws {Error} with one readable line: no connection, no whole answer in time, or one that is too large
 */
export async function callOut(url: string, request: OutboundRequest): Promise<OutboundReply> {
  const signal = AbortSignal.timeout(request.timeoutMs);
  try {
    const answer = await fetch(url, {
      method: request.method,
      redirect: 'manual',
      signal,
      headers: { 'user-agent': 'recording-service', ...request.headers },
      ...(request.body === undefined ? {} : { body: request.body }),
    });
    const text = await readLimited(answer, request.maxAnswerBytes);
    return { status: answer.status, text, retryAfter: answer.headers.get('retry-after') };
  } catch (error) {
    if (signal.aborted) throw new Error(`no whole answer within ${request.timeoutMs} ms`, { cause: error });
    throw new Error(reasonOf(error), { cause: error });
  }
}

async function readLimited(answer: Response, maxBytes: number | null): Promise<string> {
  if (maxBytes === null) {
    await answer.body?.cancel();
    return '';
  }
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of answer.body ?? []) {
    bytes += chunk.length;
    // Leaving the loop ends the connection.
    if (bytes > maxBytes) throw new Error(`the answer is larger than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** fetch hides why it failed in its cause, and where several addresses were tried in the errors of that. */
function reasonOf(error: unknown): string {
  const { message, cause } = error as {
    message?: unknown;
    cause?: { message?: string; errors?: Array<{ message?: string }> };
  };
  return cause?.errors?.[0]?.message || cause?.message || String(message);
}
