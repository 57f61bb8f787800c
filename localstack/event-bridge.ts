/**
 * What AWS does between the queues, the clock and the functions: receives messages, invokes the function that they are
 * for, deletes what succeeded and gives back what failed; invokes the poller every minute. It knows no message.
 */
import {
  ChangeMessageVisibilityCommand,
  DeleteMessageBatchCommand,
  type Message,
  ReceiveMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';

/** Calls a function with an event and resolves to its result. @throws where the function failed */
export type Invoke = (functionName: string, event: unknown, signal: AbortSignal) => Promise<unknown>;

export interface EventSource {
  readonly queueUrl: string;
  readonly functionName: string;
  readonly batchSize: number;
  /** Invocations at once. */
  readonly concurrency: number;
}

export interface EventBridgeOptions {
  readonly sqs: { endpoint: string; region: string; accessKeyId: string; secretAccessKey: string };
  readonly sources: readonly EventSource[];
  /** Invoked at once and then each minute. */
  readonly schedule?: { readonly functionName: string; readonly everyMs: number };
  readonly invoke: Invoke;
  /** A function or a queue failed; the bridge goes on. */
  readonly onProblem: (what: string, error: unknown) => void;
}

export interface EventBridge {
  /** Receives no more and leaves what is in work to its visibility timeout. */
  stop(): Promise<void>;
}

const WAIT_SECONDS = 20;
const MAX_RETRY_DELAY_S = 30;
const PAUSE_AFTER_PROBLEM_MS = 1000;
/**
 * After a batch with room left: under load the next one is then full, and an invocation costs once for ten messages; a
 * single message never waits. Lambda's batching window does the same.
 */
const GATHER_MS = 100;

export function startEventBridge(options: EventBridgeOptions): EventBridge {
  const { endpoint, region, accessKeyId, secretAccessKey } = options.sqs;
  const sqs = new SQSClient({ endpoint, region, credentials: { accessKeyId, secretAccessKey }, maxAttempts: 2 });
  const stopping = new AbortController();
  const { signal } = stopping;
  const loops = options.sources.map((source) => pump(sqs, source, options, signal));
  const timer = options.schedule && startSchedule(options.schedule, options, signal);
  return {
    async stop() {
      clearInterval(timer);
      stopping.abort();
      await Promise.all(loops);
      sqs.destroy();
    },
  };
}

function startSchedule(
  schedule: { functionName: string; everyMs: number },
  { invoke, onProblem }: EventBridgeOptions,
  signal: AbortSignal,
): NodeJS.Timeout {
  const tick = () => {
    const event = {
      source: 'aws.events',
      'detail-type': 'Scheduled Event',
      time: new Date().toISOString(),
      detail: {},
    };
    invoke(schedule.functionName, event, signal).catch((error: unknown) => {
      if (!signal.aborted) onProblem(`the scheduled ${schedule.functionName}`, error);
    });
  };
  tick();
  return setInterval(tick, schedule.everyMs);
}

/**
 * One receiver a queue: it waits for a free place, then for messages, and does not wait for their function. While all
 * places are taken messages pile up, and the next batch is fuller.
 */
async function pump(
  sqs: SQSClient,
  source: EventSource,
  options: EventBridgeOptions,
  signal: AbortSignal,
): Promise<void> {
  const working = new Set<Promise<void>>();
  while (!signal.aborted) {
    const free = source.concurrency - working.size;
    if (free === 0) {
      await Promise.race([...working, aborted(signal)]);
      continue;
    }
    // Batches of one: as many messages as there are places, each for an invocation of its own.
    const max = source.batchSize === 1 ? Math.min(free, 10) : source.batchSize;
    const messages = await receive(sqs, source.queueUrl, max, signal).catch(async (error: unknown) => {
      if (signal.aborted) return [];
      options.onProblem(`receiving from ${source.queueUrl}`, error);
      await pause(PAUSE_AFTER_PROBLEM_MS, signal);
      return [];
    });
    for (let first = 0; first < messages.length; first += source.batchSize) {
      const batch = messages.slice(first, first + source.batchSize);
      const work = deliver(sqs, source, batch, options, signal).finally(() => working.delete(work));
      working.add(work);
    }
    if (messages.length > 0 && messages.length < source.batchSize) await pause(GATHER_MS, signal);
  }
}

async function receive(sqs: SQSClient, QueueUrl: string, max: number, abortSignal: AbortSignal): Promise<Message[]> {
  const command = new ReceiveMessageCommand({
    QueueUrl,
    MaxNumberOfMessages: max,
    WaitTimeSeconds: WAIT_SECONDS,
    MessageSystemAttributeNames: ['All'],
    MessageAttributeNames: ['All'],
  });
  return (await sqs.send(command, { abortSignal })).Messages ?? [];
}

async function deliver(
  sqs: SQSClient,
  source: EventSource,
  batch: readonly Message[],
  options: EventBridgeOptions,
  signal: AbortSignal,
): Promise<void> {
  try {
    const failed = await failedOf(source, batch, options, signal);
    // Stopped in the middle: the next start gives these messages out again.
    if (signal.aborted) return;
    const done = batch.filter((message) => !failed.has(message.MessageId ?? ''));
    if (done.length > 0) await sqs.send(new DeleteMessageBatchCommand(deletionOf(source.queueUrl, done)));
    for (const message of batch.filter((one) => failed.has(one.MessageId ?? ''))) {
      await sqs.send(
        new ChangeMessageVisibilityCommand({
          QueueUrl: source.queueUrl,
          ReceiptHandle: message.ReceiptHandle,
          VisibilityTimeout: retryDelaySeconds(message),
        }),
      );
    }
  } catch (error) {
    if (!signal.aborted) options.onProblem(`a batch of ${source.functionName}`, error);
  }
}

/** The ids of messages that have to come again: those that the function names, or all when it failed as a whole. */
async function failedOf(
  source: EventSource,
  batch: readonly Message[],
  { invoke, onProblem }: EventBridgeOptions,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const all = new Set(batch.map((message) => message.MessageId ?? ''));
  try {
    const result = (await invoke(source.functionName, toSqsEvent(source.queueUrl, batch), signal)) as
      | SQSBatchResponse
      | null
      | undefined;
    const failures = result?.batchItemFailures ?? [];
    const ids = failures.map((failure) => failure.itemIdentifier);
    // As on AWS: an id that is not of this batch means that nothing about it can be believed.
    return ids.every((id) => all.has(id)) ? new Set(ids) : all;
  } catch (error) {
    if (!signal.aborted) onProblem(`the function ${source.functionName}`, error);
    return all;
  }
}

/** Far less than the visibility timeout, which on AWS a failed message waits out: nobody watches a demo for an hour. */
function retryDelaySeconds(message: Message): number {
  const receives = Number(message.Attributes?.ApproximateReceiveCount ?? 1);
  return Math.min(2 ** (receives - 1), MAX_RETRY_DELAY_S);
}

function deletionOf(QueueUrl: string, messages: readonly Message[]) {
  const Entries = messages.map(({ ReceiptHandle }, index) => ({ Id: String(index), ReceiptHandle }));
  return { QueueUrl, Entries };
}

function toSqsEvent(queueUrl: string, batch: readonly Message[]): SQSEvent {
  const name = queueUrl.slice(queueUrl.lastIndexOf('/') + 1);
  return {
    Records: batch.map((message) => ({
      messageId: message.MessageId ?? '',
      receiptHandle: message.ReceiptHandle ?? '',
      body: message.Body ?? '',
      attributes: {
        ApproximateReceiveCount: '1',
        SentTimestamp: '',
        SenderId: '',
        ApproximateFirstReceiveTimestamp: '',
        ...message.Attributes,
      },
      messageAttributes: {},
      md5OfBody: message.MD5OfBody ?? '',
      eventSource: 'aws:sqs',
      eventSourceARN: `arn:aws:sqs:us-east-1:000000000000:${name}`,
      awsRegion: 'us-east-1',
    })),
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return Promise.race([new Promise<void>((resolve) => setTimeout(resolve, ms)), aborted(signal)]);
}
