/** Recordings that are longer than a part: rolled while live, finished with tail and head. */
import { advanceRecording } from '../../../lib/recordings/advance.ts';
import type { Hls } from '../../support/media/index.ts';
import { expectExact, makeLongStream, newStream, recordingOf, SMALL_PARTS, upload } from '../../support/recorded.ts';
import { type Harness, startHarness } from '../../support/service-harness.ts';

let harness: Harness;
let hls: Hls;

beforeAll(async () => {
  [harness, hls] = await Promise.all([startHarness(SMALL_PARTS), makeLongStream()]);
});
afterAll(() => harness.stop());

describe('a recording longer than a part', () => {
  it('has its parts uploaded before it ends, and every packet of a single-pass remux after', async () => {
    const stream = newStream();
    await harness.tell('stream.started', stream);
    await upload(harness, stream.streamKey, hls.segments);
    await harness.drain();
    const live = await recordingOf(harness, stream.streamId);
    const parts = await harness.context.parts.list(live.id, live.generation);
    expect(live.status).toBe('recording');
    expect(parts.length).toBeGreaterThanOrEqual(3);
    expect(live.uploadId).not.toBeNull();

    await harness.tell('stream.ended', stream);
    await harness.drain();
    const row = await recordingOf(harness, stream.streamId);
    expect(row).toMatchObject({ status: 'completed', durationSeconds: 24, facts: { engine: 'parts' }, uploadId: null });
    await expectExact(harness, row.filePath, hls.segments);
    expect(await harness.store.listUploads('recordings')).toEqual([]);
  });

  it('is made anew from staging when the store has lost the upload', async () => {
    const stream = newStream();
    await harness.tell('stream.started', stream);
    await upload(harness, stream.streamKey, hls.segments);
    await harness.drain();
    const live = await recordingOf(harness, stream.streamId);
    await harness.store.abortUpload('recordings', live.objectKey, live.uploadId ?? '');
    await harness.tell('stream.ended', stream);
    await harness.drain();
    const row = await recordingOf(harness, stream.streamId);
    expect(row).toMatchObject({ status: 'completed', generation: 2 });
    await expectExact(harness, row.filePath, hls.segments);
  });

  it('knows a completion whose answer was lost', async () => {
    const stream = newStream();
    await harness.tell('stream.started', stream);
    await upload(harness, stream.streamKey, hls.segments);
    await harness.drain();
    await harness.tell('stream.ended', stream);
    const cut = harness.variant(
      {},
      {
        store: new Proxy(harness.store, {
          get: (target, name) => {
            const value = Reflect.get(target, name);
            if (name === 'completeUpload') {
              return async (...args: Parameters<typeof target.completeUpload>) => {
                await target.completeUpload(...args);
                throw new Error('connection reset');
              };
            }
            return typeof value === 'function' ? value.bind(target) : value;
          },
        }),
      },
    );
    const { id } = await recordingOf(harness, stream.streamId);
    harness.queues.messages = [];
    // Past the grace for last segments: the file is made at once.
    await harness.context.clock.sleep(harness.context.config.END_GRACE);
    await advanceRecording(cut, id, () => 60_000);
    expect(await recordingOf(harness, stream.streamId)).toMatchObject({
      status: 'processing',
      failureMessage: 'connection reset',
    });
    await advanceRecording(harness.context, id, () => 60_000);
    const row = await recordingOf(harness, stream.streamId);
    expect(row).toMatchObject({ status: 'completed', generation: 1 });
    await expectExact(harness, row.filePath, hls.segments);
  });

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
