/** Recordings that are longer than a part: rolled while live, finished with tail and head. */
import { randomUUID } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { advanceRecording } from '../../../lib/recordings/advance.ts';
import { captureNotified } from '../../../lib/recordings/capture-notified.ts';
import {
  assertFaststart,
  comparePackets,
  fullDecode,
  type Hls,
  makeHls,
  packets,
  referenceRemux,
} from '../../support/media/index.ts';
import { type Harness, startHarness } from '../../support/service-harness.ts';

let harness: Harness;
let hls: Hls;

beforeAll(async () => {
  // Constant bit rate: 8 Mbit/s fill a part of 5 MiB in five seconds.
  const cbr = ['-b:v', '8M', '-minrate', '8M', '-maxrate', '8M', '-bufsize', '4M', '-x264-params', 'nal-hrd=cbr'];
  [harness, hls] = await Promise.all([
    startHarness({ PART_SIZE: String(5 * 1024 * 1024) }),
    makeHls({ seconds: 24, segmentSeconds: 2, fps: '30000/1001', bframes: 2, audio: [{ codec: 'aac' }], extra: cbr }),
  ]);
});
afterAll(() => harness.stop());

async function upload(streamKey: string, paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const key = `${streamKey}/${basename(path)}`;
    await harness.store.put('live-segments', key, await readFile(path), 'video/mp2t');
    await captureNotified(harness.context, [key]);
  }
}

async function recordingOf(streamId: string) {
  const [row] = await harness.context.recordings.list({ limit: 1, streamId });
  if (!row) throw new Error('there is no recording');
  return row;
}

async function expectExact(filePath: string): Promise<void> {
  const fetched = await harness.store.get('recordings', filePath.replace(/^recordings\//, ''), 30_000);
  const file = join(harness.env.SCRATCH_DIR ?? '', `../${randomUUID()}.mp4`);
  await writeFile(file, fetched.bytes);
  await assertFaststart(file);
  await fullDecode(file);
  const reference = await packets(await referenceRemux(hls.segments), { hash: true });
  expect(comparePackets(await packets(file, { hash: true }), reference)).toEqual([]);
}

const newStream = () => ({ streamId: randomUUID(), streamKey: `key-${randomUUID().slice(0, 8)}` });

describe('a recording longer than a part', () => {
  it('has its parts uploaded before it ends, and every packet of a single-pass remux after', async () => {
    const stream = newStream();
    await harness.tell('stream.started', stream);
    await upload(stream.streamKey, hls.segments);
    await harness.drain();
    const live = await recordingOf(stream.streamId);
    const parts = await harness.context.parts.list(live.id, live.generation);
    expect(live.status).toBe('recording');
    expect(parts.length).toBeGreaterThanOrEqual(3);
    expect(live.uploadId).not.toBeNull();

    await harness.tell('stream.ended', stream);
    await harness.drain();
    const row = await recordingOf(stream.streamId);
    expect(row).toMatchObject({ status: 'completed', durationSeconds: 24, facts: { engine: 'parts' }, uploadId: null });
    await expectExact(row.filePath);
    expect(await harness.store.listUploads('recordings')).toEqual([]);
  });

  it('is made anew from staging when the store has lost the upload', async () => {
    const stream = newStream();
    await harness.tell('stream.started', stream);
    await upload(stream.streamKey, hls.segments);
    await harness.drain();
    const live = await recordingOf(stream.streamId);
    await harness.store.abortUpload('recordings', live.objectKey, live.uploadId ?? '');
    await harness.tell('stream.ended', stream);
    await harness.drain();
    const row = await recordingOf(stream.streamId);
    expect(row).toMatchObject({ status: 'completed', generation: 2 });
    await expectExact(row.filePath);
  });

  it('knows a completion whose answer was lost', async () => {
    const stream = newStream();
    await harness.tell('stream.started', stream);
    await upload(stream.streamKey, hls.segments);
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
    const { id } = await recordingOf(stream.streamId);
    harness.queues.messages = [];
    // Past the grace for last segments: the file is made at once.
    await harness.context.clock.sleep(harness.context.config.END_GRACE);
    await advanceRecording(cut, id, () => 60_000);
    expect(await recordingOf(stream.streamId)).toMatchObject({
      status: 'processing',
      failureMessage: 'connection reset',
    });
    await advanceRecording(harness.context, id, () => 60_000);
    const row = await recordingOf(stream.streamId);
    expect(row).toMatchObject({ status: 'completed', generation: 1 });
    await expectExact(row.filePath);
  });

  it('takes a segment that was overtaken by its successors', async () => {
    const stream = newStream();
    await harness.tell('stream.started', stream);
    const [late, ...others] = hls.segments.slice(4);
    await upload(stream.streamKey, [...hls.segments.slice(0, 4), ...others]);
    await harness.drain();
    await upload(stream.streamKey, late ? [late] : []);
    await harness.tell('stream.ended', stream);
    await harness.drain();
    const row = await recordingOf(stream.streamId);
    expect(row.status).toBe('completed');
    await expectExact(row.filePath);
  });
});
