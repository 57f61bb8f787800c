/**
 * `kill -9` of the running service in each phase of a recording at once: while it records, while a part is uploaded, while
 * the file is stored, and after the store has completed it but before the database knows.
 */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunningS3, startS3 } from '../../localstack/s3.ts';
import { type Hls, makeHls } from '../support/media/index.ts';
import { type S3Gate, startS3Gate } from '../support/s3-gate.ts';
import { type ServiceProcess, startServiceProcess } from '../support/service.ts';
import { type Stream, StreamServiceStandIn } from '../support/stream-service.ts';
import { waitFor } from '../support/wait.ts';
import { expectExact, push, recordingsOf, type Target, waitForRecording } from './scenario.ts';

const key = (phase: string) => `${phase}-${randomUUID().slice(0, 8)}`;
const KEYS = { recording: key('recording'), rolling: key('rolling'), storing: key('storing'), completing: key('done') };
type Phase = keyof typeof KEYS;
const PHASES = ['recording', 'rolling', 'storing', 'completing'] as const;
const CREDENTIALS = { accessKeyId: 'minioadmin', secretAccessKey: 'minioadmin123' };
/** A dead worker's lease, and whatever the machine is doing beside it. */
const WITHIN_MS = 180_000;

let short: Hls;
let long: Hls;
let folder: string;
let s3: RunningS3;
let gate: S3Gate;
let streams: StreamServiceStandIn;
let service: ServiceProcess;
const live = new Map<Phase, Stream>();

const hlsOf = (phase: Phase) => (phase === 'rolling' || phase === 'completing' ? long : short);
/** The packager and the viewers do not go through the gate. */
const target = (): Target => ({
  url: service.url,
  log: service.log,
  streams,
  s3: { endpoint: s3.endpoint, ...CREDENTIALS },
});

const start = () =>
  startServiceProcess({
    dataDir: join(folder, 'data'),
    streams,
    env: { MINIO_ENDPOINT: gate.endpoint, MONITOR_INTERVAL: '1s', PART_SIZE: String(5 * 1024 * 1024) },
  });

beforeAll(async () => {
  // Constant bit rate: parts of 5 MiB fill in five seconds of it.
  const cbr = ['-b:v', '8M', '-minrate', '8M', '-maxrate', '8M', '-bufsize', '4M', '-x264-params', 'nal-hrd=cbr'];
  [short, long] = await Promise.all([
    makeHls({ seconds: 6, fps: '25', bframes: 2 }),
    makeHls({ seconds: 16, fps: '30000/1001', bframes: 2, extra: cbr }),
  ]);
  folder = await mkdtemp(join(tmpdir(), 'killed-'));
  const buckets = { buckets: ['live-segments', 'recordings'], publicBuckets: ['recordings'] };
  s3 = await startS3({ dataDir: join(folder, 's3'), port: 0, fast: true, credentials: CREDENTIALS, ...buckets });
  gate = await startS3Gate(s3.port, [
    {
      name: 'rolling',
      hold: 'after',
      matches: (method, url) => method === 'PUT' && url.includes(KEYS.rolling) && url.includes('partNumber=3'),
    },
    {
      name: 'storing',
      hold: 'before',
      matches: (method, url) => method === 'PUT' && url.startsWith(`/recordings/${KEYS.storing}.mp4`),
    },
    {
      name: 'completing',
      hold: 'after',
      matches: (method, url) =>
        method === 'POST' && url.startsWith(`/recordings/${KEYS.completing}.mp4`) && url.includes('uploadId='),
    },
  ]);
  streams = await StreamServiceStandIn.start();
  service = await start();
}, WITHIN_MS);

afterAll(async () => {
  await service?.stop();
  await gate?.close();
  await Promise.all([streams?.close(), s3?.stop()]);
  // Processes of a database that was killed may still write.
  await rm(folder, { recursive: true, force: true, maxRetries: 10 });
});

describe('a service that is killed in every phase of a recording', () => {
  it(
    'is caught in all of them at once',
    async () => {
      for (const phase of PHASES) live.set(phase, await streams.startStream({ streamKey: KEYS[phase] }));
      await Promise.all(PHASES.map((phase) => push(target(), KEYS[phase], { hls: hlsOf(phase) }).done));
      for (const phase of ['storing', 'completing'] as const) await streams.endStream(live.get(phase)?.stream_id ?? '');
      await waitForRecording(service.url, live.get('recording')?.stream_id ?? '', ['recording'], WITHIN_MS);
      await waitFor('a request of each phase is held', () => gate.held.size === 3, { withinMs: WITHIN_MS });
      await service.end('SIGKILL');
      gate.open();
    },
    2 * WITHIN_MS,
  );

  it(
    'has every packet of each in the end, in one recording',
    async () => {
      service = await start();
      for (const phase of ['recording', 'rolling'] as const) await streams.endStream(live.get(phase)?.stream_id ?? '');
      for (const phase of PHASES) {
        const stream = live.get(phase);
        if (!stream) throw new Error(`no stream of ${phase}`);
        const id = stream.stream_id;
        const recording = await waitForRecording(service.url, id, ['completed', 'failed'], WITHIN_MS);
        expect(await recordingsOf(service.url, id)).toHaveLength(1);
        await expectExact(target(), { stream, recording, finishMs: 0 }, hlsOf(phase).segments);
      }
    },
    4 * WITHIN_MS,
  );
});
