/**
 * Compares the store with the ledger of one recording and captures what is missing there: the slow path that is
 * always right. Everything a notification would have told is found here, and what cannot be had is written down.
 */
import { chooseFolder, parseObjectKey } from '../capture/segment-name.ts';
import type { ListedObject } from '../storage/object-store.ts';
import { captureAll } from './capture-all.ts';
import { findCandidates } from './capture-notified.ts';
import type { RecordingContext } from './context.ts';
import { withLostStart } from './lost-start.ts';
import { waitForMissing } from './missing-segments.ts';
import { readNewestPlaylist } from './read-playlist.ts';
import { capturesSinceMs, type PlaylistState, type Recording } from './recording.ts';
import { isSameWrite, type KnownSource } from './segment-repository.ts';
import { noteUnclaimed } from './unclaimed.ts';

export interface SweepResult {
  readonly captured: number;
  /** Segments that must exist and are still waited for. */
  readonly awaited: number;
  readonly playlist: PlaylistState | null;
}

const MOST_LOOKS = 3;

/**
 * Sweeps one recording. Safe to repeat and to run beside notifications.
 * @throws {StorageUnavailable} {StorageAccessDenied} {BucketMissing} {DatabaseUnavailable}
 */
export async function sweepRecording(context: RecordingContext, recordingId: string): Promise<SweepResult> {
  for (let looks = 1; looks <= MOST_LOOKS; looks += 1) {
    const result = await sweepOnce(context, recordingId);
    if (result) return result;
  }
  // Recordings of one key that begin and end faster than this looks: the next sweep sees them.
  return { captured: 0, awaited: 1, playlist: null };
}

/** Null where the recordings of its key are not those any more that segments were judged by. */
async function sweepOnce(context: RecordingContext, recordingId: string): Promise<SweepResult | null> {
  const found = await context.recordings.find(recordingId);
  if (!found) return { captured: 0, awaited: 0, playlist: null };
  const recording = await withLostStart(context, found);
  const candidates = await findCandidates(context, recording.streamKey);
  if (!candidates.some((candidate) => candidate.id === recordingId))
    return { captured: 0, awaited: 0, playlist: recording.playlist };

  const listing = await listStream(context, recording);
  const keys = listing.unknown.map((object) => object.key);
  const { captured, unclaimed, isStale } = await captureAll(context, candidates, keys);
  if (isStale) return null;
  // What nobody takes may be the rest of the broadcast that ended last.
  if (candidates.at(-1)?.id === recordingId)
    await noteUnclaimed(
      context,
      recording,
      listing.unknown.filter((object) => unclaimed.has(object.key)),
    );
  // After the segments: a playlist read later than the listing can name segments that the listing did not have.
  const playlist = await readNewestPlaylist(context, recording, listing.playlists);
  const awaited = await waitForMissing(context, recording, candidates, playlist, listing.settled);
  return { captured, awaited, playlist: playlist?.state ?? recording.playlist };
}

interface Listing {
  /** In the order in which they were uploaded. */
  readonly unknown: readonly ListedObject[];
  /** Objects that are captured as they are, by whatever recording, or older than the broadcast: nothing to wait for. */
  readonly settled: ReadonlySet<string>;
  readonly playlists: ListedObject[];
}

async function listStream(context: RecordingContext, recording: Recording): Promise<Listing> {
  const segments: Array<ListedObject & { folder: string | null }> = [];
  const playlists: Array<ListedObject & { folder: string | null }> = [];
  let next: string | null | undefined;
  do {
    const page = await context.store.list(context.config.LIVE_BUCKET, `${recording.streamKey}/`, next ?? undefined);
    for (const object of page.objects) {
      const parsed = parseObjectKey(object.key);
      if (parsed.kind === 'segment') segments.push({ ...object, folder: parsed.folder });
      else if (parsed.kind === 'playlist') playlists.push({ ...object, folder: parsed.folder });
    }
    next = page.next;
  } while (next);
  const folder = chooseFolder(segments) ?? null;
  const mine = segments.filter((object) => object.folder === folder);
  const isKnown = knownSources(await context.segments.findSources(mine), recording.id);
  const oldest = capturesSinceMs(recording) - 2 * context.config.CLOCK_SLACK;
  // Objects long older than the broadcast are somebody else's; the exact judgement comes with the object's own clock.
  const isSettled = (object: ListedObject) => isKnown(object) || object.modifiedAtMs < oldest;
  return {
    unknown: mine.filter((object) => !isSettled(object)).sort((a, b) => a.modifiedAtMs - b.modifiedAtMs),
    settled: new Set(mine.filter(isSettled).map((object) => object.key)),
    playlists: playlists.filter((object) => object.folder === folder),
  };
}

/** What this recording has, however often it was written, and what is another's as it was written. */
function knownSources(known: readonly KnownSource[], recordingId: string): (object: ListedObject) => boolean {
  const byKey = Map.groupBy(known, (row) => `${row.sourceKey}\n${row.sourceEtag}`);
  return (object) =>
    (byKey.get(`${object.key}\n${object.etag}`) ?? []).some(
      (row) => row.recordingId === recordingId || isSameWrite(row, object),
    );
}
