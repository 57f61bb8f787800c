/** When a stream that has ended has no more segments to come: a pure decision. */

export interface EndSigns {
  readonly nowMs: number;
  readonly endHeardAtMs: number;
  readonly lastSegmentAtMs: number | null;
  /** The playlist carries EXT-X-ENDLIST. */
  readonly endList: boolean;
  /** Segments that must exist and are still waited for. */
  readonly awaited: number;
}

/** However late segments come, they do not hold a recording open for longer than this after its end. */
const LONGEST_WAIT_MS = 60_000;
const LOOK_AGAIN_MS = 1000;

/**
 * Ready at once where the packager says that the list is complete and nothing of it is missing; else when nothing
 * came for `graceMs`. Otherwise the time to look again (a segment or a playlist that comes earlier wakes us up).
 */
export function decideReadiness(
  signs: EndSigns,
  graceMs: number,
): { readonly ready: true } | { readonly ready: false; readonly lookAtMs: number } {
  const { nowMs, endHeardAtMs } = signs;
  // Bounded by itself: each missing segment is tried MAX_RETRY_ATTEMPTS times and then no longer awaited.
  if (signs.awaited > 0) return { ready: false, lookAtMs: nowMs + LOOK_AGAIN_MS };
  if (signs.endList) return { ready: true };
  const quietSinceMs = Math.max(endHeardAtMs, Math.min(signs.lastSegmentAtMs ?? 0, nowMs));
  const readyAtMs = Math.min(quietSinceMs + graceMs, endHeardAtMs + Math.max(LONGEST_WAIT_MS, graceMs));
  return nowMs >= readyAtMs ? { ready: true } : { ready: false, lookAtMs: Math.min(readyAtMs, nowMs + LOOK_AGAIN_MS) };
}
