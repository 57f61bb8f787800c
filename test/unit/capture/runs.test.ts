/** Where runs begin and end: made-up segments for each rule, and real streams. */
import { readFile } from 'node:fs/promises';
import { breakBefore, planRuns, type Run, type RunSegment } from '../../../lib/capture/runs.ts';
import { probeSegment } from '../../../lib/capture/ts-probe.ts';
import { makeHls, type StreamShape } from '../../support/media/index.ts';
import { type RunSegmentShape, runSegment } from './segments.ts';

const plan = (...segments: RunSegment[]) => planRuns(segments).runs;
const shape = (runs: Run[]) => runs.map(({ reason, segments }) => [reason, segments.map(({ number }) => number)]);

/** Plans number 0 and then a segment of the given shape; the reason for a break between them. */
function reasonFor(
  next: Omit<RunSegmentShape, 'number'> & { number?: number },
  first: Omit<RunSegmentShape, 'number'> = {},
) {
  const { tail } = planRuns([runSegment({ number: 0, ...first })]);
  if (tail === null) throw new Error('no tail');
  return breakBefore(tail, runSegment({ number: 1, ...next }));
}

const DUE = 306_000; // where segment 1 is due

describe('a run', () => {
  it('is all segments whose timestamps continue', () => {
    expect(shape(plan(...[0, 1, 2, 3].map((number) => runSegment({ number }))))).toEqual([['start', [0, 1, 2, 3]]]);
  });

  it.each<[string, Omit<RunSegmentShape, 'number'>, string | null]>([
    ['an estimate that is a frame off', { first: DUE + 3600 }, null],
    ['a forward step of half a second', { first: DUE + 45_000 }, null],
    ['a longer forward step', { first: DUE + 45_001 }, 'timestamp-jump'],
    ['a step back behind the last frame', { first: DUE - 3600 }, 'timestamp-jump'],
    ['a clock set anew', { first: 126_000 }, 'timestamp-jump'],
    ['sound that lags as before', { audioOffset: 20_000, first: DUE }, null],
    ['a picture that pauses while the sound goes on', { videoFirst: DUE + 3 * 90_000, audioFirst: DUE }, null],
    ['a picture that is gone for long', { videoFirst: DUE + 11 * 90_000, audioFirst: DUE }, 'timestamp-jump'],
    ['sound that goes back while the picture goes on', { videoFirst: DUE, audioFirst: DUE - 90_000 }, 'timestamp-jump'],
    ['a discontinuity tag over media that continues', { discontinuity: true }, null],
    ['a discontinuity tag with a small step', { discontinuity: true, first: DUE + 9000 }, 'discontinuity-tag'],
    ['a restart that continues exactly', { epoch: 1, number: 0 } as Omit<RunSegmentShape, 'number'>, null],
    ['a restart with its own clock', { epoch: 1, first: 126_000 }, 'epoch'],
    ['a lost segment', { afterGap: true, first: DUE + 180_000 }, 'gap'],
    ['a lost short segment', { afterGap: true, first: DUE + 22_500 }, 'gap'],
    ['another picture size', { fingerprint: 'h264:2' }, 'codec-change'],
    ['sound that is no longer in the tables', { tracks: ['video'] }, 'codec-change'],
  ])('with %s: %o breaks by %j', (_name, next, reason) => {
    expect(reasonFor({ first: DUE, ...next })).toBe(reason);
  });

  it('is not broken by a configuration that a segment does not repeat', () => {
    const silent = runSegment({ number: 1 });
    const [video] = silent.probe.tracks;
    if (video !== undefined) video.fingerprint = null;
    expect(shape(plan(runSegment({ number: 0 }), silent, runSegment({ number: 2 })))).toEqual([['start', [0, 1, 2]]]);
    expect(shape(plan(runSegment({ number: 0 }), silent, runSegment({ number: 2, fingerprint: 'h264:2' })))).toEqual([
      ['start', [0, 1]],
      ['codec-change', [2]],
    ]);
  });

  it('is not broken by a track that is silent for a while and comes back in time', () => {
    const silent = [1, 2].map((number) => runSegment({ number }));
    for (const { probe } of silent) for (const track of probe.tracks) if (track.kind === 'audio') track.times = null;
    expect(shape(plan(runSegment({ number: 0 }), ...silent, runSegment({ number: 3 })))).toEqual([
      ['start', [0, 1, 2, 3]],
    ]);
  });

  it('is broken by a track that was silent and comes back before its own end', () => {
    const silent = runSegment({ number: 1 });
    for (const track of silent.probe.tracks) if (track.kind === 'audio') track.times = null;
    const back = runSegment({ number: 2, audioFirst: 200_000 });
    expect(shape(plan(runSegment({ number: 0 }), silent, back))).toEqual([
      ['start', [0, 1]],
      ['timestamp-jump', [2]],
    ]);
  });

  it('continues across the 33-bit wrap', () => {
    const segments = Array.from({ length: 4 }, (_, number) =>
      runSegment({ number, first: (2 ** 33 - 300_000 + number * 180_000) % 2 ** 33 }),
    );
    expect(shape(plan(...segments))).toEqual([['start', [0, 1, 2, 3]]]);
  });

  it('knows its length, the step of the clock and the real time in which nothing was recorded', () => {
    const runs = plan(
      runSegment({ number: 0 }),
      runSegment({ number: 1 }),
      runSegment({ number: 4, afterGap: true }),
      runSegment({ number: 0, epoch: 1, at: 60 }),
    );
    expect(runs.map(({ segments: _, ...run }) => run)).toEqual([
      { reason: 'start', firstDts90k: 126_000, durationMs: 4000, jumpMs: null, wallClockGapMs: null },
      { reason: 'gap', firstDts90k: 846_000, durationMs: 2000, jumpMs: 4000, wallClockGapMs: 4000 },
      { reason: 'epoch', firstDts90k: 126_000, durationMs: 2000, jumpMs: -10_000, wallClockGapMs: 48_000 },
    ]);
  });

  it('planned piece by piece with the tail kept as JSON is the run planned at once', () => {
    const segments = [0, 1, 2].map((number) => runSegment({ number }));
    const first = planRuns(segments.slice(0, 2));
    const rest = planRuns(segments.slice(2), JSON.parse(JSON.stringify(first.tail)));
    expect(shape(rest.runs)).toEqual([[null, [2]]]);
    expect(rest.tail).toEqual(planRuns(segments).tail);
  });

  it('is none without segments', () => {
    expect(planRuns([])).toEqual({ runs: [], tail: null });
  });
});

describe('real streams', () => {
  async function segmentsOf(stream: StreamShape, epoch = 0, fromSecond = 0): Promise<RunSegment[]> {
    const hls = await makeHls(stream);
    return Promise.all(
      hls.segments.map(async (file, number) => ({
        epoch,
        number,
        afterGap: false,
        discontinuity: false,
        modifiedAtMs: (fromSecond + (number + 1) * 2) * 1000,
        probe: probeSegment(await readFile(file)),
      })),
    );
  }

  it.each<[string, StreamShape]>([
    ['29.97 fps with B-frames', { seconds: 8, fps: '30000/1001', bframes: 2, audio: [{ codec: 'aac' }] }],
    ['variable frame rate', { seconds: 8, fps: 'vfr', audio: [{ codec: 'aac' }] }],
    ['open groups of pictures', { seconds: 6, audio: [], bframes: 2, openGop: true }],
    ['HEVC and AC-3', { seconds: 6, video: 'hevc', audio: [{ codec: 'ac3' }] }],
    ['sound alone', { seconds: 6, video: 'none', audio: [{ codec: 'aac', sampleRate: 44_100, channels: 1 }] }],
    ['timestamps over the 33-bit wrap', { seconds: 10, startSeconds: 95_440, audio: [{ codec: 'aac' }] }],
    ['two sound tracks, one later', { seconds: 6, audio: [{ codec: 'aac' }, { codec: 'mp3', delaySeconds: 1 }] }],
  ])('of %s are one run', async (_name, stream) => {
    const segments = await segmentsOf(stream);
    expect(shape(planRuns(segments).runs)).toEqual([['start', segments.map(({ number }) => number)]]);
  });

  it('break at a lost segment, at a restart and at another picture size', async () => {
    const small: StreamShape = { seconds: 8, fps: '30000/1001', bframes: 2, audio: [{ codec: 'aac' }] };
    const first = await segmentsOf(small);
    const again = await segmentsOf(small, 1, 20);
    const large = await segmentsOf({ seconds: 6, audio: [{ codec: 'aac' }], width: 640, height: 360 }, 2, 40);
    const holed = first.filter(({ number }) => number !== 1).map((one) => ({ ...one, afterGap: one.number === 2 }));
    expect(
      planRuns([...holed, ...again, ...large]).runs.map(({ reason, segments }) => [reason, segments.length]),
    ).toEqual([
      ['start', 1],
      ['gap', 2],
      ['epoch', 4],
      ['epoch', 3],
    ]);
  });

  it('that change their picture size without a seam in time break by that', async () => {
    const [first] = await segmentsOf({ seconds: 6, audio: [{ codec: 'aac' }] });
    const [, second] = await segmentsOf({ seconds: 6, audio: [{ codec: 'aac' }], width: 640, height: 360 });
    if (first === undefined || second === undefined) throw new Error('no segments');
    expect(planRuns([first, second]).runs.map(({ reason }) => reason)).toEqual(['start', 'codec-change']);
  });
});
