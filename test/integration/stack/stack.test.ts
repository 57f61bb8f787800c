import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import pg from 'pg';
import { readConfig } from '../../../lib/platform/config.ts';
import { createS3Client } from '../../../lib/storage/s3-object-store.ts';
import { SEGMENTS_QUEUE } from '../../../localstack/queues.ts';
import { type Stack, startStack } from '../../../localstack/stack.ts';

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'stack-all-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const storeOf = (stack: Stack) => createS3Client(readConfig(stack.env));

async function receive(stack: Stack): Promise<string[]> {
  const client = new SQSClient({
    region: 'us-east-1',
    endpoint: stack.env.SQS_ENDPOINT ?? '',
    credentials: { accessKeyId: 'minioadmin', secretAccessKey: 'minioadmin123' },
  });
  const QueueUrl = stack.env.SEGMENTS_QUEUE_URL;
  const { Messages = [] } = await client.send(new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 }));
  client.destroy();
  return Messages.map((message) => message.Body ?? '');
}

describe('the embedded stack', () => {
  it('has the schema, both buckets and both queues, and tells of segments but of nothing else', async () => {
    const stack = await startStack();
    const s3 = storeOf(stack);
    for (const [Bucket, Key] of [
      ['live-segments', 'my show/segment_000.ts'],
      ['live-segments', 'my show/index.m3u8'],
      ['live-segments', 'my show/thumbnail.jpg'],
      ['live-segments', 'my show/segment_001.ts'],
      ['recordings', 'my show.ts'],
    ]) {
      await s3.send(new PutObjectCommand({ Bucket, Key, Body: Buffer.from('abc') }));
    }
    const records = (await receive(stack)).map((body) => JSON.parse(body).Records[0]);
    expect(records.map((record) => [record.eventName, record.s3.bucket.name, record.s3.object.key])).toEqual([
      ['ObjectCreated:Put', 'live-segments', 'my+show/segment_000.ts'],
      ['ObjectCreated:Put', 'live-segments', 'my+show/segment_001.ts'],
    ]);
    expect(records[0].s3.object).toMatchObject({ size: 3, eTag: '900150983cd24fb0d6963f7d28e17f72' });
    expect(records[1].s3.object.sequencer > records[0].s3.object.sequencer).toBe(true);
    const client = new pg.Client(stack.env.DATABASE_URL);
    await client.connect();
    expect((await client.query('SELECT count(*)::int AS count FROM recordings')).rows).toEqual([{ count: 0 }]);
    await client.end();
    s3.destroy();
    await stack.stop();
    await expect(readdir(stack.dataDir)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('keeps objects, rows and messages over a restart', async () => {
    const first = await startStack({ dataDir: directory, fast: true });
    const s3 = storeOf(first);
    await s3.send(new PutObjectCommand({ Bucket: 'live-segments', Key: 'kept/0.ts', Body: Buffer.from('kept') }));
    s3.destroy();
    const client = new pg.Client(first.env.DATABASE_URL);
    await client.connect();
    await client.query('CREATE TABLE kept AS SELECT 1 AS one');
    await client.end();
    await first.stop();

    const second = await startStack({ dataDir: directory, fast: true });
    const again = storeOf(second);
    const object = await again.send(new GetObjectCommand({ Bucket: 'live-segments', Key: 'kept/0.ts' }));
    expect(await object.Body?.transformToString()).toBe('kept');
    expect(await receive(second)).toHaveLength(1);
    const reader = new pg.Client(second.env.DATABASE_URL);
    await reader.connect();
    expect((await reader.query('SELECT one FROM kept')).rows).toEqual([{ one: 1 }]);
    await reader.end();
    again.destroy();
    await second.stop();
  });

  it('refuses a directory that another stack uses, and leaves that one alone', async () => {
    const first = await startStack({ dataDir: directory, fast: true });
    await expect(startStack({ dataDir: directory, fast: true })).rejects.toMatchObject({ code: 'DATA_DIR_IN_USE' });
    expect(first.pg?.pid && process.kill(first.pg.pid, 0)).toBe(true);
    await first.stop();
  });

  it.each([
    ['postgres', 'PG_PORT'],
    ['s3', 'S3_PORT'],
    ['sqs', 'SQS_PORT'],
  ] as const)('names the variable of a taken port (%s), and leaves nothing running', async (server, variable) => {
    const first = await startStack();
    const taken = first.s3?.port ?? 0;
    await expect(startStack({ dataDir: directory, ports: { [server]: taken } })).rejects.toMatchObject({
      code: 'PORT_TAKEN',
      message: expect.stringContaining(`${taken} is already in use: set ${variable}`),
    });
    // The directory is free again: the failed start has stopped what it had started.
    await (await startStack({ dataDir: directory, fast: true })).stop();
    await first.stop();
  });

  it('uses what the environment names instead of starting its own', async () => {
    const first = await startStack();
    const { DATABASE_URL, MINIO_ENDPOINT } = first.env;
    const second = await startStack({ environment: { DATABASE_URL, MINIO_ENDPOINT } });
    expect([second.pg, second.s3]).toEqual([undefined, undefined]);
    expect(second.env).not.toHaveProperty('DATABASE_URL');
    expect(second.sqs?.queueUrl(SEGMENTS_QUEUE)).toBe(second.env.SEGMENTS_QUEUE_URL);
    await second.stop();
    await first.stop();
  });

  it('loses notifications when a test wants that', async () => {
    const stack = await startStack({ notify: (event) => !event.key.includes('lost') });
    const s3 = storeOf(stack);
    for (const Key of ['a/lost.ts', 'a/kept.ts']) {
      await s3.send(new PutObjectCommand({ Bucket: 'live-segments', Key, Body: Buffer.from('x') }));
    }
    expect((await receive(stack)).map((body) => JSON.parse(body).Records[0].s3.object.key)).toEqual(['a/kept.ts']);
    s3.destroy();
    await stack.stop();
  });
});
