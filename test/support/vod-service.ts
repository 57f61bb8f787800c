/**
 * A stand-in for the VOD Service: `POST /import-recording` with a bearer token gives a video id. It
 * remembers what it was asked to import, and refuses what the real one would refuse.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { z } from 'zod';
import { listen, readBody, sendJson } from './http.ts';

const importRequest = z.strictObject({
  recording_id: z.uuid(),
  title: z.string().min(1),
  description: z.string().optional(),
  category: z.string().optional(),
  visibility: z.enum(['public', 'private', 'unlisted']).optional(),
});

export type ImportRequest = z.infer<typeof importRequest>;

export interface ImportedVideo {
  readonly videoId: string;
  readonly request: ImportRequest;
}

export interface VodServiceStandIn {
  readonly url: string;
  readonly imported: readonly ImportedVideo[];
  /** Answers every import with this status from now on; undefined makes it well again. */
  failWith(status: number | undefined): void;
  close(): Promise<void>;
}

/** The same recording twice gives the same video, as an importer that is retried needs. */
export async function startVodService(options: { token: string }): Promise<VodServiceStandIn> {
  const imported: ImportedVideo[] = [];
  let failStatus: number | undefined;

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (request.url !== '/import-recording') return sendJson(response, 404, { error: 'Not found' });
    if (request.method !== 'POST') return sendJson(response, 405, { error: 'Method not allowed' });
    if (failStatus !== undefined) return sendJson(response, failStatus, { error: 'Import failed' });
    if (request.headers.authorization !== `Bearer ${options.token}`) {
      return sendJson(response, 401, { error: 'Unauthorized' });
    }
    const parsed = importRequest.safeParse(parseJson(await readBody(request)));
    if (!parsed.success) return sendJson(response, 400, { error: 'Invalid import request' });
    const known = imported.find((video) => video.request.recording_id === parsed.data.recording_id);
    const videoId = known?.videoId ?? randomUUID();
    if (known === undefined) imported.push({ videoId, request: parsed.data });
    return sendJson(response, 200, { video_id: videoId });
  };

  const server = await listen(answer);
  return {
    url: server.url,
    imported,
    failWith: (status) => {
      failStatus = status;
    },
    close: () => server.close(),
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
