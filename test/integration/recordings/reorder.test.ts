/** Places that later segments show to be wrong: noticed while the stream is live, mended when it has ended. */
import type { Hls } from '../../support/media/index.ts';
import {
  expectExact,
  makeLongStream,
  newStream,
  recordingOf,
  SMALL_PARTS,
  type StreamIds,
  upload,
} from '../../support/recorded.ts';
import { type Harness, startHarness } from '../../support/service-harness.ts';

let harness: Harness;
let hls: Hls;
beforeAll(async () => {
  [harness, hls] = await Promise.all([startHarness(SMALL_PARTS), makeLongStream()]);
});
afterAll(() => harness.stop());

/** A live recording in whose first part the first two segments have each other's places. */
async function swapped(): Promise<StreamIds> {
  const stream = newStream();
  await harness.tell('stream.started', stream);
  await upload(harness, stream.streamKey, hls.segments.slice(0, -1));
  await harness.drain();
  const { id } = await recordingOf(harness, stream.streamId);
  const moved = await harness.context.db.query(
    'UPDATE recording_segments SET position = 1 - position WHERE recording_id = $1 AND position < 2 RETURNING id',
    [id],
  );
  expect(moved.rows).toHaveLength(2);
  return stream;
}

async function finish(stream: StreamIds): Promise<void> {
  await harness.tell('stream.ended', stream);
  await harness.drain();
}

/** Rolls what is due, which looks at the order. */
async function goOn(stream: StreamIds): Promise<void> {
  await upload(harness, stream.streamKey, hls.segments.slice(-1));
  await harness.drain();
}

describe('a recording in whose file segments stand where they do not belong', () => {
  it('notes it while it goes on, and is made anew at its end', async () => {
    const stream = await swapped();
    await goOn(stream);
    expect(await recordingOf(harness, stream.streamId)).toMatchObject({
      status: 'recording',
      generation: 1,
      facts: { isOrderDoubtful: true },
    });
    await finish(stream);
    const row = await recordingOf(harness, stream.streamId);
    const reorderedWith = hls.segments.length;
    expect(row).toMatchObject({
      status: 'completed',
      generation: 2,
      facts: { isOrderDoubtful: false, reorderedWith },
    });
    await expectExact(harness, row.filePath, hls.segments);
  });

  it('is made anew once for the same segments, whatever their order says then', async () => {
    const stream = await swapped();
    await goOn(stream);
    const { id } = await recordingOf(harness, stream.streamId);
    await harness.context.recordings.note(id, { reorderedWith: hls.segments.length });
    await finish(stream);
    expect(await recordingOf(harness, stream.streamId)).toMatchObject({
      status: 'completed',
      generation: 1,
      facts: { isOrderDoubtful: false },
    });
  });

  it('is left as it is where the whole ledger does not say so', async () => {
    const stream = newStream();
    await harness.tell('stream.started', stream);
    await upload(harness, stream.streamKey, hls.segments);
    await harness.drain();
    const { id } = await recordingOf(harness, stream.streamId);
    await harness.context.recordings.note(id, { isOrderDoubtful: true });
    await finish(stream);
    const row = await recordingOf(harness, stream.streamId);
    expect(row).toMatchObject({ status: 'completed', generation: 1, facts: { isOrderDoubtful: false } });
    await expectExact(harness, row.filePath, hls.segments);
  });
});
