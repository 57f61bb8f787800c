/** Recordings that are longer than a part, rolled while live, finished with tail and head: on the embedded store. */

import { advanceRecording } from '../../../lib/recordings/advance.ts';
import { tick } from '../../../lib/recordings/monitor.ts';
import { alteredStore } from '../../support/altered-store.ts';
import { type Hls, makeHls } from '../../support/media/index.ts';
import {
  expectExact,
  makeLongStream,
  newStream,
  recordingOf,
  SMALL_PARTS,
  startRecording,
  upload,
} from '../../support/recorded.ts';
import { type Harness, startHarness } from '../../support/service-harness.ts';
import { startEmbedded } from '../../support/stores/embedded.ts';
import { describeRecordings } from '../../support/stores/recording-contract.ts';

describe('a recording on the embedded store', () => describeRecordings(startEmbedded));

describe('a finished file', () => {
  let harness: Harness;
  let hls: Hls;
  beforeAll(async () => {
    [harness, hls] = await Promise.all([startHarness(), makeHls({ seconds: 6, segmentSeconds: 2, fps: '25' })]);
  });
  afterAll(() => harness.stop());

  it.each(['before it looked at the key', 'behind marking the key as its own'])(
    'is not written again by a worker that stood still %s until another one had finished it',
    async (where) => {
      const recording = await startRecording(harness, hls);
      await recording.upload(0, 1, 2);
      await harness.tell('stream.ended', recording);
      await harness.context.clock.sleep(400);
      const { promise: gate, resolve: open } = Promise.withResolvers<void>();
      const { promise: arrived, resolve: arrive } = Promise.withResolvers<void>();
      let laterMs = 0;
      const written: string[] = [];
      const { context } = harness;
      const isBefore = where.startsWith('before');
      // As after an attempt that failed behind this point: the key is known to be the recording's own.
      if (isBefore)
        await context.db.query(`UPDATE recordings SET facts = facts || '{"writing": true}' WHERE id = $1`, [
          recording.id,
        ]);
      const stand = async () => {
        arrive();
        await gate;
      };
      const mergeFacts: typeof context.leases.mergeFacts = async (...asked) => {
        await context.leases.mergeFacts(...asked);
        await stand();
      };
      const stood = {
        ...context,
        clock: { ...context.clock, now: () => context.clock.now() + laterMs },
        media: {
          ...context.media,
          joinShortWay: async (...args: Parameters<typeof context.media.joinShortWay>) => {
            const joined = await context.media.joinShortWay(...args);
            if (isBefore) await stand();
            return joined;
          },
        },
        leases: Object.assign(Object.create(context.leases), { mergeFacts }),
        store: alteredStore(harness.store, {
          putFile: (...args) => {
            written.push('the stale worker’s file');
            return harness.store.putFile(...args);
          },
        }),
      };
      const stale = advanceRecording(stood, recording.id, () => 60_000);
      await arrived;
      laterMs = 50_000;
      await context.db.query(`UPDATE recordings SET lease_until = now() - interval '1 second' WHERE id = $1`, [
        recording.id,
      ]);
      await harness.drain();
      open();
      await stale;
      expect(await recording.row()).toMatchObject({ status: 'completed' });
      expect(written).toEqual([]);
    },
  );
});

describe('a recording longer than a part', () => {
  let harness: Harness;
  let hls: Hls;

  beforeAll(async () => {
    [harness, hls] = await Promise.all([startHarness(SMALL_PARTS), makeLongStream()]);
  });
  afterAll(() => harness.stop());

  it('takes a segment that was overtaken by its successors, whose parts are uploaded', async () => {
    const stream = newStream();
    await harness.tell('stream.started', stream);
    const [late = '', ...others] = hls.segments.slice(4);
    await upload(harness, stream.streamKey, [...hls.segments.slice(0, 4), ...others]);
    await harness.drain();
    // It has been given up meanwhile: what comes behind it is rolled.
    const { id } = await recordingOf(harness, stream.streamId);
    await advanceRecording(harness.context, id, () => 60_000);
    const placed = (await harness.context.segments.list(id)).filter(({ position }) => position !== null);
    expect(placed.map(({ nameNumber }) => nameNumber)).toContain(6);
    await upload(harness, stream.streamKey, [late]);
    await harness.tell('stream.ended', stream);
    await harness.drain();
    const row = await recordingOf(harness, stream.streamId);
    expect(row).toMatchObject({ status: 'completed', generation: 2, facts: { engine: 'parts' } });
    await expectExact(harness, row.filePath, hls.segments);
    expect(await harness.store.listUploads('recordings')).toEqual([]);
  });

  it('has no part over a hole that is waited for', async () => {
    const stream = newStream();
    await harness.tell('stream.started', stream);
    const [late = '', ...others] = hls.segments.slice(4);
    await upload(harness, stream.streamKey, [...hls.segments.slice(0, 4), ...others]);
    // A sweep would try it until it is given up.
    harness.queues.messages = harness.queues.messages.filter(({ kind }) => kind === 'advance');
    await harness.drain();
    const { id, generation } = await recordingOf(harness, stream.streamId);
    expect((await harness.context.parts.totals(id, generation)).parts).toBeGreaterThan(0);
    await upload(harness, stream.streamKey, [late]);
    await harness.tell('stream.ended', stream);
    await harness.drain();
    const row = await recordingOf(harness, stream.streamId);
    expect(row).toMatchObject({ status: 'completed', generation: 1, facts: { engine: 'parts' } });
    await expectExact(harness, row.filePath, hls.segments);
  });

  it('is rolled by the monitor where nobody else was woken up', async () => {
    const stream = newStream();
    await harness.tell('stream.started', stream);
    await upload(harness, stream.streamKey, hls.segments.slice(0, 8));
    harness.queues.messages = [];
    await tick(harness.context);
    await harness.drain();
    const { id, status, generation } = await recordingOf(harness, stream.streamId);
    expect(status).toBe('recording');
    expect((await harness.context.parts.totals(id, generation)).parts).toBeGreaterThan(0);
  });

  it('is made anew where the store has joined other bytes than those that were sent, though as many', async () => {
    const stream = newStream();
    await harness.tell('stream.started', stream);
    await upload(harness, stream.streamKey, hls.segments);
    await harness.tell('stream.ended', stream);
    const { id } = await recordingOf(harness, stream.streamId);
    await harness.context.clock.sleep(harness.context.config.END_GRACE);
    let tailBytes = 0;
    const store = alteredStore(harness.store, {
      uploadPart: (bucket, key, uploadId, number, body) => {
        if (number > 1) tailBytes = body.length;
        return harness.store.uploadPart(bucket, key, uploadId, number, body);
      },
      completeUpload: async (bucket, key, uploadId, parts) => {
        const number = parts.at(-1)?.partNumber ?? 0;
        const other = await harness.store.uploadPart(bucket, key, uploadId, number, Buffer.alloc(tailBytes));
        return harness.store.completeUpload(bucket, key, uploadId, [...parts.slice(0, -1), other]);
      },
    });
    await advanceRecording(harness.variant({}, { store }), id, () => 60_000);
    expect(await recordingOf(harness, stream.streamId)).toMatchObject({ failureCode: 'VERIFICATION_FAILED' });
    await advanceRecording(harness.context, id, () => 60_000);
    await harness.drain();
    const row = await recordingOf(harness, stream.streamId);
    expect(row).toMatchObject({ status: 'completed', generation: 2, facts: { engine: 'parts' } });
    await expectExact(harness, row.filePath, hls.segments);
  });

  it('is not touched by a worker that stood still until another one had its lease and planned otherwise', async () => {
    const stream = newStream();
    await harness.tell('stream.started', stream);
    const [first = '', ...others] = hls.segments;
    await upload(harness, stream.streamKey, others);
    const { id } = await recordingOf(harness, stream.streamId);
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    const { promise: arrived, resolve: arrive } = Promise.withResolvers<void>();
    const store = alteredStore(harness.store, {
      put: async (...args) => {
        arrive();
        await gate;
        return harness.store.put(...args);
      },
    });
    const stale = advanceRecording({ ...harness.context, store }, id, () => 60_000);
    await arrived;
    await harness.context.db.query(`UPDATE recordings SET lease_until = now() - interval '1 second' WHERE id = $1`, [
      id,
    ]);
    await upload(harness, stream.streamKey, [first]);
    await advanceRecording(harness.context, id, () => 60_000);
    open();
    await stale;
    await harness.tell('stream.ended', stream);
    await harness.drain();
    const row = await recordingOf(harness, stream.streamId);
    expect(row).toMatchObject({ status: 'completed', facts: { engine: 'parts' } });
    await expectExact(harness, row.filePath, hls.segments);
  });
});
