/**
 * The model test: random schedules of streams, lost and doubled messages, deaths, outages and clocks, played by the real
 * functions on a simulated clock. `npm run chaos` plays thousands; a schedule that failed once is kept in pinned.test.ts.
 */
import { type Bench, startBench } from '../../support/model/bench.ts';
import { checkSchedules } from '../../support/model/check-schedules.ts';

const SCHEDULES = 300;
const SEED = 1;
/** A quarter of a second each; the machine may have other things to do. */
const WITHIN_MS = 15 * 60_000;

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(() => bench.stop());

describe('whatever is lost, doubled, late, killed or down', () => {
  it(
    `the outcome is the same file, in ${SCHEDULES} random schedules`,
    async () => {
      const failure = await checkSchedules(bench, { schedules: SCHEDULES, seed: SEED });
      expect(failure?.text ?? 'no difference').toBe('no difference');
    },
    WITHIN_MS,
  );
});
