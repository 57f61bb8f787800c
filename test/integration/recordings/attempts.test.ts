/** Which failed attempts count, and from when work is kept for RETRY_FOR. On the embedded back ends. */
import { advanceRecording } from '../../../lib/recordings/advance.ts';
import type { RecordingContext } from '../../../lib/recordings/context.ts';
import { retryRecording } from '../../../lib/recordings/remake.ts';
import { StorageUnavailable } from '../../../lib/storage/errors.ts';
import type { ObjectStore } from '../../../lib/storage/object-store.ts';
import { alteredStore } from '../../support/altered-store.ts';
import { type Hls, makeHls } from '../../support/media/index.ts';
import {
  expectExact,
  finishedRecording,
  type LiveRecording,
  makeLongStream,
  SMALL_PARTS,
  startRecording,
} from '../../support/recorded.ts';
import { type Harness, startHarness } from '../../support/service-harness.ts';

let harness: Harness;
let short: Hls;
let long: Hls;

beforeAll(async () => {
  [harness, short, long] = await Promise.all([
    startHarness(SMALL_PARTS),
    makeHls({ seconds: 6, segmentSeconds: 2, fps: '25' }),
    makeLongStream(),
  ]);
});
afterAll(() => harness.stop());
// What is asked for later is done by hand.
beforeEach(() => {
  harness.queues.messages = [];
});

const away = async () => {
  throw new StorageUnavailable('the store is away');
};
const AWAY: Partial<ObjectStore> = { list: away, get: away, put: away, head: away, uploadPart: away };

/** One attempt, so much later. */
const attempt = (recording: LiveRecording, afterMs: number, own: Partial<ObjectStore>) => {
  const { clock } = harness.context;
  const context: RecordingContext = harness.variant(
    {},
    { clock: { ...clock, now: () => clock.now() + afterMs }, store: alteredStore(harness.store, own) },
  );
  return advanceRecording(context, recording.id, () => 60_000);
};

describe('a store that is away for a few attempts', () => {
  it('leaves the parts that are uploaded where they are: only the tail is made', async () => {
    const recording = await startRecording(harness, long);
    await recording.upload(...long.segments.keys());
    expect((await harness.context.parts.totals(recording.id, 1)).parts).toBeGreaterThan(1);
    await harness.tell('stream.ended', recording);
    for (let count = 1; count <= 4; count += 1) await attempt(recording, count * 600_000, AWAY);
    expect(await recording.row()).toMatchObject({ status: 'processing', failureCode: 'STORAGE_UNAVAILABLE' });
    await attempt(recording, 5 * 600_000, {});
    expect(await recording.row()).toMatchObject({ status: 'completed', generation: 1, facts: { engine: 'parts' } });
    await expectExact(harness, (await recording.row()).filePath, long.segments);
  });

  it('leaves all of its attempts to what fails after it', async () => {
    const recording = await startRecording(harness, short);
    await recording.upload(0, 1, 2);
    await harness.tell('stream.ended', recording);
    for (let count = 1; count <= 4; count += 1) await attempt(recording, count * 600_000, AWAY);
    const putFile = async () => {
      throw new Error('something unexpected');
    };
    await attempt(recording, 5 * 600_000, { putFile });
    expect(await recording.row()).toMatchObject({ status: 'processing', failureCode: 'UNEXPECTED' });
    await attempt(recording, 6 * 600_000, {});
    expect(await recording.row()).toMatchObject({ status: 'completed' });
  });

  it('is asked less and less often', async () => {
    const recording = await startRecording(harness, short);
    await recording.upload(0, 1, 2);
    await harness.tell('stream.ended', recording);
    const waits: number[] = [];
    for (let count = 1; count <= 8; count += 1) {
      const at = Date.now() + count * 600_000;
      await attempt(recording, count * 600_000, AWAY);
      waits.push(Math.round((((await recording.row()).nextAttemptAt?.getTime() ?? 0) - at) / 1000));
    }
    expect(waits).toEqual([5, 10, 20, 40, 80, 160, 300, 300].map((seconds) => expect.closeTo(seconds, -1)));
  });
});

describe('RETRY_FOR', () => {
  it('begins anew with a retry: one of an old recording does not fail with the first thing that passes by itself', async () => {
    const recording = await finishedRecording(harness, short);
    await harness.context.db.query(
      `UPDATE recordings SET status = 'failed', ended_at = ended_at - interval '3 days', end_heard_at = end_heard_at - interval '3 days',
              started_at = started_at - interval '3 days' WHERE id = $1`,
      [recording.id],
    );
    await retryRecording(harness.context, recording.id);
    await attempt(recording, 1000, AWAY);
    expect(await recording.row()).toMatchObject({ status: 'processing', failureCode: 'STORAGE_UNAVAILABLE' });
    await attempt(recording, 25 * 3_600_000, AWAY);
    expect(await recording.row()).toMatchObject({ status: 'failed' });
  });

  it('begins when the end is heard, however long ago it was', async () => {
    const recording = await startRecording(harness, short);
    await recording.upload(0, 1, 2);
    await harness.context.db.query(`UPDATE recordings SET started_at = started_at - interval '3 days' WHERE id = $1`, [
      recording.id,
    ]);
    await harness.tell('stream.ended', recording, new Date(Date.now() - 2 * 86_400_000));
    await attempt(recording, 1000, AWAY);
    expect(await recording.row()).toMatchObject({ status: 'processing', failureCode: 'STORAGE_UNAVAILABLE' });
  });
});
