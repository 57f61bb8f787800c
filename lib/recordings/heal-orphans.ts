/**
 * Removes what a function that died left in the store: multipart uploads that no recording or clip knows, and staging of
 * recordings that are deleted or whose staging was removed. Bounded, and only what is old enough not to be in the making.
 */
import { recordingOfStagingKey, STAGING_PREFIX, stagingPrefix } from '../storage/keys.ts';
import type { RecordingContext } from './context.ts';
import { removePrefix } from './remove-staging.ts';

/** A step between creating an upload (or staging a segment) and committing its row takes minutes at most. */
const SETTLED_AFTER_MS = 60 * 60_000;
const EVERY_MS = 10 * 60_000;
const STAGINGS_AT_ONCE = 20;

/** Where the walk through the staged keys stands; a restart begins anew. */
let continuation: string | undefined;

/** Heals once in ten minutes, a page of the staging each time. */
export async function healOrphans(context: RecordingContext): Promise<void> {
  if (context.clock.now() % EVERY_MS >= context.config.MONITOR_INTERVAL) return;
  await abortOrphanedUploads(context);
  await removeOrphanedStaging(context);
}

/** Aborts uploads that are older than an hour and that no recording or clip that is being made has. */
export async function abortOrphanedUploads(context: RecordingContext): Promise<number> {
  const bucket = context.config.MINIO_BUCKET;
  const old = (await context.store.listUploads(bucket)).filter(
    (upload) => context.clock.now() - upload.initiatedAtMs > SETTLED_AFTER_MS,
  );
  if (old.length === 0) return 0;
  const found = await context.db.query<{ uploadId: string }>(
    `SELECT upload_id AS "uploadId" FROM recordings WHERE upload_id = ANY($1::text[])
     UNION ALL SELECT upload_id FROM recording_cuts WHERE upload_id = ANY($1::text[])`,
    [old.map((upload) => upload.uploadId)],
  );
  const known = new Set(found.rows.map((row) => row.uploadId));
  const orphans = old.filter((upload) => !known.has(upload.uploadId));
  for (const orphan of orphans) await context.store.abortUpload(bucket, orphan.key, orphan.uploadId);
  if (orphans.length > 0) context.logger.warn({ uploads: orphans.length }, 'Aborted multipart uploads of nobody');
  return orphans.length;
}

/** Looks at the next page of staged keys and removes what is below recordings that have no use for it any more. */
export async function removeOrphanedStaging(context: RecordingContext): Promise<number> {
  const bucket = context.config.MINIO_BUCKET;
  const page = await context.store.list(bucket, STAGING_PREFIX, continuation);
  continuation = page.next ?? undefined;
  const old = page.objects.filter((object) => context.clock.now() - object.modifiedAtMs > SETTLED_AFTER_MS);
  const ids = new Set(old.flatMap((object) => recordingOfStagingKey(object.key) ?? []));
  const found = await context.db.query<{ id: string }>(
    'SELECT id FROM recordings WHERE id = ANY($1::uuid[]) AND staging_removed_at IS NULL',
    [[...ids]],
  );
  const needed = new Set(found.rows.map((row) => row.id));
  let removed = 0;
  for (const id of [...ids].filter((one) => !needed.has(one)).slice(0, STAGINGS_AT_ONCE)) {
    removed += await removePrefix(context, stagingPrefix(id));
  }
  if (removed > 0) context.logger.warn({ objects: removed }, 'Removed staged objects of nobody');
  return removed;
}
