import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import type { SQSEvent } from 'aws-lambda';
import { type EventBridge, type EventBridgeOptions, startEventBridge } from '../../../localstack/event-bridge.ts';
import { JOBS_QUEUE, QUEUES, SEGMENTS_DEAD_LETTERS, SEGMENTS_QUEUE } from '../../../localstack/queues.ts';
import { type RunningSqs, startSqs } from '../../../localstack/sqs.ts';
import { until } from './until.ts';

interface Call {
  readonly name: string;
  readonly bodies: readonly string[];
  finish(result?: unknown): void;
  fail(): void;
}

let server: RunningSqs;
let client: SQSClient;
let bridge: EventBridge | undefined;
let calls: Call[];
let problems: string[];
const access = { region: 'us-east-1', accessKeyId: 'minioadmin', secretAccessKey: 'minioadmin123' };

beforeEach(async () => {
  // Twice delivered, then dead: the delays between deliveries stay short.
  const queues = QUEUES.map((queue) =>
    queue.deadLetter ? { ...queue, deadLetter: { ...queue.deadLetter, maxReceiveCount: 2 } } : queue,
  );
  server = await startSqs({ queues });
  client = new SQSClient({ endpoint: server.endpoint, region: 'us-east-1', credentials: access });
  calls = [];
  problems = [];
});

afterEach(async () => {
  await bridge?.stop();
  bridge = undefined;
  client.destroy();
  await server.stop();
});

/** Functions that end when the test says so. */
function start(options: Partial<EventBridgeOptions> = {}): void {
  bridge = startEventBridge({
    sqs: { endpoint: server.endpoint, ...access },
    sources: [
      { queueUrl: server.queueUrl(SEGMENTS_QUEUE), functionName: 'segments', batchSize: 10, concurrency: 2 },
      { queueUrl: server.queueUrl(JOBS_QUEUE), functionName: 'finalizer', batchSize: 1, concurrency: 3 },
    ],
    invoke: (name, event) =>
      new Promise((resolve, reject) => {
        const bodies = ((event as Partial<SQSEvent>).Records ?? []).map((record) => record.body);
        calls.push({ name, bodies, finish: resolve, fail: () => reject(new Error('the function failed')) });
      }),
    onProblem: (what) => problems.push(what),
    ...options,
  });
}

const sendJob = (body: string, group: string) =>
  client.send(
    new SendMessageCommand({
      QueueUrl: server.queueUrl(JOBS_QUEUE),
      MessageBody: body,
      MessageGroupId: group,
      MessageDeduplicationId: `${group}-${body}`,
    }),
  );

const bodiesOf = (name: string) => calls.filter((call) => call.name === name).flatMap((call) => call.bodies);

async function next(count: number): Promise<Call> {
  await until(() => calls.length >= count, 5000);
  const call = calls[count - 1];
  if (!call) throw new Error('there is such a call');
  return call;
}

describe('the local event bridge', () => {
  it('delivers what waits as one batch, and deletes what succeeded', async () => {
    for (const body of ['a', 'b', 'c']) server.send(SEGMENTS_QUEUE, body);
    start();
    const call = await next(1);
    expect(call).toMatchObject({ name: 'segments', bodies: ['a', 'b', 'c'] });
    call.finish({ batchItemFailures: [] });
    server.send(SEGMENTS_QUEUE, 'd');
    expect((await next(2)).bodies).toEqual(['d']);
  });

  it('delivers again only the message that the function names, and moves it away when that fails too', async () => {
    let poison = '';
    const delivered: string[][] = [];
    for (const body of ['good', 'bad']) server.send(SEGMENTS_QUEUE, body);
    start({
      invoke: async (_name, event) => {
        const { Records } = event as SQSEvent;
        delivered.push(Records.map((record) => record.body));
        poison ||= Records.find((record) => record.body === 'bad')?.messageId ?? '';
        return { batchItemFailures: [{ itemIdentifier: poison }] };
      },
    });
    await until(() => delivered.length === 2, 5000);
    expect(delivered).toEqual([['good', 'bad'], ['bad']]);
    const dead = new SQSClient({ endpoint: server.endpoint, region: 'us-east-1', credentials: access });
    const { ReceiveMessageCommand } = await import('@aws-sdk/client-sqs');
    const QueueUrl = server.queueUrl(SEGMENTS_DEAD_LETTERS);
    const { Messages } = await dead.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 10 }));
    expect(Messages?.map((message) => message.Body)).toEqual(['bad']);
    dead.destroy();
  });

  it('delivers a whole batch again when the function fails, and says so', async () => {
    server.send(SEGMENTS_QUEUE, 'again');
    start();
    (await next(1)).fail();
    expect((await next(2)).bodies).toEqual(['again']);
    expect(problems).toEqual(['the function segments']);
  });

  it('runs as many batches as it may, and fills the next ones meanwhile', async () => {
    start();
    server.send(SEGMENTS_QUEUE, '1');
    await next(1);
    server.send(SEGMENTS_QUEUE, '2');
    await next(2);
    for (const body of ['3', '4', '5']) server.send(SEGMENTS_QUEUE, body);
    (await next(1)).finish();
    expect((await next(3)).bodies).toEqual(['3', '4', '5']);
  });

  it('works on one message of a group at a time, and on several groups at once', async () => {
    for (const [body, group] of [
      ['a1', 'A'],
      ['a2', 'A'],
      ['b1', 'B'],
    ] as const) {
      await sendJob(body, group);
    }
    start();
    await next(2);
    expect(bodiesOf('finalizer').sort()).toEqual(['a1', 'b1']);
    calls.find((call) => call.bodies[0] === 'a1')?.finish({ batchItemFailures: [] });
    expect((await next(3)).bodies).toEqual(['a2']);
  });

  it('invokes the poller at once and then in its rhythm, whether the last call has ended or not', async () => {
    start({ schedule: { functionName: 'poller', everyMs: 50 } });
    expect(calls.map((call) => call.name)).toEqual(['poller']);
    await next(3);
    expect(new Set(calls.map((call) => call.name))).toEqual(new Set(['poller']));
  });

  it('goes on when the queue comes back', async () => {
    start();
    const { port } = server;
    await server.stop();
    await until(() => problems.some((what) => what.startsWith('receiving')), 10_000);
    server = await startSqs({ queues: QUEUES, port });
    server.send(SEGMENTS_QUEUE, 'back');
    await until(() => bodiesOf('segments').includes('back'), 10_000);
  });
});
