/** A schedule in words, as a person who has to find its fault wants to read it. */
import type { BroadcastPlan, Schedule, SegmentPlan } from './schedule.ts';
import { START_MS, writeScript } from './script.ts';
import { writeSegment } from './synthetic-segment.ts';

const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;

export function describeSchedule(schedule: Schedule): string {
  const { settings, skewMs, broadcasts, faults, outages, sweepsMs } = schedule;
  const skews = Object.entries(skewMs).filter(([, skew]) => skew !== 0);
  const lines = [
    `reconnect window ${seconds(settings.reconnectWindowMs)}, ${settings.partSegments} segments a part, playlist: ${settings.playlist}, ` +
      `keeps ${settings.keep ?? 'all'}, encoders' clocks ${settings.sameClock ? 'all begin alike' : 'differ'}, ` +
      `queue messages come ${settings.doubled ? 'twice' : 'once'}, latencies of seed ${schedule.seed}`,
    ...(skews.length > 0 ? [`clocks: ${skews.map(([host, skew]) => `${host} ${skew} ms`).join(', ')}`] : []),
    ...describeBroadcasts(schedule, broadcasts),
    ...outages.map((one) => `${one.target} is down from ${seconds(one.fromMs)} for ${seconds(one.forMs)}`),
    ...sweepsMs.map((at) => `the store aborts all uploads at ${seconds(at)}`),
    ...faults.map((fault) => `call ${fault.call}: ${fault.kind}`),
  ];
  return lines.map((line) => `  ${line}`).join('\n');
}

function describeBroadcasts(schedule: Schedule, plans: readonly BroadcastPlan[]): string[] {
  const { broadcasts } = writeScript(schedule, writeSegment);
  return plans.flatMap((plan, number) => {
    const truth = broadcasts[number];
    const from = seconds((truth?.startMs ?? 0) - START_MS);
    const to = seconds((truth?.endMs ?? 0) - START_MS);
    const told = (delays: readonly number[]) =>
      delays.length === 0 ? 'lost' : delays.map((ms) => `+${ms} ms`).join(', ');
    return [
      `broadcast ${number} of stream …${truth?.streamId.slice(-2)}, ${from} to ${to}: start ${told(plan.started)}, end ${told(plan.ended)}${plan.endList ? ', closes its playlist' : ''}`,
      ...plan.sessions.map(
        (session, at) =>
          `  encoder ${at}${at > 0 ? ` after ${seconds(session.pauseMs)}, clock ${session.clock}, numbers ${session.numbers}` : ''}: ${session.segments
            .map(describeSegment)
            .join(' ')}`,
      ),
    ];
  });
}

function describeSegment({ lateMs, told, damage }: SegmentPlan): string {
  const notes = [
    ...(damage === 'none' ? [] : [damage]),
    ...(lateMs > 0 ? [`late ${lateMs}`] : []),
    ...(told.length === 1 && told[0] === 50 ? [] : [told.length === 0 ? 'untold' : `told +${told.join(', +')}`]),
  ];
  return notes.length === 0 ? '●' : `[${notes.join(', ')}]`;
}
