/** From webhook to MP4 on the embedded back ends, message by message. */
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { describeStream, programTables } from '../../../lib/ffmpeg/ts-program.ts';
import { advanceRecording } from '../../../lib/recordings/advance.ts';
import { captureNotified } from '../../../lib/recordings/capture-notified.ts';
import { tick } from '../../../lib/recordings/monitor.ts';
import { getRecording } from '../../../lib/recordings/read-recordings.ts';
import { retryRecording } from '../../../lib/recordings/remake.ts';
import { type Hls, makeHls } from '../../support/media/index.ts';
import { withoutTables } from '../../support/media/ts-tools.ts';
import { expectExact, newStream, objectBytes, put, recordingOf } from '../../support/recorded.ts';
import { type Harness, startHarness } from '../../support/service-harness.ts';
import { nextSecond } from '../../support/wait.ts';

let harness: Harness;
let hls: Hls;

beforeAll(async () => {
  [harness, hls] = await Promise.all([
    startHarness(),
    makeHls({ seconds: 12, segmentSeconds: 2, fps: '30000/1001', bframes: 2, audio: [{ codec: 'aac' }] }),
  ]);
});
afterAll(() => harness.stop());

const notify = (streamKey: string, paths: readonly string[]) =>
  captureNotified(
    harness.context,
    paths.map((path) => `${streamKey}/${basename(path)}`),
  );

describe('a stream from its start to its end', () => {
  it('becomes an MP4 whose every packet is that of a single-pass remux', async () => {
    const stream = newStream();
    await harness.tell('stream.started', stream);
    await put(harness, stream.streamKey, [...hls.segments, hls.playlist]);
    await harness.drain();
    await harness.tell('stream.ended', stream);
    await harness.drain();

    const row = await recordingOf(harness, stream.streamId);
    expect(row).toMatchObject({
      status: 'completed',
      filePath: `recordings/${stream.streamKey}.mp4`,
      durationSeconds: 12,
    });
    await expectExact(harness, row.filePath, hls.segments);
    const stored = await harness.store.head('recordings', `${stream.streamKey}.mp4`);
    expect(row.fileSizeBytes).toBe(stored?.size);
    await expect(getRecording(harness.context, row.id)).resolves.toMatchObject({
      id: row.id,
      completed_at: expect.stringMatching(/Z$/),
    });
  });

  it('is the same with every event told twice', async () => {
    const stream = newStream();
    const at = new Date();
    await harness.tell('stream.started', stream, at);
    await harness.tell('stream.started', stream, at);
    await put(harness, stream.streamKey, [...hls.segments, hls.playlist]);
    await notify(stream.streamKey, hls.segments);
    await notify(stream.streamKey, hls.segments);
    const end = new Date();
    await harness.tell('stream.ended', stream, end);
    await harness.tell('stream.ended', stream, end);
    await harness.drain();
    await harness.tell('stream.ended', stream, end);
    await harness.tell('stream.started', stream, at);
    await harness.drain();

    const rows = await harness.context.recordings.list({ limit: 10, streamId: stream.streamId });
    expect(rows).toMatchObject([{ status: 'completed' }]);
    await expectExact(harness, rows[0]?.filePath ?? '', hls.segments);
  });

  it('is the same when its start was never told', async () => {
    const stream = newStream();
    await put(harness, stream.streamKey, [...hls.segments, hls.playlist]);
    await harness.tell('stream.ended', stream);
    await harness.drain();

    const row = await recordingOf(harness, stream.streamId);
    expect(row).toMatchObject({ status: 'completed', startSource: 'ended-event' });
    await expectExact(harness, row.filePath, hls.segments);
  });

  it('is the same when the packager keeps no more than three segments', async () => {
    const stream = newStream();
    await harness.tell('stream.started', stream);
    for (const [index, path] of hls.segments.entries()) {
      await put(harness, stream.streamKey, [path]);
      await notify(stream.streamKey, [path]);
      const old = hls.segments[index - 3];
      if (old) await harness.store.remove('live-segments', [`${stream.streamKey}/${basename(old)}`]);
    }
    await harness.tell('stream.ended', stream);
    await harness.drain();
    await expectExact(harness, (await recordingOf(harness, stream.streamId)).filePath, hls.segments);
  });

  it('is the same with its segments told in reverse order', async () => {
    const stream = newStream();
    await harness.tell('stream.started', stream);
    await put(harness, stream.streamKey, hls.segments);
    await notify(stream.streamKey, hls.segments.toReversed());
    await harness.tell('stream.ended', stream);
    await harness.drain();
    await expectExact(harness, (await recordingOf(harness, stream.streamId)).filePath, hls.segments);
  });

  it('takes a last segment that comes after the end was told', async () => {
    const stream = newStream();
    await harness.tell('stream.started', stream);
    await put(harness, stream.streamKey, hls.segments.slice(0, -1));
    await harness.tell('stream.ended', stream);
    const [message] = harness.queues.messages.filter((queued) => queued.kind === 'advance');
    expect(message).toBeDefined();
    await advanceRecording(harness.context, message?.recordingId ?? '', () => 60_000);
    expect(await recordingOf(harness, stream.streamId)).toMatchObject({ status: 'processing' });
    await put(harness, stream.streamKey, hls.segments.slice(-1));
    await harness.drain();
    await expectExact(harness, (await recordingOf(harness, stream.streamId)).filePath, hls.segments);
  });
});

describe('a segment that is not there', () => {
  it('is waited for, then written down as a gap, and the rest is recorded', async () => {
    const stream = newStream();
    await harness.tell('stream.started', stream);
    const present = hls.segments.filter((_, index) => index !== 2);
    await put(harness, stream.streamKey, [...present, hls.playlist]);
    await harness.drain();
    await harness.tell('stream.ended', stream);
    await harness.drain();

    const row = await recordingOf(harness, stream.streamId);
    expect(row).toMatchObject({ status: 'completed', durationSeconds: 10 });
    const ledger = await harness.context.segments.list(row.id);
    expect(ledger.filter((segment) => segment.state === 'missing')).toMatchObject([
      {
        sourceKey: `${stream.streamKey}/segment_002.ts`,
        attempts: 3,
        reason: expect.stringContaining('tried 3 of 3 times'),
      },
    ]);
  });

  it('makes the recording anew when it comes after completion, under the same key', async () => {
    const stream = newStream();
    await harness.tell('stream.started', stream);
    await put(harness, stream.streamKey, hls.segments.slice(0, -1));
    await harness.tell('stream.ended', stream);
    await harness.drain();
    const first = await recordingOf(harness, stream.streamId);
    expect(first).toMatchObject({ status: 'completed', durationSeconds: 10 });

    await put(harness, stream.streamKey, hls.segments.slice(-1));
    await notify(stream.streamKey, hls.segments.slice(-1));
    expect(await recordingOf(harness, stream.streamId)).toMatchObject({
      status: 'processing',
      filePath: first.filePath,
    });
    await harness.drain();
    const second = await recordingOf(harness, stream.streamId);
    expect(second).toMatchObject({ status: 'completed', filePath: first.filePath, durationSeconds: 12, generation: 2 });
    await expectExact(harness, second.filePath, hls.segments);
  });
});

describe('a segment that was given up', () => {
  it('fills its gap when it comes after all, even after completion', async () => {
    const stream = newStream();
    await harness.tell('stream.started', stream);
    await put(harness, stream.streamKey, [...hls.segments.filter((_, index) => index !== 2), hls.playlist]);
    await harness.drain();
    await harness.tell('stream.ended', stream);
    await harness.drain();
    expect(await recordingOf(harness, stream.streamId)).toMatchObject({ status: 'completed', durationSeconds: 10 });

    await put(harness, stream.streamKey, hls.segments.slice(2, 3));
    await notify(stream.streamKey, hls.segments.slice(2, 3));
    await harness.drain();
    const row = await recordingOf(harness, stream.streamId);
    expect(row).toMatchObject({ status: 'completed', durationSeconds: 12, generation: 2 });
    await expectExact(harness, row.filePath, hls.segments);
  });
});

describe('segments in folders of variants', () => {
  it('stay out where there are segments above them', async () => {
    const stream = newStream();
    await harness.tell('stream.started', stream);
    await put(harness, stream.streamKey, [...hls.segments, hls.playlist]);
    const variant = `${stream.streamKey}/360p/${basename(hls.segments[0] ?? '')}`;
    await harness.store.put('live-segments', variant, await readFile(hls.segments[0] ?? ''), 'video/mp2t');
    await captureNotified(harness.context, [variant]);
    await notify(stream.streamKey, hls.segments);
    await harness.tell('stream.ended', stream);
    await harness.drain();
    await expectExact(harness, (await recordingOf(harness, stream.streamId)).filePath, hls.segments);
  });
});

describe('a stream key that streams again', () => {
  it('gets a second file, and each has only its own segments though their names are the same', async () => {
    const first = newStream();
    const second = { ...newStream(), streamKey: first.streamKey };
    const other = await makeHls({ seconds: 6, segmentSeconds: 2, fps: '25', audio: [{ codec: 'aac' }] });
    await harness.tell('stream.started', first);
    await put(harness, first.streamKey, hls.segments);
    await notify(first.streamKey, hls.segments);
    await harness.tell('stream.ended', first);
    await harness.drain();
    const startedAt = new Date();
    await harness.tell('stream.started', second, startedAt);
    await put(harness, first.streamKey, other.segments);
    await harness.drain();
    await harness.tell('stream.ended', second);
    await harness.drain();

    const [a, b] = [await recordingOf(harness, first.streamId), await recordingOf(harness, second.streamId)];
    expect([a.status, b.status]).toEqual(['completed', 'completed']);
    expect(a.filePath).toBe(`recordings/${first.streamKey}.mp4`);
    expect(b.filePath).toBe(
      `recordings/${first.streamKey}-${startedAt.toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z.mp4`,
    );
    await expectExact(harness, a.filePath, hls.segments);
    await expectExact(harness, b.filePath, other.segments);
  });

  it('records the very same video again', async () => {
    const first = newStream();
    const second = { ...newStream(), streamKey: first.streamKey };
    for (const stream of [first, second]) {
      await nextSecond();
      await harness.tell('stream.started', stream);
      await put(harness, stream.streamKey, hls.segments);
      await harness.tell('stream.ended', stream);
      await harness.drain();
      const row = await recordingOf(harness, stream.streamId);
      expect(row).toMatchObject({ status: 'completed', durationSeconds: 12 });
      await expectExact(harness, row.filePath, hls.segments);
    }
  });

  it('does not replace an object that no recording owns', async () => {
    const stream = newStream();
    await harness.store.put('recordings', `${stream.streamKey}.mp4`, Buffer.from('precious'), 'video/mp4');
    await harness.tell('stream.started', stream);
    await put(harness, stream.streamKey, hls.segments.slice(0, -1));
    await harness.tell('stream.ended', stream);
    await harness.drain();

    const row = await recordingOf(harness, stream.streamId);
    expect(row.filePath).toMatch(/-\d{8}T\d{6}Z\.mp4$/);
    // Nor when it is made anew.
    await put(harness, stream.streamKey, hls.segments.slice(-1));
    await notify(stream.streamKey, hls.segments.slice(-1));
    await harness.drain();
    expect(await recordingOf(harness, stream.streamId)).toMatchObject({ filePath: row.filePath, durationSeconds: 12 });
    await expectExact(harness, row.filePath, hls.segments);
    const old = await harness.store.get('recordings', `${stream.streamKey}.mp4`, 5000);
    expect(Buffer.from(old.bytes).toString()).toBe('precious');
  });
});

describe('a stream whose packets all come twice', () => {
  it('is recorded as if they came once', async () => {
    const stream = newStream();
    await harness.tell('stream.started', stream);
    for (const path of hls.segments) {
      const bytes = await readFile(path);
      const packets = Array.from({ length: bytes.length / 188 }, (_, at) => bytes.subarray(at * 188, (at + 1) * 188));
      const twice = Buffer.concat(packets.flatMap((packet) => [packet, packet]));
      await harness.store.put('live-segments', `${stream.streamKey}/${basename(path)}`, twice, 'video/mp2t');
    }
    await harness.tell('stream.ended', stream);
    await harness.drain();
    await expectExact(harness, (await recordingOf(harness, stream.streamId)).filePath, hls.segments);
  });
});

describe('a stream without usable segments', () => {
  it('fails with a reason when the bucket is empty, and can be tried again', async () => {
    const stream = newStream();
    await harness.tell('stream.started', stream);
    await harness.tell('stream.ended', stream);
    await harness.drain();
    const row = await recordingOf(harness, stream.streamId);
    expect(row).toMatchObject({ status: 'failed', failureCode: 'NO_SEGMENTS', completedAt: expect.any(Date) });

    await put(harness, stream.streamKey, hls.segments);
    await retryRecording(harness.context, row.id);
    await harness.drain();
    await expectExact(harness, (await recordingOf(harness, stream.streamId)).filePath, hls.segments);
  });

  it('fails with a reason when MP4 carries nothing of it', async () => {
    const stream = newStream();
    await harness.tell('stream.started', stream);
    const sound = await makeHls({ seconds: 4, segmentSeconds: 2, video: 'none' });
    const latm = programTables([describeStream(0x100, 17, new Uint8Array())]);
    for (const [at, path] of sound.segments.entries()) {
      const bytes = Buffer.concat([latm, withoutTables(await readFile(path))]);
      await harness.store.put('live-segments', `${stream.streamKey}/segment_00${at}.ts`, bytes, 'video/mp2t');
    }
    await harness.tell('stream.ended', stream);
    await harness.drain();
    expect(await recordingOf(harness, stream.streamId)).toMatchObject({
      status: 'failed',
      failureCode: 'NOTHING_CARRIED',
      // Of none before it.
      attempts: 0,
      failureMessage: expect.stringContaining('left out: AAC in LATM (PID 256), which MP4 does not carry'),
    });
  });

  it('is completed by itself when the first segment comes after it has failed for want of any', async () => {
    const stream = newStream();
    await harness.tell('stream.started', stream);
    await harness.tell('stream.ended', stream);
    await harness.drain();
    expect(await recordingOf(harness, stream.streamId)).toMatchObject({ status: 'failed', failureCode: 'NO_SEGMENTS' });
    // Nobody is told of them.
    await put(harness, stream.streamKey, hls.segments);
    await tick(harness.context);
    await harness.drain();
    await expectExact(harness, (await recordingOf(harness, stream.streamId)).filePath, hls.segments);
  });

  it('leaves out what is no transport stream, with the reason in the ledger', async () => {
    const stream = newStream();
    await harness.tell('stream.started', stream);
    await put(harness, stream.streamKey, hls.segments);
    const page = Buffer.from('<html>502 Bad Gateway</html>');
    await harness.store.put('live-segments', `${stream.streamKey}/segment_006.ts`, page, 'video/mp2t');
    await harness.store.put('live-segments', `${stream.streamKey}/segment_007.ts`, new Uint8Array(), 'video/mp2t');
    await harness.tell('stream.ended', stream);
    await harness.drain();
    const row = await recordingOf(harness, stream.streamId);
    await expectExact(harness, row.filePath, hls.segments);
    const rejected = (await harness.context.segments.list(row.id)).filter((segment) => segment.state === 'rejected');
    expect(rejected.map((segment) => segment.reason?.split(':')[0]).sort()).toEqual([
      'SEGMENT_EMPTY',
      'SEGMENT_NOT_TS',
    ]);
    const staged = rejected.flatMap((segment) => segment.stagedKey ?? []);
    expect(await Promise.all(staged.map((key) => objectBytes(harness, key)))).toEqual([page]);
  });
});
