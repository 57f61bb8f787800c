/**
 * Puts what is due of one stream into the bucket, a file at a time and in order, and notes each in the ledger. Stops at
 * the first that fails: what comes behind it must not overtake it. Whether and when to come again is the caller's.
 */
import { createHash } from 'node:crypto';
import { hashStreamKey, type Logger, withoutStreamKey } from '../platform/logging.ts';
import { StorageAccessDenied, StorageRefused } from '../storage/errors.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { type DiskFile, type PlanRules, planUploads, type Step } from './plan.ts';
import { FILE_LIMIT, type FileState, readUnchanged } from './read-file.ts';
import type { ScannedFile, ScannedGroup } from './scan.ts';
import type { UploadLedger } from './upload-ledger.ts';

/** What of the object store an uploader needs. */
export type UploadStore = Pick<ObjectStore, 'put' | 'head' | 'remove'>;

export interface GroupContext {
  readonly store: UploadStore;
  readonly bucket: string;
  readonly ledger: UploadLedger;
  readonly logger: Logger;
  readonly rules: PlanRules;
  /** Files older than this may be in the bucket although the ledger does not say so: it is asked first. */
  readonly askBeforeMs: number;
  /** What was said once and need not be said again. */
  readonly said: Set<string>;
  readonly signal: AbortSignal;
}

/** A playlist that is still being written is not read for a moment. */
const UNREADABLE_MS = 10_000;
/** Things that were said are remembered; of more than this, some are said again. */
const SAID_LIMIT = 10_000;
const CONTENT_TYPES = { segment: 'video/mp2t', playlist: 'application/vnd.apple.mpegurl' } as const;

/** @throws {ServiceError} of the store: nothing is lost, call again */
export async function uploadGroup(context: GroupContext, group: ScannedGroup): Promise<void> {
  const { ledger, rules, signal } = context;
  const { prefix } = group.place;
  const plan = planUploads(
    group,
    {
      is: (file) => isSame(ledger.get(`${prefix}${file.name}`), file),
      has: (name) => ledger.get(`${prefix}${name}`) !== undefined,
    },
    rules,
  );
  sayOnce(context, group, 'left over', plan.leftOver > 0, () => ({
    level: 'info',
    message: `${plan.leftOver} segments are older than this uploader and left alone (--all uploads them too)`,
  }));
  for (const file of group.playlists) {
    sayOnce(context, group, `unread ${file.name}`, file.names === null && file.unchangedMs > UNREADABLE_MS, () => ({
      level: 'warn',
      message: `Not uploaded: ${label(group, file.name)} is no playlist that can be read`,
    }));
  }
  for (const step of plan.steps) {
    if (signal.aborted) return;
    // A file that changes while it is read is met again by the next look, and what follows it waits that long.
    if ((await uploadStep(context, group, step)) === 'changed') return;
  }
  for (const name of plan.lost) {
    sayOnce(context, group, `lost ${name}`, true, () => ({
      level: 'warn',
      message: `Lost: ${label(group, name)} is in the playlist, but was deleted before it was uploaded`,
    }));
  }
}

async function uploadStep(context: GroupContext, group: ScannedGroup, step: Step): Promise<'done' | 'changed'> {
  const file = step.file as ScannedFile;
  const key = `${group.place.prefix}${file.name}`;
  if (file.size > FILE_LIMIT) return refuse(context, group, file, `it is larger than ${FILE_LIMIT} bytes`);
  const bytes = step.kind === 'playlist' ? step.file.bytes : await readUnchanged(group.folder, file.name, file);
  if (bytes === null) return 'changed';
  if (step.kind === 'playlist' || !(await isThere(context, key, file, bytes))) {
    const startedAt = performance.now();
    try {
      await context.store.put(context.bucket, key, bytes, CONTENT_TYPES[step.kind], { writtenAtMs: file.mtimeMs });
    } catch (error) {
      if (error instanceof StorageRefused) return refuse(context, group, file, error.message);
      throw error;
    }
    const ms = Math.round(performance.now() - startedAt);
    const line = { stream: hashStreamKey(group.place.streamKey), bytes: bytes.length, ms };
    if (step.kind === 'segment') context.logger.info(line, `📤 Uploaded segment: ${label(group, file.name)}`);
    else context.logger.debug(line, `Uploaded playlist: ${label(group, file.name)}`);
  }
  await note(context, key, file);
  return 'done';
}

/** What the store never takes must not keep the rest of the stream from it. */
async function refuse(context: GroupContext, group: ScannedGroup, file: DiskFile, why: string): Promise<'done'> {
  context.logger.error(
    { stream: hashStreamKey(group.place.streamKey), reason: why },
    `Not uploaded: ${label(group, file.name)} is refused`,
  );
  await note(context, `${group.place.prefix}${file.name}`, file);
  return 'done';
}

/** Uploaded by a run that died before it could write that down. Uploading again would do no harm but cost its bytes. */
async function isThere(context: GroupContext, key: string, file: FileState, bytes: Uint8Array): Promise<boolean> {
  if (file.mtimeMs >= context.askBeforeMs) return false;
  try {
    const object = await context.store.head(context.bucket, key);
    return object?.size === bytes.length && object.etag === createHash('md5').update(bytes).digest('hex');
  } catch (error) {
    // Credentials that may only write.
    if (error instanceof StorageAccessDenied) return false;
    throw error;
  }
}

async function note(context: GroupContext, key: string, file: DiskFile): Promise<void> {
  try {
    await context.ledger.add(key, file);
  } catch (error) {
    context.logger.error(
      { err: error },
      'The list of uploaded files cannot be written: after a restart they are asked for',
    );
  }
}

function sayOnce(
  { said, logger }: GroupContext,
  { place }: ScannedGroup,
  what: string,
  applies: boolean,
  say: () => { level: 'info' | 'warn'; message: string },
): void {
  const mark = `${place.prefix}\n${what}`;
  if (!applies || said.has(mark)) return;
  if (said.size >= SAID_LIMIT) said.clear();
  said.add(mark);
  const { level, message } = say();
  logger[level]({ stream: hashStreamKey(place.streamKey) }, message);
}

/** A file's name without the stream key, which is a credential and part of it in flat folders. */
function label({ place }: ScannedGroup, name: string): string {
  return withoutStreamKey(name, place.streamKey);
}

function isSame(known: { size: number; mtimeMs: number } | undefined, file: DiskFile): boolean {
  return known !== undefined && known.size === file.size && known.mtimeMs === file.mtimeMs;
}
