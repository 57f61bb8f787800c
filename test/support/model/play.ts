/**
 * Plays a schedule to its end: faults, then healing, then a look at what came of it. Owns the times of the monitor's
 * rounds; once nothing happens any more they come more seldom, since only time passes.
 */
import type { RecordingContext } from '../../../lib/recordings/context.ts';
import { RecordingRepository } from '../../../lib/recordings/recording-repository.ts';
import type { Bench } from './bench.ts';
import { type Difference, judge, judgeFailed } from './oracle.ts';
import type { Schedule } from './schedule.ts';
import { START_MS } from './script.ts';
import { syntheticMedia } from './synthetic-media.ts';
import { writeSegment } from './synthetic-segment.ts';
import { type Footage, World } from './world.ts';

const TICK_MS = 10_000;
/** When nothing is left to do this long after the last fault, something is stuck. */
const HEALED_WITHIN_MS = 30 * 60_000;
/** LATE_SEGMENT_WINDOW is over, and orphans are an hour old. */
const STAGING_MS = 11 * 60_000;
const ORPHANS_MS = 75 * 60_000;
/** Messages of functions that died come back for the last time. */
const LAST_MESSAGE_MS = 95 * 60_000;

export interface Played {
  readonly differences: readonly Difference[];
  readonly calls: number;
  readonly statuses: readonly string[];
}

/** Segments that tell by themselves what a file holds, and are made and joined at next to no cost. */
const SYNTHETIC: Footage = {
  media: syntheticMedia,
  ffmpegPath: 'ffmpeg',
  segmentBytes: 1128,
  make: writeSegment,
  judge,
};

/** Plays one schedule; `tell` hears every step. */
export async function playSchedule(
  bench: Bench,
  schedule: Schedule,
  tell?: (line: string) => void,
  footage = SYNTHETIC,
): Promise<Played> {
  await bench.empty();
  const world = new World(bench, schedule, footage, tell);
  const { simulation, script } = world;
  const recordings = new RecordingRepository(bench.db);
  const differences: Difference[] = [];
  const healMs = script.lastMs;
  for (let at = START_MS; at < healMs; at += TICK_MS) world.tickAt(at);
  await simulation.runUntil(healMs);
  await settle(world, recordings, healMs);
  let retried = 0;
  for (const failed of await recordings.list({ limit: 100, status: 'failed' })) {
    const found = await judgeFailed(world, bench, failed);
    differences.push(...found.differences);
    if (!found.retry) continue;
    retried += 1;
    void world.retry(failed.id);
  }
  if (retried > 0) await settle(world, recordings, simulation.nowMs);
  await world.noteHeard();
  differences.push(...(await footage.judge(world, bench, 'finished')));
  const endMs = simulation.nowMs;
  for (const later of [STAGING_MS, ORPHANS_MS, LAST_MESSAGE_MS]) {
    // Healing of orphans comes with the full ten minutes.
    const at = Math.ceil((endMs + later) / 600_000) * 600_000 - schedule.skewMs.poller;
    world.tickAt(at + 1000);
    await simulation.runUntil(at + TICK_MS);
  }
  differences.push(...(await footage.judge(world, bench, 'cleaned')));
  differences.push(...world.surprises);
  const all = await recordings.list({ limit: 100 });
  return { differences, calls: simulation.calls, statuses: all.map((one) => one.status) };
}

/** Rounds of the monitor until no recording is open any more, and no function stands still with a row locked. */
async function settle(world: World, recordings: RecordingContext['recordings'], fromMs: number): Promise<void> {
  const { simulation } = world;
  for (let round = 1; simulation.nowMs < fromMs + HEALED_WITHIN_MS; round += 1) {
    world.tickAt(simulation.nowMs + 1);
    await simulation.runUntil(simulation.nowMs + (round <= 12 ? TICK_MS : 6 * TICK_MS));
    if (round >= 2 && simulation.running.length === 0 && (await recordings.findOpen(new Date(8.64e15))).length === 0)
      return;
  }
}
