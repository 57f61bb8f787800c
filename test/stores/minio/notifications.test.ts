/**
 * MinIO's webhook target against POST /webhook/segments, as docs/STORES.md configures it: with its Bearer token, and
 * with a queue on disk for the time when the service is away. Nobody polls here.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { PutBucketNotificationConfigurationCommand } from '@aws-sdk/client-s3';
import { readConfig } from '../../../lib/platform/config.ts';
import { createS3Client, S3ObjectStore } from '../../../lib/storage/s3-object-store.ts';
import { freePort } from '../../../localstack/ports.ts';
import { expectExact, play, recordingsOf } from '../../e2e/scenario.ts';
import { call } from '../../support/http.ts';
import { type Hls, makeHls } from '../../support/media/index.ts';
import { startMinio } from '../../support/stores/minio.ts';
import { type ServiceOnStore, startServiceOn } from '../../support/stores/service-on-store.ts';
import type { StoreServer } from '../../support/stores/store-server.ts';
import { waitFor } from '../../support/wait.ts';

const TOKEN = 'token-of-the-store-1';
let folder: string;
let server: StoreServer;
let service: ServiceOnStore;
let hls: Hls;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'minio-queue-'));
  const port = await freePort();
  const target = (id: string, token: string) => ({
    [`MINIO_NOTIFY_WEBHOOK_ENABLE_${id}`]: 'on',
    [`MINIO_NOTIFY_WEBHOOK_ENDPOINT_${id}`]: `http://127.0.0.1:${port}/webhook/segments`,
    [`MINIO_NOTIFY_WEBHOOK_AUTH_TOKEN_${id}`]: token,
    [`MINIO_NOTIFY_WEBHOOK_QUEUE_DIR_${id}`]: join(folder, id),
  });
  server = await startMinio({ env: { ...target('RECORDER', TOKEN), ...target('STRANGER', 'another-token-2') } });
  await server.allowReading();
  const env = { MINIO_WEBHOOK_TOKEN: TOKEN, END_GRACE: '2s' };
  [service, hls] = await Promise.all([
    startServiceOn(server, { port, env }),
    makeHls({ seconds: 12, segmentSeconds: 2, fps: '30000/1001', bframes: 2, audio: [{ codec: 'aac' }] }),
  ]);
  await notify('RECORDER');
});
afterAll(async () => {
  await service?.stop();
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
});

/** The bucket tells one target of each segment. */
async function notify(id: string): Promise<void> {
  const client = createS3Client(readConfig(server.env));
  const QueueConfigurations = ['.ts'].map((Value) => ({
    QueueArn: `arn:minio:sqs::${id}:webhook`,
    Events: ['s3:ObjectCreated:*' as const],
    Filter: { Key: { FilterRules: [{ Name: 'suffix' as const, Value }] } },
  }));
  await client.send(
    new PutBucketNotificationConfigurationCommand({
      Bucket: 'live-segments',
      NotificationConfiguration: { QueueConfigurations },
    }),
  );
  client.destroy();
}

async function captured(streamId: string): Promise<number> {
  const [recording] = await recordingsOf(service.url, streamId);
  const { json } = await call(`${service.url}/recording/${recording?.id}/report`);
  return (json as { report: { segments: { captured: number } } }).report.segments.captured;
}

const put = (streamKey: string, path: string) =>
  readFile(path).then((bytes) =>
    new S3ObjectStore(createS3Client(readConfig(server.env))).put(
      'live-segments',
      `${streamKey}/${basename(path)}`,
      bytes,
      'video/mp2t',
    ),
  );

describe("MinIO's notifications", () => {
  it('capture every segment while it is live, and the recording is exact', async () => {
    const played = await play(service, {
      hls,
      speed: 6,
      beforeEnd: async ({ stream_id }) => {
        const all = async () => (await captured(stream_id)) === hls.segments.length;
        await waitFor('all segments are captured', all, { withinMs: 5000 });
      },
    });
    await expectExact(service, played, hls.segments);
  });

  it('that could not be delivered are delivered when the service is back', async () => {
    const stream = await service.streams.startStream();
    await put(stream.stream_key, hls.segments[0] ?? '');
    await waitFor('the first segment is captured', async () => (await captured(stream.stream_id)) === 1, {
      withinMs: 5000,
    });
    await service.pause();
    for (const path of hls.segments.slice(1, 3)) await put(stream.stream_key, path);
    await service.resume();
    await waitFor('the segments of meanwhile are captured', async () => (await captured(stream.stream_id)) === 3, {
      withinMs: 30_000,
    });
    await service.streams.endStream(stream.stream_id);
  });

  it('with another token are refused, and said to be', async () => {
    const stream = await service.streams.startStream();
    await notify('STRANGER');
    const before = service.log.length;
    await put(stream.stream_key, hls.segments[0] ?? '');
    const refused = () =>
      service.log.slice(before).some((line) => line.includes('"status":401') && line.includes('/webhook/segments'));
    await waitFor('the notification is refused', refused, { withinMs: 10_000 });
    expect(await captured(stream.stream_id)).toBe(0);
    await service.streams.endStream(stream.stream_id);
    await notify('RECORDER');
  });
});
