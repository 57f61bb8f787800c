/** Makes sure that what lies at a recording's final key may be replaced by it: nothing, or its own earlier file. */
import { finalKeyCandidates } from '../storage/keys.ts';
import type { Lease } from './advance.ts';
import type { RecordingContext } from './context.ts';
import { LeaseLost } from './errors.ts';

/**
 * The key to write to, noted in the row before the first byte goes there. An object that stands there although this
 * recording never wrote is somebody else's (an older database's): the recording moves to the next free key.
 * @throws {LeaseLost} where another worker may have written it meanwhile
 */
export async function settleFinalKey(context: RecordingContext, lease: Lease): Promise<string> {
  const { recording, token } = lease;
  lease.assertHeld();
  if (recording.facts.writing) return recording.objectKey;
  const bucket = context.config.MINIO_BUCKET;
  const later = finalKeyCandidates(recording, context.config.RECORDING_KEY_TEMPLATE).filter(
    (key) => key !== recording.objectKey,
  );
  for (const key of [recording.objectKey, ...later]) {
    if (await context.store.head(bucket, key)) continue;
    if (key !== recording.objectKey) {
      if (!(await context.leases.claimKey(recording.id, token, key))) continue;
      context.logger.warn(
        { recording_id: recording.id },
        'The key of a recording was taken by an object of nobody; it takes the next one',
      );
    }
    await context.leases.mergeFacts(recording.id, token, { writing: true });
    lease.assertHeld();
    return key;
  }
  throw new LeaseLost(`No free key for recording ${recording.id}`);
}
