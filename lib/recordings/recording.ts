/** A recording: its row as a value, and how it looks from outside. No SQL here, and no transitions. */
import { toRfc3339Seconds } from '../platform/clock.ts';

export type RecordingStatus = 'recording' | 'processing' | 'completed' | 'failed';

/** Who told us of a start or an end: a webhook, the Stream Service when asked, or our own rules. */
export type EventSource = 'webhook' | 'poll' | 'ended-event' | 'stale' | 'superseded' | 'max-duration';

/** The last playlist that was read for a recording. */
export interface PlaylistState {
  readonly endList: boolean;
  readonly mediaSequence: number;
  readonly names: readonly string[];
  readonly modifiedAtMs: number;
}

/** An object of live-segments that no recording has. */
export interface UnclaimedObject {
  readonly key: string;
  readonly etag: string;
  readonly modifiedAtMs: number;
}

/** Figures that are fixed when the file is: kept for the report and for verification. */
export interface RecordingFacts {
  /** Set before the first byte goes to the final key: an object found there from then on is ours. */
  readonly writing?: boolean;
  readonly warnings?: readonly string[];
  readonly durationMs?: number;
  readonly segments?: number;
  readonly engine?: 'short-way' | 'parts';
  readonly parts?: number;
  readonly tracks?: ReadonlyArray<{
    readonly kind: string;
    readonly codec: string;
    readonly samples: number;
    readonly durationMs: number;
    readonly bytes: number;
  }>;
  /** What the object will be when the upload is completed, written down before asking for it. */
  readonly completing?: { readonly uploadId: string; readonly sizeBytes: number; readonly etag: string | null };
  /** Attempts that failed by themselves: the others waited for what was away, and do not count. */
  readonly faults?: number;
  /** When a retry, or a late segment, had the file made anew. */
  readonly reopenedAt?: string;
  readonly finishMs?: number;
  readonly reconnects?: ReadonlyArray<{ readonly endedAt: string; readonly resumedAt: string }>;
  /** What came after the end and was nobody's then. */
  readonly unclaimed?: readonly UnclaimedObject[];
  /** Its start was lost, and when its end came there was nobody to ask. */
  readonly isStartUnknown?: boolean;
  /** By what came later, places that are written may be wrong (reorder.ts). */
  readonly isOrderDoubtful?: boolean;
  /** How many segments there were when the file was made anew for that. */
  readonly reorderedWith?: number;
}

export interface Recording {
  readonly id: string;
  readonly streamId: string;
  readonly streamKey: string;
  readonly userId: string | null;
  readonly videoId: string | null;
  readonly filePath: string;
  readonly durationSeconds: number;
  readonly fileSizeBytes: number;
  readonly status: RecordingStatus;
  readonly startedAt: Date;
  readonly completedAt: Date | null;
  readonly objectKey: string;
  readonly startSource: EventSource;
  readonly endedAt: Date | null;
  /** When we heard of the end, on the database's clock. */
  readonly endHeardAt: Date | null;
  readonly endSource: EventSource | null;
  readonly generation: number;
  readonly uploadId: string | null;
  readonly engineState: unknown;
  readonly playlist: PlaylistState | null;
  readonly failureCode: string | null;
  readonly failureMessage: string | null;
  readonly attempts: number;
  readonly nextAttemptAt: Date | null;
  readonly leaseToken: string | null;
  readonly lastSegmentAt: Date | null;
  readonly facts: RecordingFacts;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** The earliest that a segment of the recording can be of, on the database's clock: a start told for the future is when we heard it. */
export function capturesSinceMs(recording: Pick<Recording, 'startedAt' | 'createdAt'>): number {
  return Math.min(recording.startedAt.getTime(), recording.createdAt.getTime());
}

/** A recording as the API gives it: exactly these fields. */
export interface PublicRecording {
  id: string;
  stream_id: string;
  video_id: string | null;
  file_path: string;
  duration: number;
  file_size: number;
  status: RecordingStatus;
  started_at: string;
  completed_at: string | null;
}

export function toPublicRecording(recording: Recording): PublicRecording {
  return {
    id: recording.id,
    stream_id: recording.streamId,
    video_id: recording.videoId,
    file_path: recording.filePath,
    duration: recording.durationSeconds,
    file_size: recording.fileSizeBytes,
    status: recording.status,
    started_at: toRfc3339Seconds(recording.startedAt),
    completed_at: recording.completedAt && toRfc3339Seconds(recording.completedAt),
  };
}
