/**
 * What of a stream's files goes into the bucket now, in which order. Pure: what is on the disk comes in, steps go out.
 * The rule that all rests on is that a segment is complete, and is there before the playlist that names it.
 *
 *   complete is a segment that   │ because
 *   ─────────────────────────────┼──────────────────────────────────────────────────────────────────────────────
 *   a playlist names             │ servers list what they have closed. Not where it is younger than the playlist: that
 *                                │ is an encoder that restarted and is writing over an old name
 *   another one follows          │ only in folders without playlist (MediaMTX' recordings), and once it is at rest
 *   has not grown for a while    │ the server died; a folder without playlist at the end of its stream
 */

export interface DiskFile {
  readonly name: string;
  readonly size: number;
  readonly mtimeMs: number;
  /** For how long it has been seen with this size and time. */
  readonly unchangedMs: number;
}

export interface DiskPlaylist extends DiskFile {
  /** As it is uploaded. */
  readonly bytes: Uint8Array;
  /** What it names, in order; null while it cannot be read, as when it is half written. */
  readonly names: readonly string[] | null;
}

/** The files of one stream in one folder. */
export interface DiskGroup {
  readonly segments: readonly DiskFile[];
  readonly playlists: readonly DiskPlaylist[];
}

export type Step =
  | { readonly kind: 'segment'; readonly file: DiskFile }
  | { readonly kind: 'playlist'; readonly file: DiskPlaylist };

export interface Plan {
  readonly steps: readonly Step[];
  /** Named by a playlist, and neither on the disk nor in the bucket: deleted before they were uploaded. */
  readonly lost: readonly string[];
  /** On the disk since before this uploader was first started: of earlier broadcasts. */
  readonly leftOver: number;
}

export interface PlanRules {
  /** A file that has been the same for this long is complete, where nothing else can say so. */
  readonly idleMs: number;
  /** The same where a playlist should have named it: a publisher that stalls is not one that is gone. */
  readonly unlistedIdleMs: number;
  /** Files last written before this are left alone. */
  readonly sinceMs: number;
}

/** A file that another one follows is closed; this is for writers that hold back their last bytes. */
const SETTLE_MS = 1000;

/** @param isUploaded whether this writing of the file is in the bucket; `has` whether any of its name is */
export function planUploads(
  group: DiskGroup,
  uploaded: { is(file: DiskFile): boolean; has(name: string): boolean },
  rules: PlanRules,
): Plan {
  const isLeftOver = (file: DiskFile) => file.mtimeMs < rules.sinceMs && !uploaded.has(file.name);
  const pending = group.segments.filter((file) => !uploaded.is(file) && !isLeftOver(file));
  const isComplete = completeness(group, rules);
  const complete = new Set(pending.filter(isComplete));
  const waiting = new Set(pending.filter((file) => !complete.has(file)).map(({ name }) => name));
  const onDisk = new Set(group.segments.map(({ name }) => name));
  const playlists = group.playlists.filter((file) => !uploaded.is(file) && !isLeftOver(file));
  const ready = playlists.filter(({ names }) => names !== null && !names.some((name) => waiting.has(name)));
  const named = ready.flatMap(({ names }) => names ?? []);
  return {
    steps: [
      ...[...complete].toSorted(inOrder).map((file) => ({ kind: 'segment', file }) as const),
      ...ready.map((file) => ({ kind: 'playlist', file }) as const),
    ],
    lost: named.filter((name) => !onDisk.has(name) && !uploaded.has(name)),
    leftOver: group.segments.filter((file) => isLeftOver(file)).length,
  };
}

function completeness(group: DiskGroup, rules: PlanRules): (file: DiskFile) => boolean {
  const listedMs = new Map<string, number>();
  for (const { names, mtimeMs } of group.playlists) {
    for (const name of names ?? []) listedMs.set(name, Math.max(mtimeMs, listedMs.get(name) ?? 0));
  }
  const newestMs = group.segments.reduce((newest, { mtimeMs }) => Math.max(newest, mtimeMs), 0);
  return (file) => {
    if ((listedMs.get(file.name) ?? 0) >= file.mtimeMs) return true;
    if (group.playlists.length > 0) return file.unchangedMs >= rules.unlistedIdleMs;
    return file.unchangedMs >= (newestMs > file.mtimeMs ? SETTLE_MS : rules.idleMs);
  };
}

/** As they were written; what was written in one tick of the clock, by the numbers in the names. */
function inOrder(a: DiskFile, b: DiskFile): number {
  return a.mtimeMs - b.mtimeMs || a.name.localeCompare(b.name, 'en', { numeric: true });
}
