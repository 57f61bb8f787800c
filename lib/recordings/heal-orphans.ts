/**
 * Removes what a function that died left in the store: multipart uploads that nobody knows, staging and pictures of
 * recordings that are deleted, and staging that was removed. Bounded, and only what is old enough not to be in the making.
 */
import { PICTURES_PREFIX, recordingOfKey, STAGING_PREFIX } from '../storage/keys.ts';
import type { OpenUpload } from '../storage/object-store.ts';
import { nowOf, type RecordingContext } from './context.ts';
import { removePrefix } from './remove-staging.ts';

/** A step between creating an upload (or staging a segment) and committing its row takes minutes at most. */
const SETTLED_AFTER_MS = 60 * 60_000;
const EVERY_MS = 10 * 60_000;
const RECORDINGS_AT_ONCE = 20;
/** Not clips: a database that was restored from a backup does not know those made since, and nothing makes them again. */
const PREFIXES = [STAGING_PREFIX, PICTURES_PREFIX];

/** Where the walk through the keys below each prefix stands; a restart begins anew. */
const continuations = new Map<string, string>();

/** Heals once in ten minutes, a page below each prefix each time. What cannot be done does not keep the rest. */
export async function healOrphans(context: RecordingContext): Promise<void> {
  if (context.clock.now() % EVERY_MS >= context.config.MONITOR_INTERVAL) return;
  const done = await Promise.allSettled([abortOrphanedUploads(context), removeOrphanedObjects(context)]);
  for (const one of done) if (one.status === 'rejected') throw one.reason;
}

/** Aborts uploads that are older than an hour and that no recording and no clip that is being made has. */
export async function abortOrphanedUploads(context: RecordingContext): Promise<number> {
  const bucket = context.config.MINIO_BUCKET;
  const old = (await context.store.listUploads(bucket)).filter(
    (upload) => context.clock.now() - upload.initiatedAtMs > SETTLED_AFTER_MS,
  );
  if (old.length === 0) return 0;
  const known = await findKnownUploads(context, old);
  let aborted = 0;
  for (const orphan of old.filter((upload) => !known.has(upload.uploadId))) {
    try {
      await context.store.abortUpload(bucket, orphan.key, orphan.uploadId);
      aborted += 1;
    } catch (error) {
      context.logger.warn({ err: error, upload_id: orphan.uploadId }, 'Could not abort a multipart upload of nobody');
    }
  }
  if (aborted > 0) context.logger.warn({ uploads: aborted }, 'Aborted multipart uploads of nobody');
  return aborted;
}

/** The short way's upload is noted nowhere: what is at the key of a recording that somebody works on may be it. */
async function findKnownUploads(context: RecordingContext, uploads: readonly OpenUpload[]): Promise<Set<string>> {
  const found = await context.db.query<{ uploadId: string }>(
    `SELECT upload_id AS "uploadId" FROM recordings WHERE upload_id = ANY($1::text[])
     UNION SELECT upload_id FROM recording_cuts WHERE upload_id = ANY($1::text[]) AND status = 'pending'
     UNION SELECT u.id FROM unnest($1::text[], $2::text[]) AS u (id, key)
             JOIN recordings r ON r.object_key = u.key AND r.lease_until > $3`,
    [uploads.map(({ uploadId }) => uploadId), uploads.map(({ key }) => key), nowOf(context)],
  );
  return new Set(found.rows.map((row) => row.uploadId));
}

/** Looks at the next page of keys below each prefix and removes what is of recordings that have no use for it any more. */
export async function removeOrphanedObjects(context: RecordingContext): Promise<number> {
  let removed = 0;
  for (const prefix of PREFIXES) removed += await removeOrphansBelow(context, prefix);
  if (removed > 0) context.logger.warn({ objects: removed }, 'Removed objects of recordings that have no use for them');
  return removed;
}

async function removeOrphansBelow(context: RecordingContext, prefix: string): Promise<number> {
  const from = continuations.get(prefix);
  // A token that the store knows no more (it was restarted, or is another one) is not asked with again.
  continuations.delete(prefix);
  const page = await context.store.list(context.config.MINIO_BUCKET, prefix, from);
  if (page.next) continuations.set(prefix, page.next);
  const old = page.objects.filter((object) => context.clock.now() - object.modifiedAtMs > SETTLED_AFTER_MS);
  const ids = new Set(old.flatMap((object) => recordingOfKey(prefix, object.key) ?? []));
  const found = await context.db.query<{ id: string }>(
    'SELECT id FROM recordings WHERE id = ANY($1::uuid[]) AND ($2 OR staging_removed_at IS NULL)',
    [[...ids], prefix !== STAGING_PREFIX],
  );
  const needed = new Set(found.rows.map((row) => row.id));
  let removed = 0;
  for (const id of [...ids].filter((one) => !needed.has(one)).slice(0, RECORDINGS_AT_ONCE)) {
    removed += await removePrefix(context, `${prefix}${id}/`);
  }
  return removed;
}
