/**
 * What a live packager does with a stream's segments, step by step and with every way in which it can
 * misbehave, as a list. Pure: `startPackager` carries the list out.
 */
import { LivePlaylist, type PlaylistEntry, type PlaylistShape } from './packager-playlist.ts';

/** Bytes that are not the segment: none, its first half (cut within a TS packet), an error page. */
export type Damage = 'empty' | 'truncated' | 'html';

export interface PackagerOptions {
  /** Object name of a number; `segment_000.ts` by default. */
  readonly naming?: (number: number) => string;
  readonly firstNumber?: number;
  readonly playlist?: PlaylistShape;
  readonly playlistName?: string;
  /** Deletes segment n − `deleteBehind` after segment n; nothing by default. */
  readonly deleteBehind?: number;
  /** Whether the last playlist has EXT-X-ENDLIST; true by default. */
  readonly endList?: boolean;
  /** The last segment comes this long after the stream has ended. */
  readonly lastSegmentLateMs?: number;
  /** The encoder restarts before these segments and numbers from `firstNumber` again, over the same names. */
  readonly restartBefore?: readonly number[];
  /** Never uploaded, but in the playlist. */
  readonly drop?: readonly number[];
  readonly damage?: Readonly<Record<number, Damage>>;
  /** Uploaded twice. */
  readonly twice?: readonly number[];
  /** Segment → the later segment after which it is uploaded: out of order, as parallel uploads are. */
  readonly uploadAfter?: Readonly<Record<number, number>>;
}

/** `afterEnd` steps count their milliseconds of real time from the end of the stream, others of stream time from its start. */
interface At {
  readonly atMs: number;
  readonly afterEnd: boolean;
}

export type PackagerStep = At &
  (
    | { readonly kind: 'segment'; readonly index: number; readonly name: string; readonly damage: Damage | undefined }
    | { readonly kind: 'playlist'; readonly name: string; readonly body: string }
    | { readonly kind: 'delete'; readonly name: string }
    | { readonly kind: 'ended' }
  );

const segmentName = (number: number): string => `segment_${String(number).padStart(3, '0')}.ts`;

/** The steps for these segments, in order of time. Indexes in `options` count from 0 over the whole stream. */
export function planPackaging(
  segments: readonly Omit<PlaylistEntry, 'name'>[],
  options: PackagerOptions = {},
): PackagerStep[] {
  const firstNumber = options.firstNumber ?? 0;
  const playlist = new LivePlaylist(options.playlist ?? { kind: 'event' }, {
    firstNumber,
    deleteBehind: options.deleteBehind,
  });
  const steps: PackagerStep[] = [];
  const last = segments.length - 1;
  const late = options.lastSegmentLateMs;
  const postponed = new Map<number, PackagerStep[]>();
  let number = firstNumber;
  let atMs = 0;

  for (const [index, segment] of segments.entries()) {
    if (options.restartBefore?.includes(index)) {
      number = firstNumber;
      playlist.restart(firstNumber);
    }
    const name = (options.naming ?? segmentName)(number++);
    atMs += segment.durationMs;
    const isLate = index === last && late !== undefined;
    if (isLate) steps.push({ kind: 'ended', atMs, afterEnd: false });
    const at: At = isLate ? { atMs: late, afterEnd: true } : { atMs, afterEnd: false };

    const uploads = uploadsOf(index, name, options, at);
    const after = options.uploadAfter?.[index];
    if (after === undefined) steps.push(...uploads);
    else postponed.set(after, [...(postponed.get(after) ?? []), ...uploads]);
    const overdue = playlist.add({ ...segment, name });
    steps.push(...(postponed.get(index) ?? []).map((step): PackagerStep => ({ ...step, ...at })));

    const body = playlist.render(index === last && (options.endList ?? true));
    if (body !== undefined) steps.push({ kind: 'playlist', name: options.playlistName ?? 'index.m3u8', body, ...at });
    if (overdue !== undefined) steps.push({ kind: 'delete', name: overdue, ...at });
  }
  if (late === undefined || last < 0) steps.push({ kind: 'ended', atMs, afterEnd: false });
  return steps;
}

function uploadsOf(index: number, name: string, options: PackagerOptions, at: At): PackagerStep[] {
  if (options.drop?.includes(index)) return [];
  const upload: PackagerStep = { kind: 'segment', index, name, damage: options.damage?.[index], ...at };
  return options.twice?.includes(index) ? [upload, upload] : [upload];
}

const ERROR_PAGE = '<!DOCTYPE html><html><head><title>503</title></head><body>Service Unavailable</body></html>\n';

/** The bytes that are uploaded in the place of an intact segment. */
export function damagedBytes(intact: Uint8Array, damage: Damage | undefined): Uint8Array {
  switch (damage) {
    case undefined:
      return intact;
    case 'empty':
      return new Uint8Array(0);
    case 'truncated':
      return intact.subarray(0, Math.floor(intact.length / 2 / 188) * 188 + 94);
    case 'html':
      return new TextEncoder().encode(ERROR_PAGE);
  }
}
