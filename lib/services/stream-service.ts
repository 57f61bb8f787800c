/**
 * Reads the Stream Service: which streams are live, and one stream's state (docs/STREAM-SERVICE.md is the
 * contract). It only reads; what follows from an answer is decided in lib/recordings.
 */
import { z } from 'zod';
import { rfc3339 } from '../platform/rfc3339.ts';
import { NeighbourUnavailable } from './errors.ts';
import { callOut } from './outbound-http.ts';

const stream = z.object({
  stream_id: z.uuid().transform((id) => id.toLowerCase()),
  stream_key: z.string(),
  user_id: z.uuid().nullish(),
  status: z.enum(['live', 'ended']),
  started_at: rfc3339,
  ended_at: rfc3339.nullish(),
});

const liveAnswer = z.object({ streams: z.array(z.unknown()) });

/** A stream as the Stream Service describes it. */
export interface StreamState {
  readonly streamId: string;
  readonly streamKey: string;
  readonly userId: string | null;
  readonly live: boolean;
  readonly startedAt: Date;
  readonly endedAt: Date | null;
}

export interface StreamService {
  /** All live streams; entries that break the contract are left out and counted. @throws {NeighbourUnavailable} */
  listLive(): Promise<{ streams: StreamState[]; invalid: number }>;
  /** One stream, or null where the service says that it knows none. @throws {NeighbourUnavailable} */
  find(streamId: string): Promise<StreamState | null>;
}

const MAX_ANSWER_BYTES = 16 * 1024 * 1024;

/**
 * The Stream Service over HTTP; every call ends within `timeoutMs` and follows no redirect.
 * @param streamKey what a stream key may be: a stream of another one breaks the contract
 */
export function createStreamService(baseUrl: string, timeoutMs: number, streamKey: z.ZodType<string>): StreamService {
  const recordable = stream.extend({ stream_key: streamKey });
  const streamAnswer = z.object({ stream: recordable });
  const read = async (path: string): Promise<{ status: number; body: unknown }> => {
    const url = `${baseUrl}${path}`;
    try {
      const reply = await callOut(url, {
        method: 'GET',
        headers: { accept: 'application/json' },
        timeoutMs,
        maxAnswerBytes: MAX_ANSWER_BYTES,
      });
      if (reply.status !== 200 && reply.status !== 404) throw new Error(`status ${reply.status}`);
      return { status: reply.status, body: reply.status === 200 ? parseJson(reply.text) : null };
    } catch (error) {
      throw new NeighbourUnavailable(`Stream Service GET ${url}: ${(error as Error).message}`, { cause: error });
    }
  };
  return {
    async listLive() {
      const { status, body } = await read('/streams?status=live');
      const answer = liveAnswer.safeParse(body);
      if (status !== 200 || !answer.success)
        throw new NeighbourUnavailable('Stream Service: the list of live streams is not of its contract');
      const parsed = answer.data.streams.map((entry) => recordable.safeParse(entry));
      const streams = parsed.flatMap((entry) =>
        entry.success && entry.data.status === 'live' ? [toState(entry.data)] : [],
      );
      return { streams, invalid: parsed.filter((entry) => !entry.success).length };
    },
    async find(streamId) {
      const { status, body } = await read(`/streams/${encodeURIComponent(streamId)}`);
      if (status === 404) return null;
      const answer = streamAnswer.safeParse(body);
      if (!answer.success || answer.data.stream.stream_id !== streamId) {
        throw new NeighbourUnavailable('Stream Service: the answer about a stream is not of its contract');
      }
      return toState(answer.data.stream);
    },
  };
}

function toState(entry: z.output<typeof stream>): StreamState {
  return {
    streamId: entry.stream_id,
    streamKey: entry.stream_key,
    userId: entry.user_id ?? null,
    live: entry.status === 'live',
    startedAt: new Date(entry.started_at),
    endedAt: entry.ended_at ? new Date(entry.ended_at) : null,
  };
}

/** The parser's own message would quote the answer, and stream keys stand in it. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error('the answer is not JSON');
  }
}
