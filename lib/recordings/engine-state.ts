/** What the roll of one part leaves for the next, as it is kept in `recordings.engine_state`. */
import type { RunTail } from '../capture/runs.ts';
import type { RollState } from '../ffmpeg/roll.ts';

export interface EngineState {
  /** 1 where a release before held-part.ts wrote it: that one, which counts parts, must not go on behind this one. */
  readonly version: 1 | 2;
  /** The engine's own: clocks, carried packets. */
  readonly roll: RollState;
  /** The end of the planned runs, for judging whether the next segment continues. */
  readonly tail: RunTail | null;
  readonly runs: number;
  /** What was left out or repaired so far, each once. */
  readonly warnings: readonly string[];
}

const MAX_WARNINGS = 50;

/**
 * The stored state, or null before the first part.
 * @throws where another version of the service wrote it: the file is then made anew from staging
 */
export function readEngineState(stored: unknown): EngineState | null {
  if (stored === null || stored === undefined) return null;
  // The column is written by this module alone; the version guards against another release's shape.
  const state = stored as EngineState;
  if (state.version !== 1 && state.version !== 2)
    throw new Error(`The engine state is of version ${String((state as { version?: unknown }).version)}`);
  return state;
}

/** Adds the warnings of a part. */
export function mergeWarnings(before: readonly string[], added: readonly string[]): string[] {
  return [...new Set([...before, ...added])].slice(0, MAX_WARNINGS);
}
