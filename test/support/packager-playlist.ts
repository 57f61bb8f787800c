/**
 * The playlist of a live packager as a value: what it lists after each segment, and which segments it
 * deletes behind itself. Pure; who uploads what, and when, is the packager's business.
 */

export interface PlaylistEntry {
  /** Object name beside the playlist. */
  readonly name: string;
  readonly durationMs: number;
  /** Its timestamps do not continue those of the segment before. */
  readonly discontinuity?: boolean;
}

/** `event` keeps all segments, `window` the last n, `none` writes no playlist at all. */
export type PlaylistShape =
  | { readonly kind: 'event' }
  | { readonly kind: 'window'; readonly segments: number }
  | { readonly kind: 'none' };

export class LivePlaylist {
  readonly #shape: PlaylistShape;
  readonly #deleteBehind: number | undefined;
  #firstNumber: number;
  #entries: PlaylistEntry[] = [];

  /** `deleteBehind` 8: when segment n has been added, segment n − 8 is due for deletion. */
  constructor(shape: PlaylistShape, options: { deleteBehind?: number | undefined; firstNumber?: number } = {}) {
    this.#shape = shape;
    this.#deleteBehind = options.deleteBehind;
    this.#firstNumber = options.firstNumber ?? 0;
  }

  /** Adds a finished segment and returns the name of the one to delete now, if there is one. */
  add(entry: PlaylistEntry): string | undefined {
    this.#entries.push(entry);
    if (this.#deleteBehind === undefined) return undefined;
    return this.#entries[this.#entries.length - 1 - this.#deleteBehind]?.name;
  }

  /** The encoder restarts: an empty playlist, and nobody deletes what the earlier one left. */
  restart(firstNumber: number): void {
    this.#entries = [];
    this.#firstNumber = firstNumber;
  }

  /** The text of the playlist, or undefined where none is written. `closed` appends EXT-X-ENDLIST. */
  render(closed: boolean): string | undefined {
    if (this.#shape.kind === 'none') return undefined;
    const count = this.#entries.length;
    const skipped = this.#shape.kind === 'window' ? Math.max(0, count - this.#shape.segments) : 0;
    const longestMs = this.#entries.reduce((longest, entry) => Math.max(longest, entry.durationMs), 1000);
    return [
      '#EXTM3U',
      '#EXT-X-VERSION:3',
      `#EXT-X-TARGETDURATION:${Math.round(longestMs / 1000)}`,
      `#EXT-X-MEDIA-SEQUENCE:${this.#firstNumber + skipped}`,
      ...(this.#shape.kind === 'event' ? ['#EXT-X-PLAYLIST-TYPE:EVENT'] : []),
      ...this.#entries
        .slice(skipped)
        .flatMap((entry) => [
          ...(entry.discontinuity ? ['#EXT-X-DISCONTINUITY'] : []),
          `#EXTINF:${(entry.durationMs / 1000).toFixed(6)},`,
          encodeURI(entry.name),
        ]),
      ...(closed ? ['#EXT-X-ENDLIST'] : []),
      '',
    ].join('\n');
  }
}
