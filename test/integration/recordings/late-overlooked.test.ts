/**
 * A late segment whose function died before it could reopen the recording is taken in all the same, so is one that
 * comes while the file is being made, and one that comes when the staging is gone leaves the file as it is.
 */
import { advanceRecording } from '../../../lib/recordings/advance.ts';
import { captureNotified } from '../../../lib/recordings/capture-notified.ts';
import { tick } from '../../../lib/recordings/monitor.ts';
import { removeStaging } from '../../../lib/recordings/remove-staging.ts';
import { type Hls, makeHls } from '../../support/media/index.ts';
import { expectExact, newStream, put, recordingOf, type StreamIds, upload } from '../../support/recorded.ts';
import { type Harness, startHarness } from '../../support/service-harness.ts';

let harness: Harness;
let hls: Hls;
beforeAll(async () => {
  [harness, hls] = await Promise.all([startHarness(), makeHls({ seconds: 6, segmentSeconds: 2, fps: '25' })]);
});
afterAll(() => harness.stop());

/** A stream whose end was told, with its first two segments captured and the last one not uploaded. */
async function ended(): Promise<StreamIds> {
  const stream = newStream();
  await harness.tell('stream.started', stream);
  await upload(harness, stream.streamKey, hls.segments.slice(0, 2));
  await harness.tell('stream.ended', stream);
  return stream;
}

describe('a late segment that is in the ledger, with nobody left to make the file anew', () => {
  it('is in the file after the next round of the monitor', async () => {
    const stream = await ended();
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

describe('a late segment of a recording whose staging is gone', () => {
  it('changes nothing of the file, whoever looks at it, and is named in the ledger', async () => {
    const stream = await ended();
    await harness.drain();
    await removeStaging(harness.variant({ LATE_SEGMENT_WINDOW: '0s' }));

    // By the default of LATE_SEGMENT_WINDOW the recording still takes segments: as to a function that has stood still.
    await upload(harness, stream.streamKey, hls.segments.slice(2));
    await tick(harness.context);
    await harness.drain();
    const row = await recordingOf(harness, stream.streamId);
    expect(row).toMatchObject({ status: 'completed', durationSeconds: 4, generation: 1 });
    await expectExact(harness, row.filePath, hls.segments.slice(0, 2));
    const states = (await harness.context.segments.list(row.id)).map(({ state }) => state);
    expect(states).toEqual(['captured', 'captured', 'late']);
  });
});

describe('a segment that comes while the file is being made', () => {
  it('is in it', async () => {
    const stream = await ended();
    const { id } = await recordingOf(harness, stream.streamId);
    await harness.context.clock.sleep(harness.context.config.END_GRACE);
    const { media } = harness.context;
    const joinShortWay: typeof media.joinShortWay = async (...asked) => {
      const joined = await media.joinShortWay(...asked);
      await upload(harness, stream.streamKey, hls.segments.slice(2));
      return joined;
    };
    await advanceRecording(harness.variant({}, { media: { ...media, joinShortWay } }), id, () => 60_000);
    expect(await recordingOf(harness, stream.streamId)).toMatchObject({ status: 'processing' });
    await harness.drain();
    const row = await recordingOf(harness, stream.streamId);
    expect(row).toMatchObject({ status: 'completed', generation: 1 });
    await expectExact(harness, row.filePath, hls.segments);
  });
});
