/**
 * Captures all objects of a stream key that no recording has. Whose one is shows beside those that have theirs: what is
 * sure comes first, as long as that finds anything, then the likeliest recording of the earliest of the others, and so on.
 */
import { captureSegment } from './capture-segment.ts';
import type { RecordingContext } from './context.ts';
import type { Recording } from './recording.ts';

/** Segments that are fetched at once where all are one recording's: enough to catch up, few enough to share the machine. */
const CONCURRENCY = 4;

type Guesses = 'none' | 'one' | 'all';

export interface CapturedAll {
  readonly captured: number;
  /** Keys of what came after the end of each recording and is none's that is known of. */
  readonly unclaimed: ReadonlySet<string>;
  /** The candidates are not those any more: look again, with those of now. */
  readonly isStale: boolean;
}

/**
 * @param keys in the order in which they were uploaded
 * @throws what captureSegment throws, once all others were looked at
 */
export async function captureAll(
  context: RecordingContext,
  candidates: readonly Recording[],
  keys: readonly string[],
): Promise<CapturedAll> {
  const rounds = new Rounds(context, candidates);
  let open = keys;
  for (let guesses: Guesses = 'none', guessed = false; open.length > 0; ) {
    const round = await rounds.play(open, guesses);
    if (guesses === 'all' || rounds.isStale) break;
    open = round.open;
    if (round.stored > 0) {
      guessed = guesses === 'one';
      guesses = 'none';
    } else {
      if (!round.isUnsure || guesses === 'one') break;
      // A guess that made nothing sure: the next ones would not either, and each of them costs a look at all.
      guesses = guessed ? 'all' : 'one';
    }
  }
  if (rounds.failure !== undefined) throw rounds.failure;
  return rounds;
}

interface Round {
  readonly stored: number;
  readonly isUnsure: boolean;
  /** What another look may find sure. */
  readonly open: readonly string[];
}

class Rounds implements CapturedAll {
  readonly #context: RecordingContext;
  readonly #candidates: readonly Recording[];
  captured = 0;
  readonly unclaimed = new Set<string>();
  isStale = false;
  /** One that cannot be had must not keep the others out. */
  failure: unknown;

  constructor(context: RecordingContext, candidates: readonly Recording[]) {
    this.#context = context;
    this.#candidates = candidates;
  }

  /** Looks at each key once; with `one`, no further than to the first that is captured. */
  async play(keys: readonly string[], guesses: Guesses): Promise<Round> {
    const pending = [...keys];
    const open: string[] = [];
    let stored = 0;
    let isUnsure = false;
    const worker = async () => {
      for (let key = pending.shift(); key !== undefined; key = pending.shift()) {
        const outcome = await this.#look(key, guesses !== 'none');
        if (outcome === 'open') this.unclaimed.add(key);
        else this.unclaimed.delete(key);
        if (outcome === 'open' || outcome === 'unsure') open.push(key);
        isUnsure ||= outcome === 'unsure';
        if (this.isStale) pending.splice(0);
        if (outcome !== 'stored') continue;
        stored += 1;
        if (guesses === 'one') open.push(...pending.splice(0));
      }
    };
    // Where there is a choice, one after the other: the order of time tells the first segments of a broadcast.
    const workers = this.#candidates.length > 1 || guesses !== 'none' ? 1 : CONCURRENCY;
    await Promise.all(Array.from({ length: Math.min(workers, keys.length) }, worker));
    return { stored, isUnsure, open };
  }

  async #look(key: string, guesses: boolean): Promise<'stored' | 'unsure' | 'open' | 'settled'> {
    try {
      const outcome = await captureSegment(this.#context, this.#candidates, key, guesses);
      if (outcome.kind === 'unsure') return 'unsure';
      if (outcome.kind === 'stale') this.isStale = true;
      // What comes after the end may continue one that was captured since.
      if (outcome.kind === 'ignored') return outcome.why === 'after-end' ? 'open' : 'settled';
      if (outcome.kind !== 'stored') return 'settled';
      if (outcome.state === 'captured') this.captured += 1;
      return 'stored';
    } catch (error) {
      this.failure ??= error;
      return 'settled';
    }
  }
}
