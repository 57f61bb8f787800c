/**
 * The held-back media of a recording, sent as a part of its own while the stream is live: what is sent when, and that the
 * file is the same whatever happens in between. Parts of a few kilobytes, so that half a minute has a head that fills one.
 */
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { advanceRecording } from '../../../lib/recordings/advance.ts';
import { captureNotified } from '../../../lib/recordings/capture-notified.ts';
import type { RecordingContext } from '../../../lib/recordings/context.ts';
import type { ObjectStore } from '../../../lib/storage/object-store.ts';
import { type Hls, makeHls } from '../../support/media/index.ts';
import { MemoryStore } from '../../support/model/memory-store.ts';
import { expectExact, newStream, recordingOf } from '../../support/recorded.ts';
import { type Harness, startHarness } from '../../support/service-harness.ts';

const PART_SIZE = 4000;

let harness: Harness;
let hls: Hls;
beforeAll(async () => {
  [harness, hls] = await Promise.all([
    startHarness(),
    makeHls({ seconds: 24, segmentSeconds: 1, fps: '25', bframes: 2, audio: [{ codec: 'aac' }] }),
  ]);
});
afterAll(() => harness.stop());

/** A recording on a store of its own that refuses parts below PART_SIZE, and what was asked of that store. */
async function startLive() {
  const buckets = ['live-segments', 'recordings'];
  const store = new MemoryStore({ buckets, now: () => Date.now(), minPartBytes: PART_SIZE });
  const stream = newStream();
  await harness.tell('stream.started', stream);
  const { id } = await recordingOf(harness, stream.streamId);
  const sent: number[] = [];
  let next = 0;
  const contextOn = (replaced: Partial<ObjectStore> = {}, partSize = PART_SIZE): RecordingContext => {
    const context = harness.variant({}, { store: watching(store, replaced, sent) });
    return { ...context, config: { ...context.config, PART_SIZE: partSize } };
  };
  const advance = (context: RecordingContext) => advanceRecording(context, id, () => 60_000);
  return {
    id,
    store,
    sent,
    contextOn,
    advance,
    row: () => recordingOf(harness, stream.streamId),
    /** Segments up to that one come, and each is rolled once its successor is there. */
    record: async (until: number, context = contextOn()) => {
      for (; next < until; next++) {
        const path = hls.segments[next] ?? '';
        const key = `${stream.streamKey}/${basename(path)}`;
        await store.put('live-segments', key, await readFile(path));
        await captureNotified(context, [key]);
        await advance(context);
      }
    },
    /** The parts of the ledger: number, and whether there is an ETag. */
    parts: async () => {
      const rows = await harness.context.parts.listAfter(
        id,
        (await recordingOf(harness, stream.streamId)).generation,
        0,
        99,
      );
      return rows.map((part) => [part.partNumber, part.etag !== null]);
    },
    end: async (context = contextOn()) => {
      await store.put('live-segments', `${stream.streamKey}/index.m3u8`, await readFile(hls.playlist));
      await harness.tell('stream.ended', stream);
      sent.length = 0;
      await advance(context);
    },
    expectExact: async () => {
      const row = await recordingOf(harness, stream.streamId);
      expect(row).toMatchObject({ status: 'completed', facts: { engine: 'parts', segments: hls.segments.length } });
      await expectExact({ ...harness, store }, row.filePath, hls.segments);
    },
  };
}

/** The store, with some calls replaced; numbers of the parts that are sent are noted, and 0 for a reading of held-back media. */
function watching(store: MemoryStore, replaced: Partial<ObjectStore>, sent: number[]): ObjectStore {
  return new Proxy<ObjectStore>(store, {
    get: (target, name) => {
      const own: unknown = Reflect.get(replaced, name) ?? Reflect.get(target, name);
      if (typeof own !== 'function') return own;
      return (...args: unknown[]) => {
        if (name === 'uploadPart') sent.push(Number(args[3]));
        if (name === 'get' && /\/parts\//.test(String(args[1]))) sent.push(0);
        return Reflect.apply(own, Reflect.get(replaced, name) ? replaced : target, args);
      };
    },
  });
}

describe('held-back media', () => {
  it('waits for a head that fills a part, and is then sent once, as part 2', async () => {
    const live = await startLive();
    await live.record(4);
    expect(await live.parts()).toEqual([
      [1, false],
      [3, true],
      [4, true],
    ]);
    expect(live.sent).toEqual([3, 4]);
    await live.record(24);
    expect((await live.parts()).slice(0, 2)).toEqual([
      [1, true],
      [3, true],
    ]);
    expect(live.sent.filter((number) => number < 3)).toEqual([0, 2]);
    await live.end();
    // The tail, and the head alone.
    expect(live.sent).toEqual([25, 1]);
    await live.expectExact();
  });

  it('goes behind the head where that is short', async () => {
    const live = await startLive();
    await live.record(24, live.contextOn({}, 100_000));
    await live.end(live.contextOn({}, 100_000));
    expect(live.sent.slice(-2)).toEqual([0, 1]);
    await live.expectExact();
  });

  it('goes behind the head where that turns out to be short, though it was sent', async () => {
    const live = await startLive();
    await live.record(24);
    // The setting was changed meanwhile: no head of half a minute fills such a part.
    await live.end(live.contextOn({}, 100_000));
    expect(live.sent).toEqual([25, 0, 1]);
    await live.expectExact();
  });

  it('is sent again where a function was killed before it could note that it had', async () => {
    const live = await startLive();
    const { db } = harness.context;
    let kills = 0;
    const context = live.contextOn();
    const dies: RecordingContext = {
      ...context,
      db: {
        ...db,
        transaction: (work) => {
          if (live.sent.at(-1) !== 2 || kills++ > 0) return db.transaction(work);
          return Promise.reject(new Error('killed'));
        },
      },
    };
    await live.record(24, dies);
    // An attempt that failed waits for its time.
    await db.query('UPDATE recordings SET next_attempt_at = NULL WHERE id = $1', [live.id]);
    await live.advance(context);
    expect(kills).toBeGreaterThan(0);
    expect(live.sent.filter((number) => number === 2)).toHaveLength(2);
    expect((await live.parts())[0]).toEqual([1, true]);
    await live.end();
    expect(live.sent.at(-1)).toBe(1);
    expect(live.sent).not.toContain(0);
    await live.expectExact();
  });

  it('is left out of the upload where nobody noted that it is in it', async () => {
    const live = await startLive();
    await live.record(24);
    await harness.context.db.query(
      'UPDATE recording_parts SET etag = NULL WHERE recording_id = $1 AND part_number = 1',
      [live.id],
    );
    await live.end();
    expect(live.sent).toEqual([25, 0, 1]);
    await live.expectExact();
  });

  it('is not sent by a worker that stood still past its lease', async () => {
    const live = await startLive();
    let laterMs = 0;
    const context = live.contextOn();
    const stands: RecordingContext = {
      ...context,
      clock: { ...context.clock, now: () => context.clock.now() + laterMs },
      store: watching(
        live.store,
        {
          get: (...args: Parameters<ObjectStore['get']>) => {
            if (/\/parts\//.test(args[1])) laterMs = 50_000;
            return live.store.get(args[0], args[1]);
          },
        },
        live.sent,
      ),
    };
    for (let until = 2; !live.sent.includes(0); until++) await live.record(until, stands);
    expect(live.sent.at(-1)).toBe(0);
    expect(live.sent).not.toContain(2);
  });

  it('is made anew with the rest where the upload is lost when it is sent', async () => {
    const live = await startLive();
    const context = live.contextOn({
      uploadPart: async (bucket, key, uploadId, number, body) => {
        if (number === 2 && uploadId === 'upload-1') await live.store.abortUpload(bucket, key, uploadId);
        return live.store.uploadPart(bucket, key, uploadId, number, body);
      },
    });
    await live.record(24, context);
    expect(await live.row()).toMatchObject({ generation: 2 });
    expect((await live.parts())[0]).toEqual([1, true]);
    await live.end();
    expect(live.sent).toEqual([25, 1]);
    await live.expectExact();
  });
});

describe('a recording whose parts a release before has numbered from 2', () => {
  it('goes on behind them, and its held-back media never becomes a part', async () => {
    const live = await startLive();
    const shifted = live.contextOn({
      uploadPart: (bucket, key, uploadId, number, body) =>
        live.store.uploadPart(bucket, key, uploadId, number > 2 ? number - 1 : number, body),
    });
    await live.record(6, shifted);
    const { db } = harness.context;
    const mine = 'WHERE recording_id = $1 AND part_number';
    await db.query(`UPDATE recording_parts SET part_number = part_number + 100 ${mine} > 1`, [live.id]);
    await db.query(`UPDATE recording_parts SET part_number = part_number - 101 ${mine} > 100`, [live.id]);
    await db.query(`UPDATE recordings SET engine_state = jsonb_set(engine_state, '{version}', '1') WHERE id = $1`, [
      live.id,
    ]);
    expect(await live.parts()).toEqual([1, 2, 3, 4, 5].map((number) => [number, number > 1]));
    live.sent.length = 0;
    await live.record(24);
    expect(live.sent).toEqual(Array.from({ length: 18 }, (_, at) => at + 6));
    await live.end();
    expect(live.sent).toEqual([24, 0, 1]);
    await live.expectExact();
  });
});
