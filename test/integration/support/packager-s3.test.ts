/** The packager against the embedded S3 server: what lies in the bucket while it runs and after it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GetObjectCommand, ListObjectsV2Command, type S3Client } from '@aws-sdk/client-s3';
import { DEFAULT_CREDENTIALS, type RunningS3, startS3 } from '../../../localstack/s3.ts';
import { type Hls, makeHls } from '../../support/media/index.ts';
import { packagerS3Client, s3PackagerStore, startPackager } from '../../support/packager.ts';
import { readHlsFolder } from '../../support/packager-source.ts';

let server: RunningS3;
let client: S3Client;
let hls: Hls;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'packager-s3-'));
  server = await startS3({ dataDir: folder, buckets: ['live-segments'], fast: true });
  client = packagerS3Client({ endpoint: server.endpoint, ...DEFAULT_CREDENTIALS });
  hls = await makeHls({ seconds: 12 });
});
afterAll(async () => {
  client?.destroy();
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
});

async function names(streamKey: string): Promise<string[]> {
  const page = await client.send(new ListObjectsV2Command({ Bucket: 'live-segments', Prefix: `${streamKey}/` }));
  return (page.Contents ?? []).map((object) => object.Key?.slice(streamKey.length + 1) ?? '').sort();
}

async function read(key: string): Promise<{ text: string; type: string | undefined }> {
  const object = await client.send(new GetObjectCommand({ Bucket: 'live-segments', Key: key }));
  return { text: (await object.Body?.transformToString()) ?? '', type: object.ContentType };
}

describe('a packager on S3', () => {
  it('leaves the window it has not deleted, and a closed playlist of it, below its stream key', async () => {
    const segments = await readHlsFolder(hls.dir);
    const options = { playlist: { kind: 'window', segments: 2 }, deleteBehind: 3 } as const;
    await startPackager({ store: s3PackagerStore(client, 'key-1'), segments, ...options }).done;
    expect(await names('key-1')).toEqual(['index.m3u8', 'segment_003.ts', 'segment_004.ts', 'segment_005.ts']);
    const playlist = await read('key-1/index.m3u8');
    expect(playlist.type).toBe('application/vnd.apple.mpegurl');
    expect(playlist.text).toMatch(/#EXT-X-MEDIA-SEQUENCE:4\n.*segment_004\.ts\n.*segment_005\.ts\n#EXT-X-ENDLIST\n$/s);
    expect(await read('key-1/segment_004.ts')).toMatchObject({ type: 'video/mp2t' });
  });

  it('fails with the reason of the store where its credentials are wrong', async () => {
    const stranger = packagerS3Client({
      endpoint: server.endpoint,
      accessKeyId: 'minioadmin',
      secretAccessKey: 'wrong',
    });
    const segments = await readHlsFolder(hls.dir);
    const run = startPackager({ store: s3PackagerStore(stranger, 'key-2'), segments });
    await expect(run.done).rejects.toMatchObject({ name: 'SignatureDoesNotMatch' });
    expect(await names('key-2')).toEqual([]);
  });
});
