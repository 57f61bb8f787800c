/**
 * Looks at everything below the root and groups it by stream. A look at the folders, not a watch on them: a look works
 * on every file system (network and container mounts tell of nothing), needs no limit raised, and would be needed beside
 * a watch anyway, for what happened before it and what it dropped. Reads playlists; segments are only listed.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { PLAYLIST_LIMIT, readPlaylist } from '../capture/playlist.ts';
import { flatStreamKey, kindOf, type Place, placeOfFolder } from './layout.ts';
import type { DiskFile, DiskGroup, DiskPlaylist } from './plan.ts';
import { type FileState, isGone, readUnchanged, stateOf } from './read-file.ts';

export type ScannedFile = DiskFile & FileState;

export interface ScannedGroup extends DiskGroup {
  readonly place: Place;
  /** Where the files lie, without links in it. */
  readonly folder: string;
  readonly segments: readonly ScannedFile[];
  readonly playlists: readonly (DiskPlaylist & FileState)[];
}

interface Seen extends FileState {
  readonly sinceMs: number;
  readonly scan: number;
  readonly playlist?: Pick<DiskPlaylist, 'bytes' | 'names'>;
}

/** How many files are asked about at a time. */
const AT_ONCE = 32;

export class Scanner {
  readonly #root: string;
  /** Every path of the last scan, as it was seen. */
  readonly #seen = new Map<string, Seen>();
  #scans = 0;

  /** @param root an existing folder, its path without links in it */
  constructor(root: string) {
    this.#root = root;
  }

  /**
   * @param nowMs of a clock that only goes forward
   * @param onIgnored told of entries that are left alone: `{path, why}`
   */
  async scan(nowMs: number, onIgnored: (path: string, why: string) => void = () => {}): Promise<ScannedGroup[]> {
    this.#scans += 1;
    const groups: ScannedGroup[] = [];
    const top = await list(this.#root);
    const names = top.files.filter((name) => kindOf(name) !== 'other');
    const playlists = names.filter((name) => kindOf(name) === 'playlist');
    const byKey = Map.groupBy(names, (name) => flatStreamKey(name, playlists));
    for (const [streamKey, files] of byKey) {
      if (streamKey === null) for (const name of files) onIgnored(name, 'its name does not tell a stream key');
      else groups.push(await this.#group({ streamKey, prefix: `${streamKey}/` }, this.#root, files, nowMs));
    }
    for (const name of top.links) onIgnored(name, 'it is a link');
    for (const folder of top.folders) groups.push(...(await this.#folder([folder], nowMs, onIgnored)));
    for (const [path, seen] of this.#seen) if (seen.scan !== this.#scans) this.#seen.delete(path);
    return groups.filter(({ segments, playlists: lists }) => segments.length + lists.length > 0);
  }

  async #folder(
    folders: readonly string[],
    nowMs: number,
    onIgnored: (path: string, why: string) => void,
  ): Promise<ScannedGroup[]> {
    const place = placeOfFolder(folders);
    const path = folders.join('/');
    if (!place) {
      onIgnored(path, 'its name is no stream key');
      return [];
    }
    const folder = join(this.#root, ...folders);
    const listing = await list(folder).catch((error: unknown) => {
      // One folder that may not be read does not keep the others waiting.
      onIgnored(path, `it cannot be read (${(error as NodeJS.ErrnoException).code})`);
      return null;
    });
    if (!listing) return [];
    const { files, folders: below, links } = listing;
    for (const name of links) onIgnored(`${path}/${name}`, 'it is a link');
    const groups = [await this.#group(place, folder, files, nowMs)];
    for (const name of folders.length === 1 ? below : [])
      groups.push(...(await this.#folder([...folders, name], nowMs, onIgnored)));
    return groups;
  }

  async #group(place: Place, folder: string, names: readonly string[], nowMs: number): Promise<ScannedGroup> {
    const segments: ScannedFile[] = [];
    const playlists: (DiskPlaylist & FileState)[] = [];
    const pending = names.filter((name) => kindOf(name) !== 'other');
    while (pending.length > 0) {
      await Promise.all(
        pending.splice(0, AT_ONCE).map(async (name) => {
          const state = await stateOf(folder, name);
          if (!state) return;
          const seen = this.#see(join(folder, name), state, nowMs);
          const file = { name, ...state, unchangedMs: nowMs - seen.sinceMs };
          if (kindOf(name) === 'segment') segments.push(file);
          else playlists.push({ ...file, ...(await this.#playlist(folder, file, seen)) });
        }),
      );
    }
    return { place, folder, segments, playlists };
  }

  #see(path: string, state: FileState, nowMs: number): Seen {
    const before = this.#seen.get(path);
    const same =
      before && before.size === state.size && before.mtimeMs === state.mtimeMs && before.inode === state.inode;
    const seen: Seen = same ? { ...before, scan: this.#scans } : { ...state, sinceMs: nowMs, scan: this.#scans };
    this.#seen.set(path, seen);
    return seen;
  }

  /** Read once for each writing of it. */
  async #playlist(folder: string, file: ScannedFile, seen: Seen): Promise<Pick<DiskPlaylist, 'bytes' | 'names'>> {
    if (seen.playlist) return seen.playlist;
    const unread = { bytes: new Uint8Array(), names: null };
    if (file.size > PLAYLIST_LIMIT) return unread;
    const bytes = await readUnchanged(folder, file.name, file);
    if (!bytes) return unread;
    const playlist = { bytes, names: namesIn(bytes) };
    this.#seen.set(join(folder, file.name), { ...seen, playlist });
    return playlist;
  }
}

function namesIn(bytes: Uint8Array): string[] | null {
  try {
    const playlist = readPlaylist(new TextDecoder().decode(bytes));
    if (playlist.kind === 'master') return [];
    return playlist.segments.filter(({ gap }) => !gap).map(({ name }) => name);
  } catch {
    // Half written, or none: the next writing may be better.
    return null;
  }
}

interface Listing {
  readonly files: string[];
  readonly folders: string[];
  /** Names of segments, playlists and folders that are links, which are never followed. */
  readonly links: string[];
}

async function list(folder: string): Promise<Listing> {
  const listing: Listing = { files: [], folders: [], links: [] };
  try {
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      if (entry.name.startsWith('.')) continue;
      if (entry.isFile()) listing.files.push(entry.name);
      else if (entry.isDirectory()) listing.folders.push(entry.name);
      else if (entry.isSymbolicLink()) listing.links.push(entry.name);
    }
  } catch (error) {
    // A stream's folder goes when its server cleans up.
    if (!isGone(error)) throw error;
  }
  return listing;
}
