/** The notification that S3 sends for a created object, as Amazon documents its message structure (version 2.1). */
import { randomBytes } from 'node:crypto';
import { encodePath } from '../lib/platform/rfc3986.ts';
import type { ObjectCreated } from './s3-store.ts';

let lastSequence = 0n;

/** One event as the body of a queue message. */
export function toS3Event(event: ObjectCreated): string {
  const record = {
    eventVersion: '2.1',
    eventSource: 'aws:s3',
    awsRegion: 'us-east-1',
    eventTime: new Date(event.timeMs).toISOString(),
    eventName: event.eventName,
    userIdentity: { principalId: 'local' },
    requestParameters: { sourceIPAddress: '127.0.0.1' },
    responseElements: { 'x-amz-request-id': randomBytes(8).toString('hex').toUpperCase(), 'x-amz-id-2': 'local' },
    s3: {
      s3SchemaVersion: '1.0',
      configurationId: 'local',
      bucket: { name: event.bucket, ownerIdentity: { principalId: 'local' }, arn: `arn:aws:s3:::${event.bucket}` },
      object: {
        key: encodeKey(event.key),
        size: event.size,
        eTag: event.etag,
        sequencer: nextSequencer(event.timeMs),
      },
    },
  };
  return JSON.stringify({ Records: [record] });
}

/** Percent-encoded like a form: a space is a plus, slashes stay. */
const encodeKey = (key: string) => encodePath(key).replaceAll('%20', '+');

/** Hexadecimal and growing, so that two events of one key can be put in order. */
function nextSequencer(timeMs: number): string {
  const now = BigInt(timeMs) * 4096n;
  lastSequence = now > lastSequence ? now : lastSequence + 1n;
  return lastSequence.toString(16).toUpperCase().padStart(18, '0');
}
