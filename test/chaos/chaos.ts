/**
 * npm run chaos: plays thousands of random schedules in the simulated world (test/support/model) and stops at the first
 * that shows a difference. With --path it plays that one again and tells every step.
 */
import { type Bench, startBench } from '../support/model/bench.ts';
import { checkSchedules } from '../support/model/check-schedules.ts';
import { playSchedule } from '../support/model/play.ts';
import { CHAOS_USAGE, type ChaosArguments, parseChaosArguments } from './chaos-arguments.ts';

const PROGRESS_MS = 10_000;

async function run(bench: Bench, { schedules, seed = freshSeed(), path }: ChaosArguments): Promise<number> {
  const startedAt = performance.now();
  let played = 0;
  let calls = 0;
  let toldAt = startedAt;
  const rate = () => `${(played / ((performance.now() - startedAt) / 1000)).toFixed(1)} a second`;
  if (path === undefined) console.log(`${schedules} schedules of seed ${seed}`);
  const failure = await checkSchedules(bench, {
    schedules,
    seed,
    ...(path === undefined ? {} : { path }),
    onPlayed: (more) => {
      played += 1;
      calls += more;
      if (performance.now() - toldAt < PROGRESS_MS) return;
      toldAt = performance.now();
      console.log(`${played} played, ${rate()}`);
    },
  });
  if (!failure) {
    console.log(`${played} schedules of seed ${seed}, ${calls} calls of back ends, ${rate()}: no difference`);
    return 0;
  }
  if (path !== undefined) await playSchedule(bench, failure.schedule, (line) => console.log(line));
  console.log(failure.text);
  return 1;
}

function freshSeed(): number {
  return Date.now() & 0x7fff_ffff;
}

const parsed = parseChaosArguments(process.argv.slice(2));
if (parsed.kind !== 'run') {
  console.log(parsed.kind === 'wrong' ? `✖ ${parsed.problem}\n\n${CHAOS_USAGE}` : CHAOS_USAGE);
  process.exitCode = parsed.kind === 'wrong' ? 2 : 0;
} else {
  const bench = await startBench();
  const stop = () => bench.stop().then(() => process.exit(130));
  process.once('SIGINT', stop).once('SIGTERM', stop);
  try {
    process.exitCode = await run(bench, parsed.options);
  } finally {
    await bench.stop();
  }
}
