/** When a broadcast began, judged by its objects alone: a pure function over their times. */

/** Objects of one broadcast follow each other closer than this; a longer silence parts two broadcasts. */
const SILENCE_MS = 2 * 60_000;

/** A segment is written when it is complete: the broadcast began about one segment before its first object. */
const FIRST_SEGMENT_MS = 10_000;

/**
 * Walks back from the end through the objects' modification times until a silence.
 * @param modifiedAtMs times of the segments that no recording owns, in any order
 * @returns the start, or null where there is no object that could belong to a broadcast that ended then
 */
export function inferStart(modifiedAtMs: readonly number[], endedAt: Date): Date | null {
  let earliest = endedAt.getTime();
  let found = false;
  for (const time of modifiedAtMs.toSorted((a, b) => b - a)) {
    if (time > endedAt.getTime() + SILENCE_MS) continue;
    if (earliest - time > SILENCE_MS) break;
    earliest = Math.min(earliest, time);
    found = true;
  }
  return found ? new Date(earliest - FIRST_SEGMENT_MS) : null;
}
