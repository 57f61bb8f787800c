/** The completeness report over HTTP, of recordings that the service made, and the hash that comes after. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { routes } from '../../../functions/playback.ts';
import { hashFiles } from '../../../lib/recordings/report-hash.ts';
import { reportSchema } from '../../../lib/recordings/report-schemas.ts';
import type { ObjectStore } from '../../../lib/storage/object-store.ts';
import { alteredStore } from '../../support/altered-store.ts';
import { type Caller, callerOf } from '../../support/lambda.ts';
import { type Hls, makeHls, type PacketStream, packets } from '../../support/media/index.ts';
import {
  download,
  finishedRecording,
  newStream,
  objectBytes,
  recordingOf,
  startRecording,
  upload,
} from '../../support/recorded.ts';
import { type Harness, startHarness } from '../../support/service-harness.ts';

/** Stuffing that a transport stream may have anywhere. */
const NULL_PACKET = Buffer.alloc(188, 0xff);
NULL_PACKET.set([0x47, 0x1f, 0xff, 0x10]);

let harness: Harness;
let hls: Hls;
let call: Caller;

beforeAll(async () => {
  [harness, hls] = await Promise.all([
    startHarness(),
    makeHls({ seconds: 12, segmentSeconds: 2, fps: '30000/1001', bframes: 2, audio: [{ codec: 'aac' }] }),
  ]);
  call = callerOf(routes, harness.context);
});
afterAll(() => harness.stop());

async function reportOf(id: string) {
  const answer = await call('GET', `/recording/${id}/report`);
  expect(answer.status).toBe(200);
  return reportSchema.parse(answer.json.report);
}

describe('the report of a recording', () => {
  it('says that everything is there, when it is', async () => {
    const recording = await finishedRecording(harness, hls);
    const report = await reportOf(recording.id);
    expect(report).toMatchObject({
      status: 'completed',
      complete: true,
      segments: { expected: 6, captured: 6, left_out: 0, damaged: 0 },
      left_out: [],
      gaps: [],
      failure: null,
    });
    expect(report.runs).toHaveLength(1);
    expect(report.media_duration_ms).toBeGreaterThan(11_900);
    expect(report.media_duration_ms).toBeLessThan(12_100);
    expect(Math.abs(report.av_offset_ms.start ?? 1000)).toBeLessThan(100);
    expect(Math.abs(report.av_offset_ms.end ?? 1000)).toBeLessThan(100);
  });

  it('names what came after the end and is nobody’s, until the broadcast that it is of is heard of', async () => {
    const recording = await finishedRecording(harness, hls);
    const startedAt = new Date();
    const other = hls.segments[3] ?? '';
    await harness.store.put(
      'live-segments',
      `${recording.streamKey}/segment_000.ts`,
      await readFile(other),
      'video/mp2t',
    );
    const sweep = async () => {
      await harness.queues.requestSweep(recording.id);
      await harness.drain();
    };
    await sweep();
    const report = await reportOf(recording.id);
    expect(report).toMatchObject({
      complete: false,
      segments: { expected: 6, captured: 6, left_out: 1 },
      left_out: [{ name: 'segment_000.ts', state: 'unclaimed', reason: expect.stringContaining('UNCLAIMED') }],
    });
    await harness.tell('stream.started', recording, startedAt);
    await sweep();
    expect(await reportOf(recording.id)).toMatchObject({ complete: true, left_out: [] });
  });

  it('names what is missing, where it is and how long it is', async () => {
    const recording = await finishedRecording(harness, hls, [2]);
    const report = await reportOf(recording.id);
    expect(report.complete).toBe(false);
    expect(report.segments).toEqual({ expected: 6, captured: 5, left_out: 1, damaged: 0 });
    expect(report.left_out).toMatchObject([{ name: 'segment_002.ts', number: 2, state: 'missing' }]);
    expect(report.gaps).toHaveLength(1);
    const [gap] = report.gaps;
    expect(gap).toMatchObject({ from: 2, to: 2, missing: 1 });
    expect(Math.abs((gap?.media_at_ms ?? 0) - 4000)).toBeLessThan(150);
    expect(Math.abs((gap?.length_ms ?? 0) - 2000)).toBeLessThan(150);
    expect(report.runs.map((run) => run.reason)).toEqual(['start', 'gap']);
  });

  it('never tells the stream key', async () => {
    const recording = await finishedRecording(harness, hls, [3]);
    const { text } = await call('GET', `/recording/${recording.id}/report`);
    expect(text).not.toContain(recording.streamKey);
  });

  it('speaks of what is captured so far while the stream goes on, and is never complete then', async () => {
    const recording = await startRecording(harness, hls);
    await recording.upload(0, 1);
    expect(await reportOf(recording.id)).toMatchObject({
      status: 'recording',
      complete: false,
      segments: { expected: 2, captured: 2 },
      wall_clock_duration_ms: null,
      sha256: null,
    });
    await recording.upload(2);
    expect(await reportOf(recording.id)).toMatchObject({ segments: { captured: 3 } });
  });

  it('says that everything is there only when the file is, too', async () => {
    const recording = await startRecording(harness, hls);
    await recording.upload(0, 1, 2, 3, 4, 5);
    expect(await reportOf(recording.id)).toMatchObject({ complete: false, wall_clock_duration_ms: null });
    await harness.tell('stream.ended', recording);
    const report = await reportOf(recording.id);
    expect(report).toMatchObject({ status: 'processing', complete: false, left_out: [], gaps: [] });
    expect(report.wall_clock_duration_ms).not.toBeNull();
    await harness.drain();
    expect(await reportOf(recording.id)).toMatchObject({ status: 'completed', complete: true });
  });

  it('leaves nothing out where media came twice', async () => {
    // Long ones: the same media under the same name within its own duration is that upload repaired.
    const long = await makeHls({ seconds: 20, segmentSeconds: 10, fps: '25' });
    const recording = await startRecording(harness, long);
    await recording.upload(0, 1);
    const again = Buffer.concat([await readFile(long.segments[1] ?? ''), NULL_PACKET]);
    await harness.store.put('live-segments', `${recording.streamKey}/segment_001.ts`, again, 'video/mp2t');
    await recording.end();
    const rows = await harness.context.segments.list(recording.id);
    expect(rows.map(({ state }) => state).toSorted()).toEqual(['captured', 'captured', 'rejected']);
    expect(await reportOf(recording.id)).toMatchObject({
      complete: true,
      segments: { expected: 2, captured: 2, left_out: 0 },
      left_out: [],
    });
  });

  it('gives the reason of a failure', async () => {
    const recording = await startRecording(harness, hls);
    await recording.end();
    expect(await reportOf(recording.id)).toMatchObject({
      status: 'failed',
      complete: false,
      failure: { code: 'NO_SEGMENTS' },
    });
  });

  it('is 404 for a recording that there is not', async () => {
    const answer = await call('GET', '/recording/3f2a5b7e-0000-4000-8000-000000000000/report');
    expect(answer.status).toBe(404);
    expect(answer.json).toEqual({ error: 'Recording not found' });
  });
});

describe('the hash of the file', () => {
  it('is null until the background work has computed it, and then that of the bytes in the store', async () => {
    await hashFiles(harness.context, 10_000);
    const recording = await finishedRecording(harness, hls);
    expect((await reportOf(recording.id)).sha256).toBeNull();
    expect(await hashFiles(harness.context, 10_000)).toBe(1);
    const bytes = await objectBytes(harness, `${recording.streamKey}.mp4`);
    expect((await reportOf(recording.id)).sha256).toBe(createHash('sha256').update(bytes).digest('hex'));
    expect(await hashFiles(harness.context, 10_000)).toBe(0);
  });

  it('goes on where the last round stopped', async () => {
    await hashFiles(harness.context, 10_000);
    const recording = await finishedRecording(harness, hls);
    // A clock that runs out with every look ends each round after its first piece.
    let now = Date.now();
    const clock = { ...harness.context.clock, now: () => (now += 1000) };
    const hurried = harness.variant({}, { clock });
    let rounds = 0;
    while ((await reportOf(recording.id)).sha256 === null) {
      await hashFiles(hurried, 1500);
      rounds += 1;
      expect(rounds).toBeLessThan(200);
    }
    expect(rounds).toBeGreaterThan(2);
    const bytes = await objectBytes(harness, `${recording.streamKey}.mp4`);
    expect((await reportOf(recording.id)).sha256).toBe(createHash('sha256').update(bytes).digest('hex'));
  });

  it('is computed again for a file that was made anew', async () => {
    const recording = await finishedRecording(harness, hls, [5]);
    await hashFiles(harness.context, 10_000);
    const before = (await reportOf(recording.id)).sha256;
    await recording.upload(5);
    await harness.drain();
    expect(await recording.row()).toMatchObject({ status: 'completed', generation: 2 });
    expect((await reportOf(recording.id)).sha256).toBeNull();
    await hashFiles(harness.context, 10_000);
    const bytes = await objectBytes(harness, `${recording.streamKey}.mp4`);
    const after = (await reportOf(recording.id)).sha256;
    expect(after).toBe(createHash('sha256').update(bytes).digest('hex'));
    expect(after).not.toBe(before);
  });

  it('is computed though files that are older cannot be had, however often they are due again', async () => {
    await hashFiles(harness.context, 10_000);
    const [lost, recording] = [await finishedRecording(harness, hls), await finishedRecording(harness, hls)];
    await harness.store.remove('recordings', [`${lost.streamKey}.mp4`]);
    let now = Date.now();
    // Time for one file a round, and the next round is when the lease of the one that failed is over.
    const head: ObjectStore['head'] = async (...asked) => {
      now += 2000;
      return harness.store.head(...asked);
    };
    const clock = { ...harness.context.clock, now: () => now };
    const slow = harness.variant({}, { clock, store: alteredStore(harness.store, { head }) });
    for (let rounds = 0; rounds < 2; rounds += 1) {
      await hashFiles(slow, 1000);
      now += 61_000;
    }
    const { rows } = await harness.context.db.query<{ bytes: number }>(
      'SELECT hashed_bytes AS bytes FROM recording_hashes WHERE recording_id = $1',
      [recording.id],
    );
    expect(rows).toEqual([{ bytes: expect.any(Number) }]);
    expect(rows[0]?.bytes).toBeGreaterThan(0);
  });

  it('is not that of the file before while the new one is being hashed, in as many rounds as that takes', async () => {
    const recording = await finishedRecording(harness, hls, [5]);
    await hashFiles(harness.context, 10_000);
    const before = (await reportOf(recording.id)).sha256;
    await recording.upload(5);
    await harness.drain();
    let now = Date.now();
    const clock = { ...harness.context.clock, now: () => (now += 1000) };
    await hashFiles(harness.variant({}, { clock }), 1500);
    expect((await reportOf(recording.id)).sha256).toBeNull();
    await hashFiles(harness.context, 10_000);
    const bytes = await objectBytes(harness, `${recording.streamKey}.mp4`);
    expect((await reportOf(recording.id)).sha256).toBe(createHash('sha256').update(bytes).digest('hex'));
    expect(before).not.toBeNull();
  });
});

describe('the figures of a report', () => {
  it.each([
    ['the sound begins later', 0.5],
    ['both begin together', 0],
  ])('are those of the file that ffprobe reads, where %s', async (_how, delaySeconds) => {
    const shape = { seconds: 8, segmentSeconds: 2, fps: '30000/1001', bframes: 2 };
    const stream = await makeHls({ ...shape, audio: [{ codec: 'aac', delaySeconds }] });
    const ids = newStream();
    const startedAt = new Date(Date.now() - 9500);
    const endedAt = new Date();
    await harness.tell('stream.started', ids, startedAt);
    await upload(harness, ids.streamKey, stream.segments);
    await harness.tell('stream.ended', ids, endedAt);
    await harness.drain();
    const row = await recordingOf(harness, ids.streamId);
    const report = await reportOf(row.id);
    const streams = await packets(await download(harness, row.filePath));
    const [video, audio] = ['h264', 'aac'].map((codec) => spanMs(streams.find((one) => one.codec === codec)));

    expect(report.av_offset_ms.start).toBeCloseTo((audio?.from ?? 0) - (video?.from ?? 0), -0.5);
    expect(report.av_offset_ms.end).toBeCloseTo((audio?.to ?? 0) - (video?.to ?? 0), -0.5);
    if (delaySeconds > 0) expect(report.av_offset_ms.start).toBeGreaterThan(400);
    expect(report.wall_clock_duration_ms).toBe(endedAt.getTime() - startedAt.getTime());
    expect(Math.abs(report.media_duration_ms - ((video?.to ?? 0) - (video?.from ?? 0)))).toBeLessThan(50);
    expect(report.complete).toBe(true);
  });

  it('are of the broadcast as it is known by now: another start in it has parted it in two', async () => {
    const ids = newStream();
    const nowMs = Date.now();
    await harness.tell('stream.started', ids, new Date(nowMs - 20_000));
    await upload(harness, ids.streamKey, hls.segments);
    await harness.tell('stream.ended', ids, new Date(nowMs));
    await harness.drain();
    const { id } = await recordingOf(harness, ids.streamId);
    expect((await reportOf(id)).wall_clock_duration_ms).toBe(20_000);
    await harness.tell('stream.started', ids, new Date(nowMs - 5000));
    expect((await reportOf(id)).wall_clock_duration_ms).toBe(15_000);
  });

  it('name a segment that was left out with its reason, and the recording is not complete then', async () => {
    const recording = await startRecording(harness, hls);
    await recording.upload(0, 1, 2);
    const page = Buffer.from('<html>502 Bad Gateway</html>');
    await harness.store.put('live-segments', `${recording.streamKey}/segment_003.ts`, page, 'video/mp2t');
    await recording.upload(4, 5);
    await recording.end();
    const report = await reportOf(recording.id);
    expect(report).toMatchObject({ complete: false, segments: { expected: 6, captured: 5, left_out: 1 } });
    expect(report.left_out).toMatchObject([
      { name: 'segment_003.ts', number: 3, state: 'rejected', reason: expect.stringMatching(/^SEGMENT_NOT_TS: /) },
    ]);
    expect(report.gaps).toMatchObject([{ from: 3, to: 3, missing: 1, reasons: [report.left_out[0]?.reason] }]);
    const [gap] = report.gaps;
    expect(Date.parse(gap?.wall_clock_to ?? '')).toBeGreaterThanOrEqual(Date.parse(gap?.wall_clock_from ?? ''));
  });
});

/** When the first packet of a stream is shown and the last one is over, by the file's own times. */
function spanMs(stream: PacketStream | undefined): { from: number; to: number } {
  const ticks = Number(stream?.timeBase.split('/')[1]);
  const times = (stream?.packets ?? []).map(({ pts }) => pts ?? 0).sort((a, b) => a - b);
  const [first = 0, second = 0] = times;
  const toMs = (pts: number) => (pts / ticks) * 1000;
  return { from: toMs(first), to: toMs((times.at(-1) ?? 0) + second - first) };
}
