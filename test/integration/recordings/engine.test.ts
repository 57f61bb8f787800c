/** Recordings that are longer than a part, rolled while live, finished with tail and head: on the embedded store. */
import type { Hls } from '../../support/media/index.ts';
import { expectExact, makeLongStream, newStream, recordingOf, SMALL_PARTS, upload } from '../../support/recorded.ts';
import { type Harness, startHarness } from '../../support/service-harness.ts';
import { startEmbedded } from '../../support/stores/embedded.ts';
import { describeRecordings } from '../../support/stores/recording-contract.ts';

describe('a recording on the embedded store', () => describeRecordings(startEmbedded));

describe('a recording longer than a part', () => {
  let harness: Harness;
  let hls: Hls;

  beforeAll(async () => {
    [harness, hls] = await Promise.all([startHarness(SMALL_PARTS), makeLongStream()]);
  });
  afterAll(() => harness.stop());

  it('takes a segment that was overtaken by its successors', async () => {
    const stream = newStream();
    await harness.tell('stream.started', stream);
    const [late, ...others] = hls.segments.slice(4);
    await upload(harness, stream.streamKey, [...hls.segments.slice(0, 4), ...others]);
    await harness.drain();
    await upload(harness, stream.streamKey, late ? [late] : []);
    await harness.tell('stream.ended', stream);
    await harness.drain();
    const row = await recordingOf(harness, stream.streamId);
    expect(row.status).toBe('completed');
    await expectExact(harness, row.filePath, hls.segments);
  });
});
