/** PostgreSQL goes away in the middle of everything and comes back: what was told and captured is still right. */
import { randomUUID } from 'node:crypto';
import { routes } from '../../../functions/webhook.ts';
import { LEASE_MS } from '../../../lib/recordings/advance.ts';
import { captureNotified } from '../../../lib/recordings/capture-notified.ts';
import { tick } from '../../../lib/recordings/monitor.ts';
import { announceStart } from '../../../lib/recordings/start-service.ts';
import { serviceWith } from '../../support/faults.ts';
import { callerOf } from '../../support/lambda.ts';
import { type Hls, makeHls } from '../../support/media/index.ts';
import { expectExact, newStream, put, recordingOf, startRecording, upload } from '../../support/recorded.ts';
import { type Harness, startHarness } from '../../support/service-harness.ts';

let harness: Harness;
let hls: Hls;

beforeAll(async () => {
  [harness, hls] = await Promise.all([
    startHarness(),
    makeHls({ seconds: 12, segmentSeconds: 2, fps: '25', bframes: 2, audio: [{ codec: 'aac' }] }),
  ]);
});
afterAll(() => harness.stop());

it('a database that is down at the start is named with the variables to check', async () => {
  await harness.database.stop();
  const service = serviceWith(harness);
  expect(await announceStart(service.context)).toEqual([
    expect.stringMatching(/^PostgreSQL is not available; check DATABASE_URL or DB_\*: .*ECONNREFUSED/),
  ]);
  await harness.database.start();
  expect(await announceStart(service.context)).toEqual([]);
});

it('a restart while segments are captured and the file is made loses nothing, and the file is exact', async () => {
  const service = serviceWith(harness);
  const recording = await startRecording(harness, hls);
  await upload(harness, recording.streamKey, hls.segments.slice(0, 2));

  // In the middle of captures: each is there or comes again.
  await put(harness, recording.streamKey, hls.segments.slice(2, 4));
  const captures = [2, 3].map((place) =>
    captureNotified(service.context, [`${recording.streamKey}/segment_00${place}.ts`]),
  );
  await harness.database.stop();
  for (const result of await Promise.allSettled(captures)) {
    if (result.status === 'rejected')
      expect(result.reason).toMatchObject({ code: 'DATABASE_UNAVAILABLE', retryable: true });
  }
  // A segment and a look of the monitor while it is away.
  await put(harness, recording.streamKey, hls.segments.slice(4));
  const told = captureNotified(service.context, [`${recording.streamKey}/segment_004.ts`]);
  await expect(told).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
  await tick(service.context);
  await harness.database.start();

  await harness.tell('stream.ended', recording);
  service.later(1000);
  // In the middle of finishing: nobody gives the lease back.
  const finishing = service.attempt(recording.id);
  await harness.database.stop();
  await finishing;
  await harness.database.start();
  service.later(LEASE_MS + 1000);
  await service.monitor();
  const row = await recording.row();
  expect(row).toMatchObject({ status: 'completed', generation: 1 });
  await expectExact(harness, row.filePath, hls.segments);
  expect(service.log.revealing(recording.streamKey)).toEqual([]);
});

it('a webhook that comes meanwhile is refused, so that its sender repeats it, and told again it counts', async () => {
  const service = serviceWith(harness);
  const call = callerOf(routes, service.context);
  const stream = newStream();
  const body = {
    event: 'stream.started',
    stream_id: stream.streamId,
    stream_key: stream.streamKey,
    user_id: randomUUID(),
    timestamp: new Date().toISOString(),
  };
  await harness.database.stop();
  const refused = await call('POST', '/webhook/stream', { body });
  await harness.database.start();
  expect(refused.status).toBe(503);
  expect(refused.text).not.toContain(stream.streamKey);
  expect((await call('POST', '/webhook/stream', { body })).status).toBe(200);
  expect(await recordingOf(harness, stream.streamId)).toMatchObject({ status: 'recording' });
});
