/** Plays random schedules until one shows a difference, shrinks that one, and says how to play it again. */
import fc from 'fast-check';
import type { Bench } from './bench.ts';
import { describeSchedule } from './describe.ts';
import { playSchedule } from './play.ts';
import { type Schedule, scheduleArbitrary } from './schedule.ts';

export interface CheckOptions {
  readonly schedules: number;
  readonly seed: number;
  /** Of a failure that was printed: plays that one schedule alone. */
  readonly path?: string;
  readonly onPlayed?: (calls: number) => void;
  /** Other schedules than all, or played another way than with synthetic media. */
  readonly arbitrary?: fc.Arbitrary<Schedule>;
  readonly play?: typeof playSchedule;
}

export interface CheckFailure {
  readonly schedule: Schedule;
  readonly text: string;
}

/** Null where no schedule shows a difference. */
export async function checkSchedules(bench: Bench, options: CheckOptions): Promise<CheckFailure | null> {
  const { schedules, seed, path, onPlayed, arbitrary = scheduleArbitrary, play = playSchedule } = options;
  const property = fc.asyncProperty(arbitrary, async (schedule) => {
    const { differences, calls } = await play(bench, schedule);
    onPlayed?.(calls);
    if (differences.length > 0) throw new Error(differences.join('\n'));
  });
  const details = await fc.check(property, {
    seed,
    numRuns: path === undefined ? schedules : 1,
    ...(path === undefined ? {} : { path, endOnFailure: true }),
  });
  const [schedule] = details.counterexample ?? [];
  if (!details.failed || !schedule) return null;
  const why = details.errorInstance instanceof Error ? details.errorInstance.message : String(details.errorInstance);
  const text = [
    `After ${details.numRuns} schedules one shows a difference (shrunk ${details.numShrinks} times):`,
    ...why.split('\n').map((line) => `  ✖ ${line}`),
    'The schedule:',
    describeSchedule(schedule),
    'Play it again, step by step:',
    `  npm run chaos -- --seed ${details.seed} --path ${details.counterexamplePath}`,
  ].join('\n');
  return { schedule, text };
}
