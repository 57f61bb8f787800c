/** The service as `npm start` runs it, stopped and killed in the middle of a stream: what was captured stays. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Hls, makeHls } from '../support/media/index.ts';
import { type ServiceProcess, startServiceProcess } from '../support/service.ts';
import { StreamServiceStandIn } from '../support/stream-service.ts';
import { expectExact, push, type RecordingAnswer, recordingsOf, waitForRecording } from './scenario.ts';

const STREAM_KEY = 'restarted';

let hls: Hls;
let dataDir: string;
let streams: StreamServiceStandIn;
let service: ServiceProcess;

const start = () => startServiceProcess({ dataDir, streams, env: { MONITOR_INTERVAL: '1s' } });

beforeAll(async () => {
  hls = await makeHls({ seconds: 18, fps: '30000/1001', bframes: 2 });
  dataDir = await mkdtemp(join(tmpdir(), 'restart-'));
  streams = await StreamServiceStandIn.start();
  service = await start();
});
afterAll(async () => {
  await service?.stop();
  await streams?.close();
  // Processes of a database that was killed may still write.
  await rm(dataDir, { recursive: true, force: true, maxRetries: 10 });
});

/** Segments from one number to another, as the packager goes on pushing them. */
function part(from: number, to: number): Hls {
  return { ...hls, segments: hls.segments.slice(from, to), durations: hls.durations.slice(from, to) };
}

async function pushPart(from: number, to: number): Promise<void> {
  const last = to === hls.segments.length;
  await push(service, STREAM_KEY, { hls: part(from, to), firstNumber: from, endList: last }).done;
}

describe('a service that is stopped and killed while it records', () => {
  let streamId: string;
  let first: RecordingAnswer;

  it('stops within 3 s of SIGTERM, with a segment just pushed', async () => {
    const stream = await streams.startStream({ streamKey: STREAM_KEY });
    streamId = stream.stream_id;
    expect(streams.sent).toMatchObject([{ status: 200 }]);
    await pushPart(0, 3);
    first = await waitForRecording(service.url, streamId, ['recording'], 5000);
    expect(await service.end('SIGTERM')).toBeLessThan(3000);
    await expect(fetch(`${service.url}/health`)).rejects.toThrow();
  });

  it('goes on with the same recording after a start, and after a kill -9', async () => {
    service = await start();
    expect(await recordingsOf(service.url, streamId)).toMatchObject([{ id: first.id, status: 'recording' }]);
    await pushPart(3, 6);
    await service.end('SIGKILL');
    service = await start();
    expect(await recordingsOf(service.url, streamId)).toMatchObject([{ id: first.id, status: 'recording' }]);
    await pushPart(6, 9);
  });

  it('has every packet of it in the end', async () => {
    const startedAt = performance.now();
    const stream = await streams.endStream(streamId);
    const recording = await waitForRecording(service.url, streamId, ['completed', 'failed'], 30_000);
    expect(await recordingsOf(service.url, streamId)).toMatchObject([{ id: first.id, started_at: first.started_at }]);
    await expectExact(service, { stream, recording, finishMs: performance.now() - startedAt }, hls.segments);
  });

  it('still has the finished recording and its file after another start', async () => {
    const before = await recordingsOf(service.url, streamId);
    expect(await service.end('SIGINT')).toBeLessThan(3000);
    service = await start();
    expect(await recordingsOf(service.url, streamId)).toEqual(before);
    const answer = await fetch(`${service.s3.endpoint}/${before[0]?.file_path}`);
    expect([answer.status, (await answer.arrayBuffer()).byteLength]).toEqual([200, before[0]?.file_size]);
  });
});
