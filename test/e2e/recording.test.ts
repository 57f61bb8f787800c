/**
 * What the service is for, from outside: streams pushed as packagers push them, with everything that goes wrong on
 * the way, come out as the exact MP4. All scenarios share one running service and play at the same time.
 */
import { randomUUID } from 'node:crypto';
import { type Hls, makeHls, packets, referenceRemux } from '../support/media/index.ts';
import { type RunningService, startService } from '../support/service.ts';
import { waitFor } from '../support/wait.ts';
import { download, expectExact, type Played, play, recordingsOf, waitForRecording } from './scenario.ts';

/** B-frames and a rate that 90 kHz cannot count in whole frames of sound. */
const SHAPE = { seconds: 30, fps: '30000/1001', bframes: 2, audio: [{ codec: 'aac' }] } as const;

let service: RunningService;
let hls: Hls;
let other: Hls;
/** Played before the others, since it is timed. */
let undisturbed: Played;

beforeAll(async () => {
  hls = await makeHls(SHAPE);
  other = await makeHls({ ...SHAPE, seconds: 6, fps: '25' });
  service = await startService({ env: { MONITOR_INTERVAL: '2s', END_GRACE: '5s' } });
  // The first broadcast of a process pays for loading and compiling.
  await play(service, { hls: other });
  undisturbed = await play(service, { hls });
});
afterAll(() => service?.stop());

describe('a broadcast of 15 segments between two webhooks', () => {
  it.concurrent('is completed within 3 s of its end, exact to the packet, with its metadata in front', async () => {
    expect(hls.segments).toHaveLength(15);
    expect(undisturbed.finishMs).toBeLessThan(3000);
    expect(undisturbed.recording.file_path).toBe(`recordings/${undisturbed.stream.stream_key}.mp4`);
    await expectExact(service, undisturbed, hls.segments);
  });

  it.concurrent('leaves its stream key nowhere in the log but in the message that names the file', async () => {
    const { stream_key } = undisturbed.stream;
    // The row is completed a moment before the log says so.
    const said = () => service.log.filter((line) => line.includes(stream_key));
    const lines = await waitFor('the message that names the file', () => (said().length > 0 ? said() : undefined), {
      withinMs: 10_000,
    });
    expect(lines.map((line) => JSON.parse(line).message)).toEqual([
      `✅ Recording completed: recordings/${stream_key}.mp4`,
    ]);
  });

  it.concurrent('shows its duration while it is recorded, and no file yet', async () => {
    const played = await play(service, {
      hls,
      beforeEnd: async (stream) => {
        const live = await waitForRecording(service.url, stream.stream_id, ['recording'], 10_000);
        expect(live).toMatchObject({ file_path: '', file_size: 0, video_id: null, completed_at: null });
        await waitFor(
          'the duration of all segments',
          async () => ((await recordingsOf(service.url, stream.stream_id))[0]?.duration ?? 0) >= 29,
          { withinMs: 15_000 },
        );
      },
    });
    await expectExact(service, played, hls.segments);
  });

  it.concurrent('is exact where the packager deletes 8 segments behind and lists only 5', async () => {
    const window = { playlist: { kind: 'window', segments: 5 }, deleteBehind: 8 } as const;
    // A real packager leaves 16 s for the capture; this one, 5.
    await expectExact(service, await play(service, { hls, speed: 3, ...window }), hls.segments);
  });

  it.concurrent('is recorded once where every webhook comes twice', async () => {
    const played = await play(service, { hls, started: 'twice', ended: 'twice' });
    await expectExact(service, played, hls.segments);
    expect(await recordingsOf(service.url, played.stream.stream_id)).toHaveLength(1);
  });

  it.concurrent('is found where the start webhook is lost, while it is live', async () => {
    const live = async (stream: { stream_id: string }) => {
      await waitForRecording(service.url, stream.stream_id, ['recording'], 10_000);
    };
    await expectExact(service, await play(service, { hls, started: 'never', beforeEnd: live }), hls.segments);
  });

  it.concurrent('is found where the start webhook is lost and the end is all that is heard', async () => {
    await expectExact(service, await play(service, { hls, started: 'never' }), hls.segments);
  });

  it.concurrent('is finished where the end webhook is lost', async () => {
    await expectExact(service, await play(service, { hls, ended: 'never' }), hls.segments);
  });

  it.concurrent('is found and finished where both webhooks are lost', async () => {
    const live = async (stream: { stream_id: string }) => {
      await waitForRecording(service.url, stream.stream_id, ['recording'], 10_000);
    };
    const played = await play(service, { hls, started: 'never', ended: 'never', beforeEnd: live });
    await expectExact(service, played, hls.segments);
  });

  it.concurrent('has its last segment, which comes 1 s after the end into an open playlist', async () => {
    const played = await play(service, { hls, lastSegmentLateMs: 1000, endList: false });
    await expectExact(service, played, hls.segments);
  });

  it.concurrent('has its last segment, which comes with the closed playlist 2 s after the end', async () => {
    await expectExact(service, await play(service, { hls, lastSegmentLateMs: 2000 }), hls.segments);
  });

  it.concurrent('is in order where segments come out of order, and twice', async () => {
    const played = await play(service, { hls, uploadAfter: { 3: 5, 7: 8 }, twice: [2, 9] });
    await expectExact(service, played, hls.segments);
  });

  it.concurrent('needs no playlist: the numbers in the names are enough, past 999 too', async () => {
    const played = await play(service, { hls, playlist: { kind: 'none' }, firstNumber: 992 });
    await expectExact(service, played, hls.segments);
  });
});

describe('streams as they are', () => {
  it.concurrent('a key that streams again gets a file of its own, and keeps the first', async () => {
    const streamKey = `again-${randomUUID().slice(0, 8)}`;
    const first = await play(service, { hls, streamKey });
    const second = await play(service, { hls: other, streamKey });
    await expectExact(service, first, hls.segments);
    await expectExact(service, second, other.segments);
    expect(second.recording.file_path).toMatch(new RegExp(`^recordings/${streamKey}-\\d{8}T\\d{6}Z\\.mp4$`));
  });

  it.concurrent('an encoder that restarts over the same names loses nothing of either run', async () => {
    const both: Hls = {
      ...hls,
      segments: [...hls.segments.slice(0, 4), ...other.segments],
      durations: [...hls.durations.slice(0, 4), ...other.durations],
    };
    // In real time: the same name sooner than a live encoder could have made it again is taken for a repaired upload.
    const { recording } = await play(service, { hls: both, speed: 1, restartBefore: [4] });
    expect(recording.status).toBe('completed');
    const file = await packets(await download(service, recording), { hash: true });
    for (const [at, stream] of file.entries()) {
      const runs = await Promise.all([packetHashes(hls.segments.slice(0, 4), at), packetHashes(other.segments, at)]);
      expect(stream.packets.map((packet) => packet.hash)).toEqual(runs.flat());
    }
  });

  it.concurrent('segments that are none are left out, and the others are recorded', async () => {
    const played = await play(service, { hls, damage: { 5: 'html', 6: 'empty' } });
    expect(played.recording.status).toBe('completed');
    expect(played.recording.duration).toBeGreaterThanOrEqual(25);
    const [video] = await packets(await download(service, played.recording));
    const frames = await Promise.all([
      packetHashes(hls.segments.slice(0, 5), 0),
      packetHashes(hls.segments.slice(7), 0),
    ]);
    expect(video?.packets).toHaveLength(frames.flat().length);
  });

  it.concurrent('a stream without a single segment fails, and says when', async () => {
    const empty: Hls = { ...hls, segments: [], durations: [] };
    const { recording } = await play(service, { hls: empty });
    expect(recording).toMatchObject({ status: 'failed', file_path: '', duration: 0, file_size: 0 });
    expect(recording.completed_at).not.toBeNull();
  });
});

/** Hashes of the packets that one ffmpeg finds in one run of segments. */
async function packetHashes(segments: readonly string[], stream: number): Promise<string[]> {
  const reference = await packets(await referenceRemux(segments), { hash: true });
  return (reference[stream]?.packets ?? []).map((packet) => packet.hash);
}
