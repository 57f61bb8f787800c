/** A late segment whose function died before it could reopen the recording is taken in all the same. */
import { captureNotified } from '../../../lib/recordings/capture-notified.ts';
import { tick } from '../../../lib/recordings/monitor.ts';
import { type Hls, makeHls } from '../../support/media/index.ts';
import { newStream, put, recordingOf, upload } from '../../support/recorded.ts';
import { type Harness, startHarness } from '../../support/service-harness.ts';

let harness: Harness;
let hls: Hls;
beforeAll(async () => {
  [harness, hls] = await Promise.all([startHarness(), makeHls({ seconds: 6, segmentSeconds: 2, fps: '25' })]);
});
afterAll(() => harness.stop());

describe('a late segment that is in the ledger, with nobody left to make the file anew', () => {
  it('is in the file after the next round of the monitor', async () => {
    const stream = newStream();
    await harness.tell('stream.started', stream);
    await upload(harness, stream.streamKey, hls.segments.slice(0, 2));
    await harness.tell('stream.ended', stream);
    await harness.drain();
    expect(await recordingOf(harness, stream.streamId)).toMatchObject({ status: 'completed', durationSeconds: 4 });

    await put(harness, stream.streamKey, hls.segments.slice(2));
    const { db } = harness.context;
    const dies = harness.variant({}, { db: { ...db, transaction: () => Promise.reject(new Error('killed')) } });
    await expect(captureNotified(dies, [`${stream.streamKey}/segment_002.ts`])).rejects.toThrow('killed');
    expect(await recordingOf(harness, stream.streamId)).toMatchObject({ status: 'completed', durationSeconds: 4 });

    await tick(harness.context);
    await harness.drain();
    expect(await recordingOf(harness, stream.streamId)).toMatchObject({ status: 'completed', durationSeconds: 6 });
  });
});
