/**
 * Segments that must exist (the playlist lists them, or the numbering has a hole) and are not there: each is tried
 * again after SEGMENT_RETRY_DELAY, at most MAX_RETRY_ATTEMPTS times, and is then a gap in the ledger. One that turns
 * up later is captured all the same.
 */
import type { Gap } from '../capture/order.ts';
import { withoutStreamKey } from '../platform/logging.ts';
import { findCandidates } from './capture-notified.ts';
import { captureSegment } from './capture-segment.ts';
import { nowOf, type RecordingContext } from './context.ts';
import type { LedgerSegment } from './ledger-rows.ts';
import { readOrder } from './order-window.ts';
import type { CurrentPlaylist } from './read-playlist.ts';
import type { Recording } from './recording.ts';

/** A hole of this many numbers is a numbering that jumped, not that many segments to ask for one by one. */
const LARGEST_HOLE = 100;

interface Wanted {
  readonly key: string;
  readonly number: number | null;
}

/**
 * Tries what is missing and due. Returns how many segments are still waited for.
 * @param settled keys of objects that are there and not for this recording: a playlist may name an earlier broadcast's
 * @throws what captureSegment throws
 */
export async function waitForMissing(
  context: RecordingContext,
  recording: Recording,
  candidates: readonly Recording[],
  playlist: CurrentPlaylist | null,
  settled: ReadonlySet<string>,
): Promise<number> {
  const { rows, order, whole } = await readOrder(context.places, recording.id);
  const found = findWanted(rows, order.gaps, playlist);
  const held = whole
    ? new Set<string>()
    : await context.segments.findHeldKeys(
        recording.id,
        found.map((want) => want.key),
      );
  const wanted = found.filter((want) => !held.has(want.key) && !settled.has(want.key));
  const missing = new Map(rows.filter((row) => row.state === 'missing').map((row) => [row.sourceKey, row]));
  let awaited = 0;
  for (const want of wanted) {
    if (await isAwaited(context, recording, candidates, want, missing.get(want.key))) awaited += 1;
  }
  if (awaited > 0) await context.queues.requestSweep(recording.id, context.config.SEGMENT_RETRY_DELAY / 1000);
  return awaited;
}

async function isAwaited(
  context: RecordingContext,
  recording: Recording,
  candidates: readonly Recording[],
  want: Wanted,
  row: LedgerSegment | undefined,
): Promise<boolean> {
  const { MAX_RETRY_ATTEMPTS, SEGMENT_RETRY_DELAY } = context.config;
  if (row && row.attempts >= MAX_RETRY_ATTEMPTS) return false;
  if (row?.nextAttemptAt && row.nextAttemptAt > nowOf(context)) return true;
  const outcome = await captureSegment(
    context,
    candidates.length > 0 ? candidates : await findCandidates(context, recording.streamKey),
    want.key,
    true,
  );
  if (outcome.kind !== 'absent') return outcome.kind === 'stale';
  const attempts = await context.segments.noteMissing(
    recording.id,
    want.key,
    want.number,
    `not available, tried ${(row?.attempts ?? 0) + 1} of ${MAX_RETRY_ATTEMPTS} times`,
    nowOf(context, SEGMENT_RETRY_DELAY),
    nowOf(context),
  );
  if (attempts < MAX_RETRY_ATTEMPTS) return true;
  context.logger.warn(
    {
      recording_id: recording.id,
      segment: withoutStreamKey(want.key.split('/').at(-1) ?? '', recording.streamKey),
      attempts,
    },
    'A segment is missing; the recording has a gap there',
  );
  return false;
}

/**
 * Which gaps of the order are still waited for: those with a segment that has tries left. A hole that cannot be named
 * segment by segment is waited for as long as a named one would be.
 */
export function openGaps(
  rows: readonly LedgerSegment[],
  gaps: readonly Gap[],
  settings: Pick<RecordingContext['config'], 'MAX_RETRY_ATTEMPTS' | 'SEGMENT_RETRY_DELAY'>,
  nowMs: number,
): Set<number> {
  const byId = new Map(rows.map((row) => [row.id, row]));
  const settled = new Set(
    rows
      .filter(
        (row) => row.state === 'rejected' || (row.state === 'missing' && row.attempts >= settings.MAX_RETRY_ATTEMPTS),
      )
      .map((row) => row.sourceKey),
  );
  const patienceMs = settings.MAX_RETRY_ATTEMPTS * settings.SEGMENT_RETRY_DELAY;
  const isOpen = (gap: Gap): boolean => {
    const [before, behind] = [byId.get(Number(gap.afterId)), byId.get(Number(gap.beforeId))];
    if (!before || !behind || gap.isTaken) return false;
    const names = gap.missing > LARGEST_HOLE ? [] : namesInHole(before, gap);
    if (names.length === 0) return nowMs - behind.capturedAt.getTime() < patienceMs;
    return names.some((want) => !settled.has(want.key));
  };
  return new Set(gaps.filter(isOpen).map((gap) => Number(gap.afterId)));
}

/** Keys that the playlist lists or that the numbering implies, and that no row of the ledger holds. */
function findWanted(rows: readonly LedgerSegment[], gaps: readonly Gap[], playlist: CurrentPlaylist | null): Wanted[] {
  const held = new Set(rows.filter((row) => row.state !== 'missing').map((row) => row.sourceKey));
  const wanted = new Map<string, Wanted>();
  for (const segment of playlist?.media.segments ?? []) {
    const key = `${playlist?.folder}${segment.name}`;
    if (!segment.gap && !held.has(key)) wanted.set(key, { key, number: null });
  }
  const byId = new Map(rows.map((row) => [row.id, row]));
  for (const gap of gaps) {
    const before = byId.get(Number(gap.afterId));
    if (!before || gap.missing > LARGEST_HOLE) continue;
    for (const want of namesInHole(before, gap)) if (!held.has(want.key)) wanted.set(want.key, want);
  }
  return [...wanted.values()];
}

/** The keys of a hole, named as their neighbour is: same digits, counted on. Empty for names without a number. */
function namesInHole(
  neighbour: LedgerSegment,
  gap: { readonly from: number; readonly to: number; readonly missing: number },
): Wanted[] {
  const digits = /\d+(?=\D*$)/.exec(neighbour.sourceKey.replace(/\.[A-Za-z0-9]+$/, ''));
  if (!digits || neighbour.nameNumber === null || Number(digits[0]) !== neighbour.nameNumber) return [];
  // Gaps count in media sequences where there is a playlist; the name's own number runs beside it.
  const offset = neighbour.nameNumber - ((neighbour.playlistSequence ?? neighbour.nameNumber) || 0);
  if (gap.to - gap.from + 1 !== gap.missing) return [];
  return Array.from({ length: gap.missing }, (_, index) => {
    const number = gap.from + index + offset;
    const name = String(number).padStart(digits[0].length, '0');
    const key =
      neighbour.sourceKey.slice(0, digits.index) + name + neighbour.sourceKey.slice(digits.index + digits[0].length);
    return { key, number };
  });
}
