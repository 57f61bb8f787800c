import { mkdtemp, rm } from 'node:fs/promises';
import { networkInterfaces, tmpdir } from 'node:os';
import path from 'node:path';
import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import {
  JOBS_DEAD_LETTERS,
  JOBS_QUEUE,
  QUEUES,
  SEGMENTS_DEAD_LETTERS,
  SEGMENTS_QUEUE,
} from '../../../localstack/queues.ts';
import { type RunningSqs, startSqs } from '../../../localstack/sqs.ts';

let directory: string;
let server: RunningSqs;
let sqs: SQSClient;
let unique = 0;

// Timeouts that a test can wait for; names, order and redrive are those of the service.
const queues = QUEUES.map((queue) => ({
  ...queue,
  visibilityTimeoutSeconds: 1,
  ...(queue.deadLetter ? { deadLetter: { ...queue.deadLetter, maxReceiveCount: 2 } } : {}),
}));

async function start(): Promise<void> {
  server = await startSqs({ dataDir: directory, queues });
  sqs = new SQSClient({
    endpoint: server.endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'minioadmin', secretAccessKey: 'minioadmin123' },
  });
}

async function stop(): Promise<void> {
  sqs.destroy();
  await server.stop();
}

beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'stack-sqs-'));
  await start();
});

afterEach(async () => {
  await stop();
  await rm(directory, { recursive: true, force: true });
});

async function receive(queue: string, waitSeconds = 0, max = 10): Promise<Message[]> {
  const answer = await sqs.send(
    new ReceiveMessageCommand({
      QueueUrl: server.queueUrl(queue),
      MaxNumberOfMessages: max,
      WaitTimeSeconds: waitSeconds,
      MessageSystemAttributeNames: ['All'],
    }),
  );
  return answer.Messages ?? [];
}

const bodies = (messages: readonly Message[]) => messages.map((message) => message.Body);
const remove = (queue: string, { ReceiptHandle }: Message) =>
  sqs.send(new DeleteMessageCommand({ QueueUrl: server.queueUrl(queue), ReceiptHandle }));
const setVisibility = (queue: string, { ReceiptHandle }: Message, VisibilityTimeout: number) =>
  sqs.send(new ChangeMessageVisibilityCommand({ QueueUrl: server.queueUrl(queue), ReceiptHandle, VisibilityTimeout }));

const sendSegment = (MessageBody: string, DelaySeconds?: number) =>
  sqs.send(new SendMessageCommand({ QueueUrl: server.queueUrl(SEGMENTS_QUEUE), MessageBody, DelaySeconds }));

function sendJob(MessageBody: string, MessageGroupId: string, dedup?: string) {
  unique += 1;
  const MessageDeduplicationId = dedup ?? `d${unique}`;
  return sqs.send(
    new SendMessageCommand({
      QueueUrl: server.queueUrl(JOBS_QUEUE),
      MessageBody,
      MessageGroupId,
      MessageDeduplicationId,
    }),
  );
}

/** The only message there must be. */
function single(messages: readonly Message[]): Message {
  expect(messages).toHaveLength(1);
  return messages[0] ?? {};
}

describe('embedded SQS: the segments queue', () => {
  it('hides a delivered message until its visibility ends, then delivers it again and counts', async () => {
    await sendSegment('a');
    expect(bodies(await receive(SEGMENTS_QUEUE))).toEqual(['a']);
    expect(await receive(SEGMENTS_QUEUE)).toEqual([]);
    const [again] = await receive(SEGMENTS_QUEUE, 5);
    expect(again?.Attributes?.ApproximateReceiveCount).toBe('2');
  });

  it('makes a message visible at once with visibility 0, and never again after its deletion', async () => {
    await sendSegment('b');
    await setVisibility(SEGMENTS_QUEUE, single(await receive(SEGMENTS_QUEUE)), 0);
    await remove(SEGMENTS_QUEUE, single(await receive(SEGMENTS_QUEUE)));
    expect(await receive(SEGMENTS_QUEUE, 2)).toEqual([]);
  });

  it('holds a delayed message back', async () => {
    const sentAt = Date.now();
    await sendSegment('later', 1);
    expect(await receive(SEGMENTS_QUEUE)).toEqual([]);
    expect(bodies(await receive(SEGMENTS_QUEUE, 5))).toEqual(['later']);
    expect(Date.now() - sentAt).toBeGreaterThanOrEqual(1000);
  });

  it('moves a message that failed too often to the dead-letter queue', async () => {
    await sendSegment('poison');
    for (let delivery = 1; delivery <= 2; delivery += 1) {
      await setVisibility(SEGMENTS_QUEUE, single(await receive(SEGMENTS_QUEUE, 2)), 0);
    }
    expect(await receive(SEGMENTS_QUEUE)).toEqual([]);
    expect(bodies(await receive(SEGMENTS_DEAD_LETTERS))).toEqual(['poison']);
  });

  it('wakes a waiting receiver as soon as a message comes', async () => {
    const waiting = receive(SEGMENTS_QUEUE, 20);
    server.send(SEGMENTS_QUEUE, 'direct');
    expect(bodies(await waiting)).toEqual(['direct']);
  });
});

describe('embedded SQS: the FIFO jobs queue', () => {
  it('gives one message a group at a time, in order, and other groups meanwhile', async () => {
    await sendJob('a1', 'A');
    await sendJob('a2', 'A');
    await sendJob('b1', 'B');
    const first = await receive(JOBS_QUEUE);
    expect(bodies(first).sort()).toEqual(['a1', 'b1']);
    expect(await receive(JOBS_QUEUE)).toEqual([]);
    const a1 = first.find((message) => message.Body === 'a1');
    await remove(JOBS_QUEUE, a1 ?? {});
    expect(bodies(await receive(JOBS_QUEUE))).toEqual(['a2']);
  });

  it('delivers a failed message again before those behind it', async () => {
    await sendJob('first', 'A');
    await sendJob('second', 'A');
    await setVisibility(JOBS_QUEUE, single(await receive(JOBS_QUEUE)), 0);
    expect(bodies(await receive(JOBS_QUEUE))).toEqual(['first']);
  });

  it('drops a second message with the same deduplication id, even after the first was deleted', async () => {
    await sendJob('once', 'A', 'same');
    await remove(JOBS_QUEUE, single(await receive(JOBS_QUEUE)));
    await sendJob('once', 'A', 'same');
    expect(await receive(JOBS_QUEUE, 1)).toEqual([]);
  });

  it('moves a message that failed too often away, and the group goes on', async () => {
    await sendJob('poison', 'A');
    await sendJob('healthy', 'A');
    for (let delivery = 1; delivery <= 2; delivery += 1) {
      await setVisibility(JOBS_QUEUE, single(await receive(JOBS_QUEUE)), 0);
    }
    expect(bodies(await receive(JOBS_QUEUE))).toEqual(['healthy']);
    const dead = single(await receive(JOBS_DEAD_LETTERS));
    expect(dead).toMatchObject({ Body: 'poison', Attributes: { MessageGroupId: 'A' } });
  });
});

describe('embedded SQS: restarts and borders', () => {
  it('keeps waiting and delayed messages over a restart, and sets those in work free', async () => {
    await sendSegment('waiting');
    await sendJob('in work', 'A');
    await sendJob('behind', 'A');
    await sendSegment('delayed', 1);
    await setVisibility(JOBS_QUEUE, single(await receive(JOBS_QUEUE)), 600);
    await stop();
    await start();
    expect(bodies(await receive(SEGMENTS_QUEUE))).toEqual(['waiting']);
    const job = single(await receive(JOBS_QUEUE));
    expect(job).toMatchObject({ Body: 'in work', Attributes: { ApproximateReceiveCount: '2' } });
    await remove(JOBS_QUEUE, job);
    expect(bodies(await receive(JOBS_QUEUE))).toEqual(['behind']);
    expect(bodies(await receive(SEGMENTS_QUEUE, 5))).toContain('delayed');
  });

  it('takes over changed settings at a restart', async () => {
    await server.stop();
    server = await startSqs({ dataDir: directory, queues: QUEUES });
    sqs.destroy();
    sqs = new SQSClient({
      endpoint: server.endpoint,
      region: 'us-east-1',
      credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
    });
    const url = server.queueUrl(JOBS_QUEUE);
    const { Attributes } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ['All'] }));
    expect(Attributes).toMatchObject({ VisibilityTimeout: '5400', FifoQueue: 'true' });
    expect(JSON.parse(Attributes?.RedrivePolicy ?? '{}')).toMatchObject({ maxReceiveCount: 5 });
  });

  it('answers on loopback only, and nothing but SQS', async () => {
    expect((await fetch(`${server.endpoint}/some-bucket`)).status).toBe(404);
    const sns = await fetch(server.endpoint, { method: 'POST', body: new URLSearchParams({ Action: 'ListTopics' }) });
    expect(sns.status).toBe(404);
    const outside = Object.values(networkInterfaces())
      .flat()
      .find((address) => address?.family === 'IPv4' && !address.internal);
    // A machine may have no other interface; then there is nothing to reach it by.
    if (outside) await expect(fetch(`http://${outside.address}:${server.port}/`)).rejects.toThrow('fetch failed');
  });

  it('names the port that is taken', async () => {
    await expect(startSqs({ port: server.port, queues: [] })).rejects.toMatchObject({
      code: 'PORT_TAKEN',
      message: expect.stringContaining('SQS_PORT'),
    });
  });
});
