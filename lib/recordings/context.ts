/** What the use cases of this folder work with; built once, in lib/composition.ts. */
import type { Ffmpeg } from '../ffmpeg/find.ts';
import type { Clock } from '../platform/clock.ts';
import type { Config } from '../platform/config.ts';
import type { Database, Queryable } from '../platform/database.ts';
import type { Logger } from '../platform/logging.ts';
import type { OutboundTarget } from '../services/outbound-targets.ts';
import type { Queues } from '../services/queues.ts';
import type { StreamService } from '../services/stream-service.ts';
import type { VodService } from '../services/vod-service.ts';
import type { DownloadLinks } from '../storage/download-links.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { LeaseRepository } from './lease-repository.ts';
import type { MediaEngine } from './media-engine.ts';
import { PartRepository } from './part-repository.ts';
import { PlaceRepository } from './place-repository.ts';
import { RecordingRepository } from './recording-repository.ts';
import { RetentionRepository } from './retention-repository.ts';
import { SegmentRepository } from './segment-repository.ts';

export interface RecordingContext {
  readonly config: Config;
  readonly db: Database;
  readonly recordings: RecordingRepository;
  readonly leases: LeaseRepository;
  readonly retention: RetentionRepository;
  readonly segments: SegmentRepository;
  readonly places: PlaceRepository;
  readonly parts: PartRepository;
  readonly store: ObjectStore;
  readonly queues: Queues;
  readonly streams: StreamService;
  readonly vod: VodService;
  /** Who is told of events. */
  readonly outbound: readonly OutboundTarget[];
  readonly links: DownloadLinks;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Fresh random UUIDs. */
  readonly newId: () => string;
  /** The ffmpeg binary; looked for on first use. @throws {FfmpegMissing} */
  readonly ffmpeg: () => Promise<Ffmpeg>;
  readonly media: MediaEngine;
}

/** The repositories on the pool, or on one transaction. */
export function repositoriesOn(
  client: Queryable,
): Pick<RecordingContext, 'recordings' | 'leases' | 'retention' | 'segments' | 'places' | 'parts'> {
  return {
    recordings: new RecordingRepository(client),
    leases: new LeaseRepository(client),
    retention: new RetentionRepository(client),
    segments: new SegmentRepository(client),
    places: new PlaceRepository(client),
    parts: new PartRepository(client),
  };
}

/** `now` of the context's clock as a Date. */
export function nowOf(context: Pick<RecordingContext, 'clock'>, plusMs = 0): Date {
  return new Date(context.clock.now() + plusMs);
}
