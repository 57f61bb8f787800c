/** When a segment that must exist is asked for again, and that the file waits for it while it is. */
import { basename } from 'node:path';
import { sweepRecording } from '../../../lib/recordings/sweep.ts';
import { serviceWith } from '../../support/faults.ts';
import { type Hls, makeHls } from '../../support/media/index.ts';
import { expectExact, put, startRecording } from '../../support/recorded.ts';
import { type Harness, startHarness } from '../../support/service-harness.ts';

let harness: Harness;
let hls: Hls;
beforeAll(async () => {
  [harness, hls] = await Promise.all([startHarness(), makeHls({ seconds: 8, segmentSeconds: 2, fps: '25' })]);
});
afterAll(() => harness.stop());

it.each([
  ['that the closed playlist lists last', 3, true],
  ['that the numbers lack', 1, false],
])(
  'a segment %s is tried again after SEGMENT_RETRY_DELAY, and the file waits for it',
  async (_which, place, isListed) => {
    const service = serviceWith(harness, { SEGMENT_RETRY_DELAY: '5m' });
    const recording = await startRecording(harness, hls);
    const missing = hls.segments[place] ?? '';
    const others = hls.segments.filter((path) => path !== missing);
    await put(harness, recording.streamKey, isListed ? [...others, hls.playlist] : others);
    const tries = async () =>
      (await harness.context.segments.list(recording.id))
        .filter(({ state }) => state === 'missing')
        .map(({ sourceKey, attempts }) => [basename(sourceKey), attempts]);

    harness.queues.messages = [];
    await sweepRecording(service.context, recording.id);
    expect(harness.queues.messages).toEqual([{ kind: 'sweep', recordingId: recording.id, delaySeconds: 300 }]);
    service.later(30_000);
    await sweepRecording(service.context, recording.id);
    expect(await tries()).toEqual([[basename(missing), 1]]);
    // Behind END_GRACE.
    await harness.tell('stream.ended', recording);
    service.later(30_000);
    await service.attempt(recording.id);
    expect(await recording.row()).toMatchObject({ status: 'processing' });
    expect(await tries()).toEqual([[basename(missing), 1]]);

    await put(harness, recording.streamKey, [missing]);
    await service.monitor();
    const row = await recording.row();
    expect(row).toMatchObject({ status: 'completed', generation: 1 });
    await expectExact(harness, row.filePath, hls.segments);
  },
);
