/**
 * The pipeline of every SQS function: each record's body is parsed by a schema, worked on by itself, and reported
 * by itself (ReportBatchItemFailures). A body that does not fit its schema can never succeed: it is logged and
 * dropped, so that it does not come back until it is dead.
 */
import middy from '@middy/core';
import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import type { z } from 'zod';
import type { Logger } from './logging.ts';

export interface SqsWork<Service, Message> {
  /** Rejecting sends the whole batch back to the queue. */
  readonly service: () => Promise<Service>;
  readonly schema: z.ZodType<Message>;
  /** How many records of one batch are worked on at once. */
  readonly concurrency: number;
  /** Works on one message; throwing sends it back to the queue. `remainingMs` is the time left for the batch. */
  readonly handle: (service: Service, message: Message, remainingMs: () => number, messageId: string) => Promise<void>;
}

export function sqsHandler<Service extends { readonly logger: Logger }, Message>(work: SqsWork<Service, Message>) {
  return middy<SQSEvent, SQSBatchResponse>().handler(async (event, context) => {
    const service = await work.service();
    const remainingMs = () => context.getRemainingTimeInMillis();
    const failures: SQSBatchResponse['batchItemFailures'] = [];
    const pending = [...event.Records];
    const worker = async () => {
      for (let record = pending.shift(); record; record = pending.shift()) {
        const done = await handleRecord(work, service, record, remainingMs);
        if (!done) failures.push({ itemIdentifier: record.messageId });
      }
    };
    await Promise.all(Array.from({ length: Math.min(work.concurrency, event.Records.length) }, worker));
    return { batchItemFailures: failures };
  });
}

async function handleRecord<Service extends { readonly logger: Logger }, Message>(
  work: SqsWork<Service, Message>,
  service: Service,
  record: SQSRecord,
  remainingMs: () => number,
): Promise<boolean> {
  const logger = service.logger.child({ message_id: record.messageId });
  const parsed = work.schema.safeParse(parseJson(record.body));
  if (!parsed.success) {
    logger.error(
      { err: parsed.error, queue: record.eventSourceARN },
      'Dropped a queue message that is not of its schema',
    );
    return true;
  }
  try {
    await work.handle(service, parsed.data, remainingMs, record.messageId);
    return true;
  } catch (error) {
    logger.warn(
      { err: error, receives: record.attributes?.ApproximateReceiveCount },
      'A queue message failed and goes back to its queue',
    );
    return false;
  }
}

/** Undefined where it is no JSON: the parser's own message would quote the body, and keys stand in it. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
