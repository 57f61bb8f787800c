/** The service's API as the page uses it: what it answers, and errors that can be shown. */

export type Status = 'recording' | 'processing' | 'completed' | 'failed';

export interface Recording {
  readonly id: string;
  readonly stream_id: string;
  readonly video_id: string | null;
  readonly file_path: string;
  readonly duration: number;
  readonly file_size: number;
  readonly status: Status;
  readonly started_at: string;
  readonly completed_at: string | null;
}

export interface Gap {
  readonly from: number;
  readonly to: number;
  readonly missing: number;
  readonly media_at_ms: number;
  readonly wall_clock_from: string;
  readonly wall_clock_to: string | null;
  readonly length_ms: number;
  readonly reasons: readonly string[];
}

export interface Report {
  readonly status: Status;
  readonly complete: boolean;
  readonly segments: {
    readonly expected: number;
    readonly captured: number;
    readonly left_out: number;
    readonly damaged: number;
  };
  readonly left_out: ReadonlyArray<{
    readonly name: string;
    readonly state: string;
    readonly reason: string | null;
    readonly at: string | null;
  }>;
  readonly damaged: ReadonlyArray<{ readonly name: string; readonly notes: readonly string[] }>;
  readonly gaps: readonly Gap[];
  readonly runs: ReadonlyArray<{
    readonly reason: string;
    readonly media_at_ms: number;
    readonly duration_ms: number;
    readonly segments: number;
    readonly wall_clock_gap_ms: number | null;
  }>;
  readonly media_duration_ms: number;
  readonly wall_clock_duration_ms: number | null;
  readonly av_offset_ms: { readonly start: number | null; readonly end: number | null };
  readonly sha256: string | null;
  readonly failure: { readonly code: string; readonly message: string } | null;
  readonly warnings: readonly string[];
}

export interface Segment {
  readonly id: number;
  readonly start: number;
  readonly duration: number;
  readonly starts_run: boolean;
}

export interface Clip {
  readonly id: string;
  readonly title: string | null;
  readonly start: number;
  readonly end: number;
  readonly status: 'pending' | 'ready' | 'failed';
  readonly from: number | null;
  readonly duration: number | null;
  readonly file_size: number | null;
  readonly error: string | null;
  readonly created_at: string;
}

/** What an operator should look at. */
export interface Attention {
  readonly recording_id: string;
  readonly problem: 'failed' | 'retrying' | 'silent' | 'incomplete';
  readonly code: string | null;
  readonly message: string;
}

export interface Overview {
  readonly recordings: Readonly<Record<'recording' | 'processing' | 'failed', number>>;
  readonly attention: readonly Attention[];
}

/** Something that the page can tell in a sentence. */
export class ApiError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const TIMEOUT_MS = 15_000;

async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    // `no-cache` asks with the ETag of what the browser has: what is unchanged costs a few bytes.
    response = await fetch(path, { cache: 'no-cache', signal: AbortSignal.timeout(TIMEOUT_MS), ...init });
  } catch {
    throw new ApiError(0, 'The recording service does not answer.');
  }
  if (response.ok) return response;
  const body: unknown = await response.json().catch(() => null);
  const told = typeof body === 'object' && body !== null && 'error' in body ? String(body.error) : response.statusText;
  throw new ApiError(response.status, told);
}

async function get<Body>(path: string): Promise<Body> {
  // The service's own answers, whose schemas are in /openapi.json.
  return (await (await ask(path)).json()) as Body;
}

export interface Page {
  readonly recordings: readonly Recording[];
  /** What to ask for to have the next page; null on the last. */
  readonly next: string | null;
}

export async function listRecordings(query: Record<string, string>): Promise<Page> {
  const response = await ask(`/recordings?${new URLSearchParams(query)}`);
  const { recordings } = (await response.json()) as { recordings: Recording[] };
  const link = /<\?([^>]*)>;\s*rel="next"/.exec(response.headers.get('link') ?? '')?.[1];
  return { recordings, next: link ? new URLSearchParams(link).get('cursor') : null };
}

export const getRecording = async (id: string) => (await get<{ recording: Recording }>(`/recording/${id}`)).recording;
export const getReport = async (id: string) => (await get<{ report: Report }>(`/recording/${id}/report`)).report;
export const getSegments = (id: string) =>
  get<{ segments: Segment[]; total: number }>(`/recording/${id}/segments?limit=1500`);
export const getClips = async (id: string) => (await get<{ clips: Clip[] }>(`/recording/${id}/clips`)).clips;

export const getOverview = async () => (await get<{ overview: Overview }>('/overview')).overview;

/** @throws {ApiError} 401 or 403 where this browser may not ask for it */
export async function retryRecording(id: string): Promise<void> {
  await ask(`/recording/${id}/retry`, { method: 'POST' });
}

export async function getStoryboard(id: string): Promise<string> {
  return (await ask(`/recording/${id}/storyboard.vtt`)).text();
}

export async function createClip(id: string, clip: { start: number; end: number; title?: string }): Promise<Clip> {
  const response = await ask(`/recording/${id}/clips`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(clip),
    signal: AbortSignal.timeout(60_000),
  });
  return ((await response.json()) as { clip: Clip }).clip;
}
