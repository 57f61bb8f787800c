/**
 * The two queues as senders. A message is only a wake-up (the database is the truth), so that one that cannot be
 * sent is logged and left to the poller, never an error of the work that wanted to send it.
 */
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import type { Config } from '../platform/config.ts';
import type { Logger } from '../platform/logging.ts';

export interface Queues {
  /** Asks for the store to be compared with the ledger of one recording, after `delaySeconds` (0 to 900). */
  requestSweep(recordingId: string, delaySeconds?: number): Promise<void>;
  /**
   * Asks the finalizer to advance one recording. `reason` makes the deduplication id (SQS drops equal ones for
   * 5 min), so it carries what changed: an attempt, a count. Messages of one group are worked on one after the other;
   * `group` is another than the recording's own where that may be blocked by a message whose worker died.
   */
  requestAdvance(recordingId: string, reason: string, delaySeconds?: number, group?: string): Promise<void>;
}

/** Queues on SQS; a queue without URL drops its messages (the poller does the work). */
export function createQueues(
  config: Pick<
    Config,
    'SEGMENTS_QUEUE_URL' | 'JOBS_QUEUE_URL' | 'SQS_ENDPOINT' | 'AWS_REGION' | 'MINIO_ACCESS_KEY' | 'MINIO_SECRET_KEY'
  >,
  logger: Logger,
): Queues {
  const client = createSqsClient(config);
  const send = async (command: SendMessageCommand, recordingId: string) => {
    if (!command.input.QueueUrl) return;
    try {
      await client.send(command);
    } catch (error) {
      logger.warn(
        { err: error, recording_id: recordingId },
        'Could not send a queue message; the poller will do its work',
      );
    }
  };
  return {
    requestSweep: (recordingId, delaySeconds = 0) =>
      send(
        new SendMessageCommand({
          QueueUrl: config.SEGMENTS_QUEUE_URL,
          MessageBody: JSON.stringify({ type: 'sweep', recording_id: recordingId }),
          DelaySeconds: Math.min(900, Math.ceil(delaySeconds)),
        }),
        recordingId,
      ),
    requestAdvance: (recordingId, reason, delaySeconds = 0, group = recordingId) => {
      // FIFO queues have no delay of single messages: a later advance goes through the standard queue.
      if (delaySeconds > 0) {
        return send(
          new SendMessageCommand({
            QueueUrl: config.SEGMENTS_QUEUE_URL,
            MessageBody: JSON.stringify({ type: 'advance', recording_id: recordingId, reason }),
            DelaySeconds: Math.min(900, Math.ceil(delaySeconds)),
          }),
          recordingId,
        );
      }
      return send(
        new SendMessageCommand({
          QueueUrl: config.JOBS_QUEUE_URL,
          MessageBody: JSON.stringify({ recording_id: recordingId }),
          MessageGroupId: group,
          MessageDeduplicationId: `${recordingId}:${reason}`.slice(0, 128),
        }),
        recordingId,
      );
    },
  };
}

function createSqsClient(
  config: Pick<Config, 'SQS_ENDPOINT' | 'AWS_REGION' | 'MINIO_ACCESS_KEY' | 'MINIO_SECRET_KEY'>,
): SQSClient {
  const local = config.SQS_ENDPOINT && {
    endpoint: config.SQS_ENDPOINT,
    credentials: { accessKeyId: config.MINIO_ACCESS_KEY, secretAccessKey: config.MINIO_SECRET_KEY },
  };
  return new SQSClient({
    region: config.AWS_REGION,
    ...(local || {}),
    maxAttempts: 3,
    requestHandler: { connectionTimeout: 2000, requestTimeout: 10_000, throwOnRequestTimeout: true },
  });
}
