/**
 * With every notification of S3 lost, and with everything lost, on the default interval of 10 s: the poller alone
 * makes the same file. And what the Stream Service says in its failures ends no recording.
 */
import { randomUUID } from 'node:crypto';
import { type Hls, makeHls } from '../support/media/index.ts';
import { type RunningService, startService } from '../support/service.ts';
import type { FailMode } from '../support/stream-service.ts';
import { waitFor } from '../support/wait.ts';
import { expectExact, play, push, recordingsOf, waitForRecording } from './scenario.ts';

const MONITOR_INTERVAL_MS = 10_000;
/** A tick itself, and the machine's other work. */
const ALLOWANCE_MS = 2500;

let hls: Hls;

beforeAll(async () => {
  hls = await makeHls({ seconds: 12, bframes: 2 });
});

describe('a service that hears of no object in the store', () => {
  let service: RunningService;

  beforeAll(async () => {
    service = await startService({ notify: false });
  });
  afterAll(() => service?.stop());

  it('makes the exact file, soon after the end', async () => {
    const played = await play(service, { hls });
    expect(played.finishMs).toBeLessThan(5000);
    await expectExact(service, played, hls.segments);
  });

  it('shows the growing duration, and finds a start and an end that nobody told, within 10 s', async () => {
    const streamKey = `silent-${randomUUID().slice(0, 8)}`;
    const stream = await service.streams.startStream({ streamKey, webhook: 'never' });
    await push(service, streamKey, { hls }).done;
    const startedAt = performance.now();
    await waitForRecording(service.url, stream.stream_id, ['recording'], 30_000);
    expect(performance.now() - startedAt).toBeLessThan(MONITOR_INTERVAL_MS + ALLOWANCE_MS);
    await waitFor(
      'the duration of all segments',
      async () => (await recordingsOf(service.url, stream.stream_id))[0]?.duration === 12,
      { withinMs: MONITOR_INTERVAL_MS + ALLOWANCE_MS },
    );
    await service.streams.endStream(stream.stream_id, 'never');
    const endedAt = performance.now();
    const recording = await waitForRecording(service.url, stream.stream_id, ['completed', 'failed'], 30_000);
    const finishMs = performance.now() - endedAt;
    expect(finishMs).toBeLessThan(MONITOR_INTERVAL_MS + ALLOWANCE_MS);
    await expectExact(service, { stream, recording, finishMs }, hls.segments);
  });
});

describe('a Stream Service that fails while a stream is live', () => {
  let service: RunningService;

  beforeAll(async () => {
    service = await startService({ env: { MONITOR_INTERVAL: '500ms', STREAM_SERVICE_TIMEOUT: '300ms' } });
  });
  afterAll(() => service?.stop());

  /** Long enough for the recorder to have asked three times, however long it takes. */
  const askedThreeTimes = async () => {
    const before = service.streams.reads.length;
    await waitFor('three polls of the Stream Service', () => service.streams.reads.length >= before + 3, {
      withinMs: 20_000,
    });
  };

  it('ends nothing, whatever it says: neither down, 5xx, garbage, silence nor forgetfulness', async () => {
    const played = await play(service, {
      hls,
      ended: 'never',
      beforeEnd: async (stream) => {
        const modes: FailMode[] = ['down', 'error-500', 'garbage', { slowMs: 60_000 }];
        for (const mode of modes) {
          service.streams.failWith(mode);
          await askedThreeTimes();
        }
        service.streams.failWith(undefined);
        service.streams.forget(stream.stream_id);
        await askedThreeTimes();
        expect(await recordingsOf(service.url, stream.stream_id)).toMatchObject([{ status: 'recording' }]);
        const { stream_id: streamId, stream_key: streamKey, started_at } = stream;
        await service.streams.startStream({ streamId, streamKey, startedAt: new Date(started_at), webhook: 'never' });
        await askedThreeTimes();
      },
    });
    expect(await recordingsOf(service.url, played.stream.stream_id)).toHaveLength(1);
    await expectExact(service, played, hls.segments);
  });

  it('is said in the log once, and once more when it is well again', () => {
    const count = (text: string) => service.log.filter((line) => line.includes(text)).length;
    expect([count('The Stream Service does not answer'), count('The Stream Service answers again')]).toEqual([1, 1]);
  });
});
