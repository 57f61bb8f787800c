/**
 * The VOD Service: `POST /import-recording` makes a video of a completed recording. It judges the bearer token, ours or
 * the caller's; what may be imported is decided in lib/recordings.
 */
import { z } from 'zod';
import { ImportRefused, NeighbourUnavailable, TokenRefused } from './errors.ts';
import { callOut } from './outbound-http.ts';

export const visibility = z.enum(['public', 'unlisted', 'private']);

/** What the VOD Service is asked. */
export interface ImportRequest {
  readonly recording_id: string;
  readonly title: string;
  readonly description: string;
  readonly category: string;
  readonly visibility: z.output<typeof visibility>;
}

export interface VodService {
  /**
   * Imports a recording and returns the video's id.
   * @throws {TokenRefused} {ImportRefused} {NeighbourUnavailable}
   */
  importRecording(token: string, request: ImportRequest): Promise<string>;
}

/** The contract says `video_id`; a video as an object is understood as well. */
const answerSchema = z.union([
  z.object({ video_id: z.uuid() }).transform((answer) => answer.video_id),
  z.object({ video: z.object({ id: z.uuid() }) }).transform((answer) => answer.video.id),
]);

const MAX_ANSWER_BYTES = 256 * 1024;
/** Statuses that say "not like this", as opposed to "not now" or "not here". */
const REFUSALS = new Set([400, 409, 413, 415, 422]);

/** The VOD Service over HTTP. */
export function createVodService(baseUrl: string, timeoutMs: number): VodService {
  return {
    async importRecording(token, request) {
      const url = `${baseUrl}/import-recording`;
      const reply = await callOut(url, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', accept: 'application/json' },
        body: JSON.stringify(request),
        timeoutMs,
        maxAnswerBytes: MAX_ANSWER_BYTES,
      }).catch((error: unknown) => {
        throw new NeighbourUnavailable(`VOD Service POST ${url}: ${(error as Error).message}`, { cause: error });
      });
      if (reply.status === 401 || reply.status === 403) {
        throw new TokenRefused(`The VOD Service does not accept this token (status ${reply.status})`);
      }
      if (REFUSALS.has(reply.status)) {
        throw new ImportRefused(`The VOD Service refused the import (status ${reply.status})`);
      }
      const answer = answerSchema.safeParse(parseJson(reply.text));
      if (reply.status < 200 || reply.status > 299 || !answer.success) {
        throw new NeighbourUnavailable(
          `VOD Service POST ${url}: status ${reply.status}, or an answer without video_id`,
        );
      }
      return answer.data.toLowerCase();
    },
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
