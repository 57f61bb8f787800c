/** What stands in the messages of the two queues, and so in their dead letters. Sending is lib/services/queues.ts. */
import { z } from 'zod';
import { s3EventBody } from './api-schemas.ts';

const ownMessage = z.discriminatedUnion('type', [
  z.object({ type: z.literal('sweep'), recording_id: z.uuid() }),
  z.object({ type: z.literal('advance'), recording_id: z.uuid(), reason: z.string() }),
]);

/** What S3 sends once when a notification is configured, and VersityGW with each start. */
const s3Test = z.object({ Event: z.literal('s3:TestEvent') }).transform(() => ({ Records: [] }));

/** Objects that were created, as a store tells of them. */
export const notification = z.union([s3EventBody, s3Test]);

/** A message of the segments queue. */
export const segmentsMessage = z.union([ownMessage, notification]);

/** A message of the jobs queue. */
export const jobMessage = z.object({ recording_id: z.uuid() });

/** The encoded keys of objects that were created in the bucket. */
export function createdKeys(bucket: string, event: z.output<typeof notification>): string[] {
  return event.Records.filter(
    (record) => /^(s3:)?ObjectCreated:/.test(record.eventName) && record.s3.bucket.name === bucket,
  ).map((record) => record.s3.object.key);
}
