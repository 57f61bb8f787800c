/** What is deployed: bundles that hold what they need and nothing else, and that run out of a clean folder. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findFfmpeg } from '../../../lib/ffmpeg/find.ts';
import { openDatabase } from '../../../lib/platform/database.ts';
import { buildWeb } from '../../../scripts/build-web.ts';
import { type Bundle, bundle, invoke, readFunctions } from '../../support/bundles.ts';
import { httpEvent } from '../../support/lambda.ts';
import { type Hls, makeHls } from '../../support/media/index.ts';
import { type Harness, startHarness } from '../../support/service-harness.ts';
import { waitFor } from '../../support/wait.ts';

const ROOT = join(import.meta.dirname, '../../..');
/** The SDK and our own code; more would be something that crept in. */
const MOST_BYTES = 6_000_000;

let folder: string;
const bundles = new Map<string, Bundle>();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'package-'));
  await buildWeb();
  for (const name of Object.keys((await readFunctions()).functions))
    bundles.set(name, await bundle(name, join(folder, name)));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const bundleOf = (name: string): Bundle => {
  const found = bundles.get(name);
  if (!found) throw new Error(`no function ${name}`);
  return found;
};

describe('the bundles of the functions', () => {
  it('hold packages for production only, none of tests and none of the local stack', async () => {
    const lock = JSON.parse(await readFile(join(ROOT, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { dev?: boolean; devOptional?: boolean }>;
    };
    for (const [name, { inputs }] of bundles) {
      const paths = Object.keys(inputs);
      const packages = new Set(
        paths.flatMap((path) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? []),
      );
      const development = [...packages].filter((one) => lock.packages[one]?.dev);
      expect([name, development]).toEqual([name, []]);
      expect([name, paths.filter((path) => /^(test|localstack|scripts|web)\//.test(path))]).toEqual([name, []]);
    }
  });

  it('stay small, and bring files only where they read them', async () => {
    for (const [name, one] of bundles) {
      expect([name, one.bytes < MOST_BYTES]).toEqual([name, true]);
      const files = (await readdir(one.folder)).sort();
      const expected: Record<string, string[]> = {
        dashboard: ['functions', 'web'],
        poller: ['functions', 'migrations'],
      };
      expect([name, files]).toEqual([name, expected[name] ?? ['functions']]);
    }
  });

  it('get ffmpeg by the layer exactly where they run it', async () => {
    const { functions } = await readFunctions();
    for (const [name, { layers }] of Object.entries(functions)) {
      const runsFfmpeg = Object.keys(bundleOf(name).inputs).includes('lib/ffmpeg/run.ts');
      // Whoever can only name ffmpeg (the context holds it) does not run it: these are the functions that do.
      expect([name, layers.length > 0]).toEqual([name, ['clips', 'poller', 'finalizer'].includes(name)]);
      if (layers.length > 0) expect([name, runsFfmpeg]).toEqual([name, true]);
    }
  });
});

describe('out of a clean folder', () => {
  let harness: Harness;
  let hls: Hls;
  let env: Record<string, string>;
  beforeAll(async () => {
    [harness, hls] = await Promise.all([
      startHarness(),
      makeHls({ seconds: 6, segmentSeconds: 2, fps: '25', width: 320, height: 180, audio: [{ codec: 'aac' }] }),
    ]);
    const ffmpeg = await findFfmpeg();
    env = { ...harness.env, FFMPEG_PATH: ffmpeg.path, PUBLIC_URL_BASE: `http://${harness.env.MINIO_ENDPOINT}` };
  });
  afterAll(() => harness?.stop());

  const call = async (name: string, method: string, path: string, body?: unknown) =>
    (await invoke(bundleOf(name), env, httpEvent(method, path, body === undefined ? {} : { body }))) as {
      statusCode: number;
      body: string;
      isBase64Encoded?: boolean;
    };
  const fromQueue = (name: string, body: unknown) =>
    invoke(bundleOf(name), env, { Records: [{ messageId: '1', body: JSON.stringify(body) }] });

  it('a stream is recorded from its webhook to its file', async () => {
    const stream = { stream_id: randomUUID(), stream_key: 'packed', user_id: randomUUID() };
    const tell = (event: string) =>
      call('webhook', 'POST', '/webhook/stream', { event, ...stream, timestamp: new Date().toISOString() });
    expect((await tell('stream.started')).statusCode).toBe(200);
    const records = [];
    for (const [at, path] of hls.segments.entries()) {
      const key = `packed/segment_00${at}.ts`;
      await harness.store.put('live-segments', key, await readFile(path), 'video/mp2t');
      records.push({ eventName: 'ObjectCreated:Put', s3: { bucket: { name: 'live-segments' }, object: { key } } });
    }
    await fromQueue('segments', { Records: records });
    expect((await tell('stream.ended')).statusCode).toBe(200);
    const { recordings } = JSON.parse((await call('recordings', 'GET', '/recordings')).body);
    const [{ id }] = recordings;
    const completed = await waitFor(
      'the finalizer has made the file',
      async () => {
        await fromQueue('finalizer', { recording_id: id });
        const { recording } = JSON.parse((await call('recordings', 'GET', `/recording/${id}`)).body);
        return recording.status === 'completed' ? recording : undefined;
      },
      { withinMs: 60_000, everyMs: 100 },
    );
    expect(completed).toMatchObject({ file_path: 'recordings/packed.mp4', duration: 6 });
    const { report } = JSON.parse((await call('playback', 'GET', `/recording/${id}/report`)).body);
    expect(report.complete).toBe(true);
  });

  it('the dashboard has its page and everything that the page names', async () => {
    const page = await call('dashboard', 'GET', '/');
    expect(page.statusCode).toBe(200);
    const html = page.isBase64Encoded ? Buffer.from(page.body, 'base64').toString('utf8') : page.body;
    const assets = Array.from(html.matchAll(/\/assets\/[^"]+/g), ([path]) => path);
    expect(assets.length).toBeGreaterThanOrEqual(4);
    for (const path of assets) {
      const { statusCode } = (await invoke(bundleOf('dashboard'), env, {
        ...httpEvent('GET', path),
        pathParameters: { file: path.slice('/assets/'.length) },
      })) as { statusCode: number };
      expect([path, statusCode]).toEqual([path, 200]);
    }
  });

  it('the poller makes the tables of an empty database, and of one that has the specified table', async () => {
    const { db, config, logger } = harness.context;
    const specified = `CREATE TYPE recording_status AS ENUM ('recording', 'processing', 'completed', 'failed');
      CREATE TABLE recordings (id UUID PRIMARY KEY DEFAULT gen_random_uuid(), stream_id UUID, video_id UUID, file_path TEXT NOT NULL,
        duration INT DEFAULT 0, file_size BIGINT DEFAULT 0, status recording_status DEFAULT 'recording',
        started_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, completed_at TIMESTAMP);
      CREATE INDEX idx_recordings_stream_id ON recordings(stream_id);
      INSERT INTO recordings (file_path, status) VALUES ('recordings/old.mp4', 'completed')`;
    for (const [name, sql] of Object.entries({ empty_db: 'SELECT 1', old_db: specified })) {
      // A schema of its own is a database of its own to whoever looks only there.
      await db.query(`CREATE SCHEMA ${name}`);
      const options = { DB_SESSION_OPTIONS: `-c TimeZone=UTC -c search_path=${name}` };
      const other = openDatabase({ ...config, ...options }, logger);
      await other.query(sql);
      const pollerEnv = { ...env, ...options, STREAM_SERVICE_URL: 'http://127.0.0.1:9', MONITOR_INTERVAL: '1s' };
      expect(await invoke(bundleOf('poller'), pollerEnv, {}, 8000)).toMatchObject({ ticks: expect.any(Number) });
      const { rows } = await other.query<{ file_path: string }>(
        'SELECT file_path, stream_key, attempts FROM recordings',
      );
      expect(rows.map((row) => row.file_path)).toEqual(name === 'old_db' ? ['recordings/old.mp4'] : []);
      await other.end();
    }
  });
});
