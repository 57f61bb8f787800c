/**
 * `npm run upload`: the uploader as a program, beside a streaming server or an ffmpeg that writes HLS to disk. Reads the
 * arguments and the service's own variables; the work is lib/upload/.
 */
import { resolve } from 'node:path';
import { type Config, ConfigInvalid, readConfig } from '../lib/platform/config.ts';
import { createLogger, keyFoldersOf, type Logger } from '../lib/platform/logging.ts';
import { resolveSecrets, SecretUnavailable } from '../lib/platform/secrets.ts';
import { createS3Client, S3ObjectStore } from '../lib/storage/s3-object-store.ts';
import { startUploader, type Uploader } from '../lib/upload/uploader.ts';
import { parseUploadArguments, UPLOAD_USAGE, type UploadArguments } from './upload-arguments.ts';

/** For the file that is under way; what is not done then is done after the next start. */
const STOP_MS = 10_000;

async function start(options: UploadArguments): Promise<{ uploader: Uploader; logger: Logger }> {
  const environment = await resolveSecrets(process.env);
  const config = readConfig({ ...environment, ...(options.to ? { LIVE_BUCKET: options.to } : {}) });
  // npm changes into the project's folder: a name is meant from where it was typed.
  const from = resolve(process.env.INIT_CWD || '.', options.from);
  const logger = createLogger(config.LOG_LEVEL, [...keyFoldersOf(config), from]).child({ program: 'uploader' });
  const store = new S3ObjectStore(createS3Client(config));
  const ledgerFile = options.ledgerFile && resolve(process.env.INIT_CWD || '.', options.ledgerFile);
  const uploader = await startUploader({
    from,
    bucket: config.LIVE_BUCKET,
    store,
    logger,
    deleteAfterMs: options.deleteAfterMs,
    all: options.all,
    ...(ledgerFile ? { ledgerFile } : {}),
    ...(options.idleMs === undefined ? {} : { idleMs: options.idleMs }),
    ...(options.intervalMs === undefined ? {} : { intervalMs: options.intervalMs }),
  });
  announce(config, store, logger, from);
  return { uploader, logger };
}

/** A store that is away is not a reason not to start: it is waited for. */
function announce(config: Config, store: S3ObjectStore, logger: Logger, from: string): void {
  logger.info({ from, to: config.LIVE_BUCKET, endpoint: config.MINIO_ENDPOINT }, '🚀 Uploader started');
  store.checkBucket(config.LIVE_BUCKET).then(
    () => logger.info(`✅ Connected to MinIO bucket: ${config.LIVE_BUCKET}`),
    (error: unknown) => logger.error({ err: error }, `The bucket ${config.LIVE_BUCKET} cannot be used yet`),
  );
}

async function main(): Promise<void> {
  const parsed = parseUploadArguments(process.argv.slice(2));
  if (parsed.kind !== 'run') {
    if (parsed.kind === 'help') console.log(UPLOAD_USAGE);
    else console.error(`${parsed.problem}. See npm run upload -- --help`);
    process.exitCode = parsed.kind === 'help' ? 0 : 2;
    return;
  }
  const { uploader, logger } = await start(parsed.options);
  const stop = () => {
    setTimeout(() => process.exit(0), STOP_MS).unref();
    void uploader.stop().then(() => {
      logger.info('Uploader stopped');
      process.exit(0);
    });
  };
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP', 'disconnect']) process.once(name, stop);
  process.channel?.unref();
}

await main().catch((error: unknown) => {
  const known = error instanceof ConfigInvalid || error instanceof SecretUnavailable || isFileError(error);
  console.error(known ? `${(error as Error).message}${hint(error)}` : error);
  process.exitCode = known ? 2 : 1;
});

function hint(error: unknown): string {
  const isDenied = ['EACCES', 'EROFS'].includes((error as NodeJS.ErrnoException).code ?? '');
  return isDenied ? '. The list of uploaded files is kept in the folder; --state FILE puts it elsewhere' : '';
}

/** `ENOENT: no such file or directory, realpath '/var/lib/hls'` says all that there is to say. */
function isFileError(error: unknown): boolean {
  return error instanceof Error && typeof (error as NodeJS.ErrnoException).syscall === 'string';
}
