/** A recording for which nothing comes any more and whose end nobody tells. */

import { resumeStale } from '../../../lib/recordings/resume-stale.ts';
import { NeighbourUnavailable } from '../../../lib/services/errors.ts';
import type { StreamState } from '../../../lib/services/stream-service.ts';
import { type FaultyService, serviceWith } from '../../support/faults.ts';
import { type Hls, makeHls } from '../../support/media/index.ts';
import { expectExact, put, type StreamIds, startRecording } from '../../support/recorded.ts';
import { type Harness, startHarness } from '../../support/service-harness.ts';
import { nextSecond } from '../../support/wait.ts';

let harness: Harness;
let hls: Hls;
const MINUTE_MS = 60_000;

beforeAll(async () => {
  [harness, hls] = await Promise.all([
    startHarness(),
    makeHls({ seconds: 8, segmentSeconds: 2, fps: '25', audio: [{ codec: 'aac' }] }),
  ]);
});
afterAll(() => harness.stop());

it('is ended after STALE_TIMEOUT and completed with what came, one that still gets segments is not', async () => {
  const service = serviceWith(harness, { STALE_TIMEOUT: '5m' });
  const [gone, live] = [await startRecording(harness, hls), await startRecording(harness, hls)];
  await gone.upload(0, 1, 2, 3);
  service.later(4 * MINUTE_MS);
  await service.monitor();
  expect(await gone.row()).toMatchObject({ status: 'recording' });

  await put(harness, live.streamKey, hls.segments.slice(0, 2));
  await service.monitor();
  service.later(2 * MINUTE_MS);
  await service.monitor();
  expect(service.log.lines).toContainEqual(
    expect.objectContaining({
      level: 'warn',
      recording_id: gone.id,
      message: 'No segment for STALE_TIMEOUT; the recording is ended',
    }),
  );
  const row = await gone.row();
  expect(row).toMatchObject({ status: 'completed', endSource: 'stale', durationSeconds: 8 });
  await expectExact(harness, row.filePath, hls.segments);
  expect(await live.row()).toMatchObject({ status: 'recording' });
});

it('fails with the reason where nothing ever came', async () => {
  const service = serviceWith(harness, { STALE_TIMEOUT: '5m' });
  const recording = await startRecording(harness, hls);
  service.later(6 * MINUTE_MS);
  await service.monitor();
  expect(await recording.row()).toMatchObject({ status: 'failed', endSource: 'stale', failureCode: 'NO_SEGMENTS' });
});

it('goes on in the next recording when segments come again, with nobody telling a start', async () => {
  const service = serviceWith(harness, { LATE_SEGMENT_WINDOW: '0s' });
  const recording = await startRecording(harness, hls);
  await recording.upload(0, 1);
  await harness.context.db.query(
    `UPDATE recordings SET last_segment_at = last_segment_at - interval '6 minutes', created_at = created_at - interval '6 minutes',
            started_at = started_at - interval '6 minutes' WHERE id = $1`,
    [recording.id],
  );
  await service.monitor();
  expect(await recording.row()).toMatchObject({ status: 'completed', endSource: 'stale' });
  await resumeStale(service.context, []);
  expect(await rowsOf(recording)).toHaveLength(1);

  await nextSecond();
  await nextSecond();
  await put(harness, recording.streamKey, hls.segments.slice(2));
  await resumeStale(service.context, []);
  await resumeStale(service.context, []);
  expect(await rowsOf(recording)).toMatchObject([{ status: 'recording', startSource: 'stale' }, { id: recording.id }]);
  await service.monitor();
  await harness.tell('stream.ended', recording);
  service.later(1000);
  await service.monitor();
  const [next, first] = await rowsOf(recording);
  expect(next?.status).toBe('completed');
  await expectExact(harness, first?.filePath ?? '', hls.segments.slice(0, 2));
  await expectExact(harness, next?.filePath ?? '', hls.segments.slice(2));
});

it('goes on in the next recording though an end was told, where the Stream Service has it live all along', async () => {
  const recording = await startRecording(harness, hls);
  const { startedAt } = await recording.row();
  const state: StreamState = { ...recording, userId: null, live: true, startedAt, endedAt: null };
  const streams = { listLive: async () => ({ streams: [state], invalid: 0 }), find: async () => state };
  // The monitor looks once a minute.
  const service = serviceWith(harness, { LATE_SEGMENT_WINDOW: '0s', MONITOR_INTERVAL: '1m' }, { streams });
  await recording.upload(0, 1);
  await harness.tell('stream.ended', recording);
  await service.monitor();
  expect(await rowsOf(recording)).toMatchObject([{ status: 'completed' }]);
  await service.monitor();
  expect(await rowsOf(recording)).toHaveLength(1);

  await nextSecond();
  await nextSecond();
  await put(harness, recording.streamKey, hls.segments.slice(2));
  // What was in the list may be over by then, or another broadcast, whose start is told as it is; or be so no more.
  const answers: Array<(asked: FaultyService) => Partial<StreamState>> = [
    () => ({ live: false }),
    () => ({ startedAt: new Date(startedAt.getTime() - 60_000) }),
    (asked) => {
      asked.later(6000);
      return {};
    },
  ];
  for (const answer of answers) {
    const find = async () => ({ ...state, ...answer(asked) });
    const asked: FaultyService = serviceWith(harness, {}, { streams: { ...streams, find } });
    await resumeStale(asked.context, [state]);
    expect(await rowsOf(recording)).toHaveLength(1);
  }
  await service.monitor();
  await service.monitor();
  expect(await rowsOf(recording)).toMatchObject([{ status: 'recording', startSource: 'stale' }, { id: recording.id }]);
  await harness.tell('stream.ended', recording);
  service.later(1000);
  await service.monitor();
  const [next, first] = await rowsOf(recording);
  await expectExact(harness, first?.filePath ?? '', hls.segments.slice(0, 2));
  await expectExact(harness, next?.filePath ?? '', hls.segments.slice(2));
});

it('goes on though the Stream Service has an error for another stream that may go on', async () => {
  const both = [await startRecording(harness, hls), await startRecording(harness, hls)];
  for (const recording of both) {
    await recording.upload(0, 1);
    await recording.end();
  }
  await nextSecond();
  await nextSecond();
  for (const { streamKey } of both) await put(harness, streamKey, hls.segments.slice(2));
  const started = new Map<string, Date>();
  for (const recording of both) started.set(recording.streamId, (await recording.row()).startedAt);
  // Whichever is asked for first.
  let asked = 0;
  const find = async (streamId: string): Promise<StreamState> => {
    asked += 1;
    if (asked === 1) throw new NeighbourUnavailable('the Stream Service answers 500 for this one');
    const recording = both.find((one) => one.streamId === streamId);
    if (!recording) throw new Error('a stream that was not asked for');
    const startedAt = started.get(streamId) ?? new Date(0);
    return { ...recording, userId: null, live: true, startedAt, endedAt: null };
  };
  const streams = { listLive: async () => ({ streams: [], invalid: 0 }), find };
  await resumeStale(serviceWith(harness, {}, { streams }).context, both).catch(() => undefined);
  const opened = (await Promise.all(both.map(rowsOf))).filter(([newest]) => newest?.startSource === 'stale');
  expect([asked, opened.length]).toEqual([2, 1]);
});

const rowsOf = ({ streamId }: StreamIds) => harness.context.recordings.list({ limit: 10, streamId });
