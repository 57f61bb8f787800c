/** A stream that ends and starts again within RECONNECT_WINDOW: one recording, one file, whatever changed in between. */
import { recordStreamEvent } from '../../../lib/recordings/record-stream-event.ts';
import { reportRecording } from '../../../lib/recordings/report.ts';
import { type FaultyService, serviceWith } from '../../support/faults.ts';
import {
  assertFaststart,
  fullDecode,
  type Hls,
  makeHls,
  type PacketStream,
  packets,
  referenceRemux,
} from '../../support/media/index.ts';
import { download, expectExact, newStream, recordingOf, type StreamIds, upload } from '../../support/recorded.ts';
import { type Harness, startHarness } from '../../support/service-harness.ts';
import { nextSecond } from '../../support/wait.ts';

const WINDOW_MS = 60_000;

let harness: Harness;
let small: Hls;
let large: Hls;
let last: Hls;

beforeAll(async () => {
  const shape = { seconds: 6, segmentSeconds: 2, fps: '25', bframes: 2, audio: [{ codec: 'aac' as const }] };
  [harness, small, large, last] = await Promise.all([
    startHarness({ RECONNECT_WINDOW: `${WINDOW_MS / 1000}s` }),
    makeHls(shape),
    makeHls({ ...shape, width: 640, height: 360, startSeconds: 500 }),
    makeHls({ ...shape, seconds: 8, startSeconds: 7 }),
  ]);
});
afterAll(() => harness.stop());

/** One broadcast from its start to its end; its segments have the names of the one before. Returns both times. */
async function broadcast(stream: StreamIds, hls: Hls): Promise<{ startedAt: Date; endedAt: Date }> {
  await nextSecond();
  const startedAt = new Date();
  await harness.tell('stream.started', stream, startedAt);
  await upload(harness, stream.streamKey, hls.segments);
  const endedAt = new Date();
  await harness.tell('stream.ended', stream, endedAt);
  return { startedAt, endedAt };
}

const recordingsOf = (stream: StreamIds) => harness.context.recordings.list({ limit: 10, streamId: stream.streamId });

/** Each packet without its place on the clock: what it is, and how long after the first of its run. */
function relative(stream: PacketStream | undefined, from = 0, count = Number.POSITIVE_INFINITY) {
  const run = stream?.packets.slice(from, from + count) ?? [];
  const begins = run[0]?.dts ?? 0;
  return run.map(({ size, flags, hash, pts, dts }) => ({
    size,
    flags,
    hash,
    pts: (pts ?? 0) - begins,
    dts: (dts ?? 0) - begins,
  }));
}

/** The file is the broadcasts one after the other, each with every packet of its own remux at the same distances. */
async function expectBroadcasts(filePath: string, broadcasts: readonly Hls[]): Promise<void> {
  const file = await download(harness, filePath);
  await assertFaststart(file);
  await fullDecode(file);
  const made = await packets(file, { hash: true });
  const from = made.map(() => 0);
  for (const { segments } of broadcasts) {
    const reference = await packets(await referenceRemux(segments), { hash: true });
    expect(made).toHaveLength(reference.length);
    for (const [index, expected] of reference.entries()) {
      const count = expected.packets.length;
      expect(relative(made[index], from[index], count)).toEqual(relative(expected));
      from[index] = (from[index] ?? 0) + count;
    }
  }
  expect(made.map((stream) => stream.packets.length)).toEqual(from);
}

const finish = async (service: FaultyService) => {
  service.later(WINDOW_MS + 5000);
  await service.monitor();
};

it('continues its recording any number of times, across resolutions and clocks, and the gaps are noted', async () => {
  const service = serviceWith(harness);
  const stream = newStream();
  const told = [await broadcast(stream, small), await broadcast(stream, large), await broadcast(stream, last)];
  await finish(service);
  const rows = await recordingsOf(stream);
  expect(rows).toMatchObject([{ status: 'completed', filePath: `recordings/${stream.streamKey}.mp4` }]);
  await expectBroadcasts(rows[0]?.filePath ?? '', [small, large, last]);

  const report = await reportRecording(service.context, rows[0]?.id ?? '');
  expect(report).toMatchObject({ complete: true, segments: { expected: 10, captured: 10, left_out: 0 }, gaps: [] });
  expect(report.reconnects).toEqual([
    { ended_at: told[0]?.endedAt.toISOString(), resumed_at: told[1]?.startedAt.toISOString() },
    { ended_at: told[1]?.endedAt.toISOString(), resumed_at: told[2]?.startedAt.toISOString() },
  ]);
  expect(report.runs.map((run) => run.segments)).toEqual([3, 3, 4]);
  expect(report.runs.map((run) => run.wall_clock_gap_ms === null)).toEqual([true, false, false]);
  expect(report.wall_clock_duration_ms).toBe((told[2]?.endedAt.getTime() ?? 0) - (told[0]?.startedAt.getTime() ?? 0));
});

it('waits for it though a last segment comes after the end', async () => {
  const service = serviceWith(harness);
  const stream = newStream();
  await harness.tell('stream.started', stream);
  await upload(harness, stream.streamKey, small.segments.slice(0, -1));
  await harness.tell('stream.ended', stream);
  await upload(harness, stream.streamKey, small.segments.slice(-1));
  const { id } = await recordingOf(harness, stream.streamId);
  // Long after END_GRACE, and not after the window.
  service.later(WINDOW_MS / 2);
  await service.attempt(id);
  expect(await recordingOf(harness, stream.streamId)).toMatchObject({ status: 'processing' });

  await broadcast(stream, large);
  await finish(service);
  const rows = await recordingsOf(stream);
  expect(rows).toMatchObject([{ id, status: 'completed' }]);
  await expectBroadcasts(rows[0]?.filePath ?? '', [small, large]);
});

it('begins another recording after the window, and by default at once', async () => {
  const service = serviceWith(harness);
  const stream = newStream();
  await broadcast(stream, small);
  await finish(service);
  await broadcast(stream, large);
  await finish(service);
  const rows = await recordingsOf(stream);
  expect(rows.map((row) => row.status)).toEqual(['completed', 'completed']);
  await expectExact(harness, rows[1]?.filePath ?? '', small.segments);
  await expectExact(harness, rows[0]?.filePath ?? '', large.segments);
});

it('goes on with its recording where it comes back while the file is being made', async () => {
  const stream = newStream();
  await broadcast(stream, small);
  const { id } = await recordingOf(harness, stream.streamId);
  const { media, segments } = harness.context;
  const joinShortWay: typeof media.joinShortWay = async (...asked) => {
    const joined = await media.joinShortWay(...asked);
    await nextSecond();
    await harness.tell('stream.started', stream);
    return joined;
  };
  const service = serviceWith(harness, {}, { media: { ...media, joinShortWay } });
  service.later(WINDOW_MS + 5000);
  await service.attempt(id);
  expect(await recordingOf(harness, stream.streamId)).toMatchObject({ id, status: 'recording' });
  expect((await segments.list(id)).map(({ position }) => position)).toEqual([null, null, null]);

  await upload(harness, stream.streamKey, large.segments);
  await harness.tell('stream.ended', stream);
  await finish(serviceWith(harness));
  const rows = await recordingsOf(stream);
  expect(rows).toMatchObject([{ id, status: 'completed' }]);
  await expectBroadcasts(rows[0]?.filePath ?? '', [small, large]);
});

it('begins another recording where its file is completed in the very moment of the start', async () => {
  const stream = newStream();
  await broadcast(stream, small);
  const { id } = await recordingOf(harness, stream.streamId);
  const { db } = harness.context;
  // The start has been decided on by what was read before it: the finalizer does not wait for the lock of the stream.
  const complete = () =>
    db.query(`UPDATE recordings SET status = 'completed', completed_at = now() WHERE id = $1`, [id]);
  const overtaken = harness.variant(
    {},
    {
      db: {
        ...db,
        transaction: (work) =>
          db.transaction(async (client) => {
            const query: typeof client.query = async (text, values) => {
              if (/SET status = 'recording'/.test(text)) await complete();
              return client.query(text, values);
            };
            return work({ query });
          }),
      },
    },
  );
  const occurredAt = new Date(Date.now() + 2000);
  await recordStreamEvent(overtaken, {
    event: 'stream.started',
    ...stream,
    userId: null,
    occurredAt,
    source: 'webhook',
  });
  expect(await recordingsOf(stream)).toMatchObject([{ status: 'recording' }, { id, status: 'completed' }]);
});
