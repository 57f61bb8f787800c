/**
 * The media at the front of a file, which is held back in staging since the head before it is known only at the end. A
 * short head is sent together with it. One that fills a part by itself goes alone, so that the end waits for nothing else:
 * the media is then in the upload already, as part 2, whose number is left free for it.
 *
 *   a short head   1 head + held-back media                          3 …   (S3 wants numbers that increase, not all of them)
 *   a long one     1 head                     2 held-back media      3 …
 *
 * Before part 2 was left free, parts were rolled from 2 on: such a recording ends as one with a short head does.
 */
import { ObjectMissing, UploadMissing } from '../storage/errors.ts';
import type { UploadedPart } from '../storage/object-store.ts';
import type { Lease } from './advance.ts';
import { type RecordingContext, repositoriesOn } from './context.ts';
import { StagedSegmentMissing } from './errors.ts';
import type { StoredPart } from './growing-head.ts';
import { smallestPartBytes } from './part-size.ts';

const HELD_NUMBER = 2;
/** A head has 1.7 to 2.2 times the bytes of its indexes. Sent too early, the media is sent once more with a head that is short. */
const HEAD_TO_INDEX = 1.5;

/** @param last number of the last part so far, 0 where there is none */
export function nextPartNumber(last: number): number {
  return last === 1 ? HELD_NUMBER + 1 : last + 1;
}

/**
 * Sends the held-back media once the head is sure to fill a part. Killed before it is noted, it is sent again: the same
 * bytes under the same number.
 * @throws {StagedSegmentMissing} {LeaseLost} and what storing throws
 */
export async function sendHeldWhenDue(context: RecordingContext, lease: Lease): Promise<'fine' | 'upload-lost'> {
  const { id, generation, uploadId, objectKey } =
    (await context.recordings.find(lease.recording.id)) ?? lease.recording;
  const held = await context.parts.findHeld(id, generation);
  const least = smallestPartBytes(context.config.PART_SIZE);
  if (!uploadId || !held || held.etag !== null || held.isFollowed) return 'fine';
  if (held.size < least || held.indexBytes * HEAD_TO_INDEX < least) return 'fine';
  const media = await fetchHeld(context, held);
  lease.assertHeld();
  try {
    const { etag } = await context.store.uploadPart(
      context.config.MINIO_BUCKET,
      objectKey,
      uploadId,
      HELD_NUMBER,
      media,
    );
    await context.db.transaction(async (client) => {
      const { leases, parts } = repositoriesOn(client);
      await leases.lock(id, lease.token);
      await parts.noteHeldSent(id, generation, etag);
    });
  } catch (error) {
    if (error instanceof UploadMissing) return 'upload-lost';
    throw error;
  }
  context.logger.info({ recording_id: id, bytes: media.length }, 'Sent the held-back media as a part of its own');
  return 'fine';
}

/**
 * What the parts behind the head are to Complete, and whether the held-back media is one of them; else it belongs into
 * part 1, behind the head.
 */
export function partsBehind(
  parts: readonly StoredPart[],
  headBytes: number,
  partSize: number,
): { readonly listed: readonly UploadedPart[]; readonly heldApart: boolean } {
  const [held, ...rolled] = parts.map(({ partNumber, etag }) => ({ partNumber, etag: etag ?? '' }));
  const heldApart = held !== undefined && held.etag !== '' && headBytes >= smallestPartBytes(partSize);
  return { listed: heldApart ? [{ ...held, partNumber: HELD_NUMBER }, ...rolled] : rolled, heldApart };
}

/** Into the given memory where there is some. @throws {StagedSegmentMissing} */
export async function fetchHeld(
  context: RecordingContext,
  held: Pick<StoredPart, 'heldKey' | 'size'>,
  into?: Uint8Array,
): Promise<Uint8Array> {
  if (!held.heldKey) throw new StagedSegmentMissing('The held-back first part has no key');
  const { MINIO_BUCKET, SEGMENT_DOWNLOAD_TIMEOUT } = context.config;
  try {
    const { bytes } = await context.store.get(MINIO_BUCKET, held.heldKey, SEGMENT_DOWNLOAD_TIMEOUT, into);
    if (bytes.length !== held.size)
      throw new StagedSegmentMissing(`The held-back first part has ${bytes.length} bytes instead of ${held.size}`);
    if (!into || bytes.buffer === into.buffer) return bytes;
    // A store may put them elsewhere.
    into.set(bytes);
    return into;
  } catch (error) {
    if (error instanceof ObjectMissing)
      throw new StagedSegmentMissing('The held-back first part is not in the store', { cause: error });
    throw error;
  }
}
