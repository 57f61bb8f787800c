/**
 * The pipeline of every SQS function: each record's body is parsed by a schema, worked on by itself, and reported
 * by itself (ReportBatchItemFailures). A body that does not fit its schema can never succeed: it is logged and
 * dropped, so that it does not come back until it is dead.
 */
import middy from '@middy/core';
import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import type { z } from 'zod';
import type { Logger } from './logging.ts';

export interface SqsWork<Message> {
  readonly logger: () => Logger;
  readonly schema: z.ZodType<Message>;
  /** How many records of one batch are worked on at once. */
  readonly concurrency: number;
  /** Works on one message; throwing sends it back to the queue. `remainingMs` is the time left for the batch. */
  readonly handle: (message: Message, remainingMs: () => number) => Promise<void>;
}

export function sqsHandler<Message>(work: SqsWork<Message>) {
  return middy<SQSEvent, SQSBatchResponse>().handler(async (event, context) => {
    const remainingMs = () => context.getRemainingTimeInMillis();
    const failures: SQSBatchResponse['batchItemFailures'] = [];
    const pending = [...event.Records];
    const worker = async () => {
      for (let record = pending.shift(); record; record = pending.shift()) {
        if (!(await handleRecord(work, record, remainingMs))) failures.push({ itemIdentifier: record.messageId });
      }
    };
    await Promise.all(Array.from({ length: Math.min(work.concurrency, event.Records.length) }, worker));
    return { batchItemFailures: failures };
  });
}

async function handleRecord<Message>(
  work: SqsWork<Message>,
  record: SQSRecord,
  remainingMs: () => number,
): Promise<boolean> {
  const logger = work.logger().child({ message_id: record.messageId });
  let message: Message;
  try {
    message = work.schema.parse(JSON.parse(record.body));
  } catch (error) {
    logger.error({ err: error, queue: record.eventSourceARN }, 'Dropped a queue message that is not of its schema');
    return true;
  }
  try {
    await work.handle(message, remainingMs);
    return true;
  } catch (error) {
    logger.warn(
      { err: error, receives: record.attributes?.ApproximateReceiveCount },
      'A queue message failed and goes back to its queue',
    );
    return false;
  }
}
