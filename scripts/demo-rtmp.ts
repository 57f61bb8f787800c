/**
 * `npm run demo -- --rtmp`: the same recording from a real streaming server. ffmpeg publishes to nginx-rtmp, whose hooks
 * tell the service of start and end, and the uploader brings the HLS that it writes to disk into the bucket.
 */
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readConfig } from '../lib/platform/config.ts';
import { createLogger } from '../lib/platform/logging.ts';
import { readHook } from '../lib/recordings/hook-payloads.ts';
import { createS3Client, S3ObjectStore } from '../lib/storage/s3-object-store.ts';
import { startUploader, type Uploader } from '../lib/upload/uploader.ts';
import { findNginxRtmp, startNginxRtmp } from '../test/support/servers/nginx-rtmp.ts';
import { startPublisher } from '../test/support/servers/publisher.ts';
import type { RtmpServer } from '../test/support/servers/rtmp-server.ts';
import type { DemoService } from './demo-service.ts';

export interface RtmpDemo extends AsyncDisposable {
  /** Where to publish, and the folder that is uploaded. */
  readonly server: RtmpServer;
  /** Segments that are in the bucket. */
  readonly uploaded: ReadonlySet<string>;
  /** Files of a stream, in order. */
  files(streamKey: string): Promise<string[]>;
  /** Publishes a test picture; resolves when the publisher is done, with what it complained of. */
  publish(streamKey: string, seconds: number, signal: AbortSignal): Promise<string>;
}

/** The id that the service gives to a stream of nginx-rtmp. */
export function rtmpStreamId(streamKey: string): string {
  const hook = readHook('nginx-rtmp', `call=publish&app=live&name=${streamKey}`);
  if (!hook) throw new Error('A start is not read as one');
  return hook.streamId;
}

/** Null where nginx is not installed: `NGINX_MISSING` says how to have it. */
export async function openRtmp(service: DemoService, ffmpegPath: string, folder: string): Promise<RtmpDemo | null> {
  const installed = await findNginxRtmp();
  if (!installed) return null;
  await mkdir(folder, { recursive: true });
  const token = process.env.HOOK_TOKEN ? `?token=${process.env.HOOK_TOKEN}` : '';
  const server = await startNginxRtmp(installed, folder, `${service.url}/hooks/nginx-rtmp${token}`);
  const uploaded = new Set<string>();
  const uploader = await startUpload(service, server.hlsFolder, uploaded).catch(async (error: unknown) => {
    await server.stop();
    throw error;
  });
  return {
    server,
    uploaded,
    files: async (streamKey) => {
      const names = (await readdir(join(server.hlsFolder, streamKey))).filter((name) => name.endsWith('.ts'));
      const ordered = names.sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
      return ordered.map((name) => join(server.hlsFolder, streamKey, name));
    },
    publish: async (streamKey, seconds, signal) => {
      const url = `${server.url}/${streamKey}`;
      const publisher = startPublisher({ ffmpegPath, url, seconds, size: '1280x720' });
      const stop = () => publisher.stop('SIGTERM');
      signal.addEventListener('abort', stop, { once: true });
      const { code, said } = await publisher.ended.finally(() => signal.removeEventListener('abort', stop));
      return code === 0 ? '' : said.trim().split('\n').at(-1) || 'ffmpeg failed';
    },
    [Symbol.asyncDispose]: async () => {
      await server.stop();
      await uploader.stop();
    },
  };
}

function startUpload({ s3 }: DemoService, from: string, uploaded: Set<string>): Promise<Uploader> {
  const config = readConfig({
    MINIO_ENDPOINT: new URL(s3.endpoint).host,
    MINIO_USE_SSL: String(s3.endpoint.startsWith('https:')),
    MINIO_ACCESS_KEY: s3.accessKeyId,
    MINIO_SECRET_KEY: s3.secretAccessKey,
    LIVE_BUCKET: process.env.LIVE_BUCKET,
  });
  const store = new S3ObjectStore(createS3Client(config));
  return startUploader({
    from,
    bucket: config.LIVE_BUCKET,
    logger: createLogger('warn'),
    store: {
      head: (...of) => store.head(...of),
      remove: (...of) => store.remove(...of),
      put: async (...of) => {
        const result = await store.put(...of);
        if (of[1].endsWith('.ts')) uploaded.add(of[1]);
        return result;
      },
    },
  });
}
