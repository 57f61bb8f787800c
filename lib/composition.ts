/**
 * The composition root: the only place that constructs clients, the clock and ids. A function asks for the service
 * on its first call; one service lives as long as the function's process.
 */
import { randomUUID } from 'node:crypto';
import { streamKeySchema } from './capture/segment-name.ts';
import { canExecute, type Ffmpeg, findFfmpeg } from './ffmpeg/find.ts';
import { type Clock, systemClock } from './platform/clock.ts';
import { type Config, readConfig } from './platform/config.ts';
import { type Database, openDatabase } from './platform/database.ts';
import { createLogger, keyFoldersOf, type Logger } from './platform/logging.ts';
import { resolveSecrets } from './platform/secrets.ts';
import { type RecordingContext, repositoriesOn } from './recordings/context.ts';
import { type MediaEngine, mediaEngine } from './recordings/media-engine.ts';
import { createOutboundTargets, type OutboundTarget } from './services/outbound-targets.ts';
import { createQueues, type Queues } from './services/queues.ts';
import { createStreamService, type StreamService } from './services/stream-service.ts';
import { createVodService, type VodService } from './services/vod-service.ts';
import { createDownloadLinks, type DownloadLinks } from './storage/download-links.ts';
import type { ObjectStore } from './storage/object-store.ts';
import { createS3Client, S3ObjectStore } from './storage/s3-object-store.ts';

/** What a test may replace; everything else is made from the configuration. */
export interface Overrides {
  readonly clock?: Clock;
  readonly logger?: Logger;
  readonly db?: Database;
  readonly store?: ObjectStore;
  readonly queues?: Queues;
  readonly streams?: StreamService;
  readonly vod?: VodService;
  readonly outbound?: readonly OutboundTarget[];
  readonly links?: DownloadLinks;
  readonly newId?: () => string;
  readonly ffmpeg?: () => Promise<Ffmpeg>;
  readonly media?: MediaEngine;
}

/** Builds the context of all use cases. Opens no connection yet. */
export function createContext(config: Config, overrides: Overrides = {}): RecordingContext {
  const logger = overrides.logger ?? createLogger(config.LOG_LEVEL, keyFoldersOf(config));
  const db = overrides.db ?? openDatabase(config, logger);
  return {
    config,
    db,
    logger,
    ...repositoriesOn(db),
    store: overrides.store ?? new S3ObjectStore(createS3Client(config)),
    queues: overrides.queues ?? createQueues(config, logger),
    streams:
      overrides.streams ??
      createStreamService(config.STREAM_SERVICE_URL, config.STREAM_SERVICE_TIMEOUT, streamKeySchema),
    vod: overrides.vod ?? createVodService(config.VOD_SERVICE_URL, config.VOD_SERVICE_TIMEOUT),
    outbound: overrides.outbound ?? createOutboundTargets(config),
    links: overrides.links ?? createDownloadLinks(config),
    clock: overrides.clock ?? systemClock,
    newId: overrides.newId ?? randomUUID,
    ffmpeg: overrides.ffmpeg ?? rememberFfmpeg(logger),
    media: overrides.media ?? mediaEngine,
  };
}

let context: Promise<RecordingContext> | undefined;

/**
 * The context of this process, from its environment; made once. What fails is tried again with the next call.
 * @throws {ConfigInvalid} naming the variable
 * @throws {SecretUnavailable} naming the variable whose secret cannot be read
 */
export function getContext(): Promise<RecordingContext> {
  context ??= resolveSecrets(process.env).then((environment) => createContext(readConfig(environment)));
  context.catch(() => {
    context = undefined;
  });
  return context;
}

/** Looks for ffmpeg once, and again when it is not (any longer) where it was found: installing it is all that heals. */
function rememberFfmpeg(logger: Logger): () => Promise<Ffmpeg> {
  let found: Ffmpeg | undefined;
  return async () => {
    if (!found || !(await canExecute(found.path))) {
      found = undefined;
      found = await findFfmpeg();
      logger.info({ path: found.path, version: found.version, source: found.source }, 'Found ffmpeg');
    }
    return found;
  };
}
