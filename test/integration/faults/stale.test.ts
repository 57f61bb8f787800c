/** A recording for which nothing comes any more and whose end nobody tells. */

import { serviceWith } from '../../support/faults.ts';
import { type Hls, makeHls } from '../../support/media/index.ts';
import { expectExact, startRecording } from '../../support/recorded.ts';
import { type Harness, startHarness } from '../../support/service-harness.ts';

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

  await live.upload(0, 1);
  await harness.context.db.query('UPDATE recordings SET last_segment_at = $2 WHERE id = $1', [
    live.id,
    new Date(service.context.clock.now()),
  ]);
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
