/** The uploader between a folder and the embedded S3: what goes up, in which order, and what never does. */
import { execFile } from 'node:child_process';
import { link, mkdir, mkdtemp, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { readConfig } from '../../../lib/platform/config.ts';
import { StorageRefused, StorageUnavailable } from '../../../lib/storage/errors.ts';
import type { ObjectStore } from '../../../lib/storage/object-store.ts';
import { createS3Client, S3ObjectStore } from '../../../lib/storage/s3-object-store.ts';
import { type RunningS3, startS3 } from '../../../localstack/s3.ts';
import { ffmpeg } from '../../support/media/index.ts';
import { waitFor } from '../../support/wait.ts';
import { BUCKET, Fixture, noting } from './fixture.ts';

let dataDir: string;
let server: RunningS3;
let store: ObjectStore;
let fixture: Fixture;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'upload-store-'));
  server = await startS3({ dataDir, port: 0, fast: true, buckets: [BUCKET] });
  store = new S3ObjectStore(createS3Client(readConfig({ MINIO_ENDPOINT: `127.0.0.1:${server.port}` })));
});
afterAll(async () => {
  await server.stop();
  await rm(dataDir, { recursive: true, force: true });
});
beforeEach(async () => {
  fixture = await Fixture.open(store);
});
afterEach(async () => {
  await fixture.close();
  const { objects } = await store.list(BUCKET, '');
  await store.remove(
    BUCKET,
    objects.map(({ key }) => key),
  );
});

const stored = async (key: string) => Buffer.from((await store.get(BUCKET, key, 5000)).bytes).toString('utf8');
/** A look has passed: whatever was to be seen at its beginning has been seen. */
async function lookPassed(): Promise<void> {
  const mark = `mark${Math.random().toString(36).slice(2)}`;
  await fixture.write(`${mark}/0.ts`, 'x');
  await fixture.playlist(`${mark}/index.m3u8`, ['0.ts']);
  await fixture.waitForKeys([`${mark}/index.m3u8`]);
}

describe('what a server writes', () => {
  it('goes up segment before playlist, and not before a playlist names it', async () => {
    await fixture.start();
    for (let n = 0; n < 5; n += 1) {
      await fixture.write(`abc/${n}.ts`, `half of ${n}`);
      await lookPassed();
      expect(fixture.keys).not.toContain(`abc/${n}.ts`);
      await fixture.write(`abc/${n}.ts`, `whole of ${n}`);
      await fixture.playlist(
        'abc/index.m3u8',
        Array.from({ length: n + 1 }, (_, index) => `${index}.ts`),
        n === 4 ? '#EXT-X-ENDLIST\n' : '',
      );
      await fixture.waitForKeys([`abc/${n}.ts`]);
    }
    await waitFor('the closed playlist', async () => (await stored('abc/index.m3u8')).includes('ENDLIST'), {
      withinMs: 10_000,
    });
    for (const [at, { key, text }] of fixture.puts.entries()) {
      if (key !== 'abc/index.m3u8') continue;
      const named = [...text.matchAll(/^\d+\.ts$/gm)].map(([name]) => `abc/${name}`);
      const before = fixture.puts.slice(0, at).map((put) => put.key);
      expect(before).toEqual(expect.arrayContaining(named));
    }
    for (let n = 0; n < 5; n += 1) expect(await stored(`abc/${n}.ts`)).toBe(`whole of ${n}`);
    const { mtimeMs } = await stat(join(fixture.root, 'abc/0.ts'));
    expect((await store.get(BUCKET, 'abc/0.ts', 5000)).writtenAtMs).toBe(Math.floor(mtimeMs));
    expect(fixture.keys.filter((key) => key.startsWith('abc/') && key.endsWith('.ts'))).toHaveLength(5);
  });

  it('may lie flat, or in variants, many streams at once', async () => {
    await fixture.start();
    await fixture.write('key1-0.ts', 'a');
    await fixture.playlist('key1.m3u8', ['key1-0.ts']);
    await fixture.write('key20.ts', 'b');
    await fixture.playlist('key2.m3u8', ['key20.ts']);
    await fixture.write('key3/720p/0.ts', 'c');
    await fixture.playlist('key3/720p/index.m3u8', ['0.ts']);
    await fixture.playlist('key3/master.m3u8', []);
    for (let n = 0; n < 20; n += 1) {
      await fixture.write(`many-${n}/0.ts`, `${n}`);
      await fixture.playlist(`many-${n}/index.m3u8`, ['0.ts']);
    }
    await fixture.waitForKeys(['key1/key1-0.ts', 'key1/key1.m3u8', 'key2/key20.ts', 'key2/key2.m3u8']);
    await fixture.waitForKeys(['key3/720p/0.ts', 'key3/720p/index.m3u8', 'many-0/0.ts', 'many-19/index.m3u8']);
  });

  it('needs no playlist', async () => {
    await fixture.start({ idleMs: 1500 });
    await fixture.write('abc/2026-11-27_18-00-00-000001.ts', 'one');
    await fixture.write('abc/2026-11-27_18-00-02-000001.ts', 'two');
    await fixture.waitForKeys(['abc/2026-11-27_18-00-00-000001.ts', 'abc/2026-11-27_18-00-02-000001.ts']);
    expect(fixture.keys[0]).toBe('abc/2026-11-27_18-00-00-000001.ts');
  });

  it('is written again under its name after an encoder restarts, and goes up again when it is complete', async () => {
    await fixture.start();
    await fixture.write('abc/0.ts', 'first');
    await fixture.playlist('abc/index.m3u8', ['0.ts']);
    await fixture.waitForKeys(['abc/0.ts', 'abc/index.m3u8']);
    await fixture.write('abc/0.ts', 'second, half');
    await lookPassed();
    expect(await stored('abc/0.ts')).toBe('first');
    await fixture.write('abc/0.ts', 'second, whole');
    await fixture.playlist('abc/index.m3u8', ['0.ts']);
    await waitFor('the second writing', async () => (await stored('abc/0.ts')) === 'second, whole', {
      withinMs: 10_000,
    });
    // The store has it before its answer has come, and with that it is noted.
    const uploads = () => fixture.keys.filter((key) => key === 'abc/0.ts');
    await waitFor('the answer to it', () => uploads().length >= 2 || undefined, { withinMs: 10_000 });
    expect(uploads()).toHaveLength(2);
  });

  it('is what ffmpeg writes: byte for byte, a window that deletes included', async () => {
    await fixture.start();
    await mkdir(join(fixture.root, 'live'));
    const copy = join(fixture.root, '.copy');
    await mkdir(copy);
    const source = ['-f', 'lavfi', '-i', 'testsrc2=size=160x90:rate=25', '-t', '8', '-c:v', 'libx264', '-g', '25'];
    const hls = ['-f', 'hls', '-hls_time', '1', '-hls_list_size', '3', '-hls_flags', 'delete_segments'];
    // The same twice: one into the folder, with its window, one to compare with.
    await ffmpeg(['-v', 'error', '-re', ...source, ...hls, join(fixture.root, 'live/index.m3u8')]);
    await ffmpeg([
      '-v',
      'error',
      ...source,
      '-f',
      'hls',
      '-hls_time',
      '1',
      '-hls_list_size',
      '0',
      join(copy, 'index.m3u8'),
    ]);
    await waitFor('the closed playlist', async () => (await stored('live/index.m3u8')).includes('ENDLIST'), {
      withinMs: 10_000,
    });
    const { stdout } = await promisify(execFile)('sh', ['-c', 'md5sum *.ts'], { cwd: copy });
    const { objects } = await store.list(BUCKET, 'live/');
    const etags = objects.filter(({ key }) => key.endsWith('.ts')).map(({ key, etag }) => `${etag}  ${key.slice(5)}`);
    expect(etags).toEqual(stdout.trim().split('\n'));
  }, 60_000);
});

describe('a store that is away', () => {
  it('is waited for, and everything goes up in order when it is back', async () => {
    await fixture.start();
    await fixture.write('abc/0.ts', '0');
    await fixture.playlist('abc/index.m3u8', ['0.ts']);
    await fixture.waitForKeys(['abc/index.m3u8']);
    await server.stop();
    for (const n of [1, 2, 3]) {
      await fixture.write(`abc/${n}.ts`, `${n}`);
      await fixture.playlist('abc/index.m3u8', ['0.ts', '1.ts', '2.ts', '3.ts'].slice(0, n + 1));
    }
    await fixture.waitForLine('Upload failed; the files stay and are tried again');
    server = await startS3({ dataDir, port: server.port, fast: true, buckets: [BUCKET] });
    await fixture.waitForKeys(['abc/3.ts']);
    await waitFor('the playlist', async () => (await stored('abc/index.m3u8')).includes('3.ts'), { withinMs: 10_000 });
    expect(fixture.keys.filter((key) => key.endsWith('.ts'))).toEqual(['abc/0.ts', 'abc/1.ts', 'abc/2.ts', 'abc/3.ts']);
    await fixture.waitForLine('The store takes files again');
  });

  it('costs what the server deletes meanwhile, which is said, and nothing else', async () => {
    let isAway = true;
    const away = async () => {
      if (isAway) throw new StorageUnavailable('away');
    };
    await fixture.start({ store: noting(store, fixture.puts, away) });
    await fixture.write('abc/0.ts', '0');
    await fixture.write('abc/1.ts', '1');
    await fixture.playlist('abc/index.m3u8', ['0.ts', '1.ts']);
    await fixture.waitForLine('Upload failed');
    await rm(join(fixture.root, 'abc/0.ts'));
    isAway = false;
    await fixture.waitForKeys(['abc/1.ts', 'abc/index.m3u8']);
    await fixture.waitForLine('Lost: 0.ts is in the playlist, but was deleted before it was uploaded');
  });

  it('for one stream, or never answering it, keeps no other from its bucket', async () => {
    const stuck = new Promise<void>(() => {});
    const before = async (key: string) => {
      if (key.startsWith('failing/')) throw new StorageUnavailable('failing');
      if (key.startsWith('waiting/'))
        await Promise.race([stuck, until(() => fixture.keys.includes('good/index.m3u8'))]);
      if (key === 'refused/0.ts') throw new StorageRefused('never');
    };
    await fixture.start({ store: noting(store, fixture.puts, before) });
    for (const key of ['failing', 'waiting', 'refused', 'good']) {
      await fixture.write(`${key}/0.ts`, key);
      await fixture.playlist(`${key}/index.m3u8`, ['0.ts']);
    }
    await fixture.waitForKeys(['good/0.ts', 'good/index.m3u8', 'refused/index.m3u8', 'waiting/index.m3u8']);
    expect(fixture.keys.some((key) => key.startsWith('failing/'))).toBe(false);
    await fixture.waitForLine('Not uploaded: 0.ts is refused');
  });
});

const until = (condition: () => boolean) =>
  waitFor('a condition', () => condition() || undefined, { withinMs: 20_000 }).then(() => undefined);

describe('a restart', () => {
  const write = async () => {
    for (const n of [0, 1]) await fixture.write(`abc/${n}.ts`, `${n}`);
    await fixture.playlist('abc/index.m3u8', ['0.ts', '1.ts']);
  };
  const added = async () => {
    await fixture.write('abc/2.ts', '2');
    await fixture.playlist('abc/index.m3u8', ['0.ts', '1.ts', '2.ts']);
  };

  it('uploads what came meanwhile, and nothing again', async () => {
    await write();
    const first = await fixture.start();
    await fixture.waitForKeys(['abc/index.m3u8']);
    await first.stop();
    fixture.puts.length = 0;
    await added();
    await fixture.start();
    await fixture.waitForKeys(['abc/index.m3u8']);
    await lookPassed();
    expect(fixture.keys.filter((key) => key.startsWith('abc/'))).toEqual(['abc/2.ts', 'abc/index.m3u8']);
  });

  it('without its list asks the store what is there', async () => {
    await write();
    const first = await fixture.start();
    await fixture.waitForKeys(['abc/index.m3u8']);
    await first.stop();
    // As after a crash: torn in the middle of a line.
    await writeFile(join(fixture.root, '.uploaded.jsonl'), '{"version":1,"sinceMs":0}\n{"key":"abc/0.ts","si');
    fixture.puts.length = 0;
    await added();
    await fixture.start();
    await fixture.waitForKeys(['abc/index.m3u8']);
    expect(fixture.keys.filter((key) => key.endsWith('.ts'))).toEqual(['abc/2.ts']);
  });

  it('that is the first start leaves earlier broadcasts alone, unless it is told otherwise', async () => {
    await write();
    const before = new Date(Date.now() - 3_600_000);
    for (const name of ['0.ts', '1.ts', 'index.m3u8']) await utimes(join(fixture.root, 'abc', name), before, before);
    const first = await fixture.start();
    await fixture.waitForLine('2 segments are older than this uploader');
    await lookPassed();
    expect(fixture.keys.filter((key) => key.startsWith('abc/'))).toEqual([]);
    await first.stop();
    await fixture.start({ all: true });
    await fixture.waitForKeys(['abc/0.ts', 'abc/1.ts', 'abc/index.m3u8']);
  });
});

describe('an object whose file has gone', () => {
  it('stays, or is deleted after the time that was asked for', async () => {
    await fixture.start({ deleteAfterMs: 200 });
    await fixture.write('abc/0.ts', '0');
    await fixture.playlist('abc/index.m3u8', ['0.ts']);
    await fixture.waitForKeys(['abc/index.m3u8']);
    await store.put(BUCKET, 'abc/foreign.ts', Buffer.from('not ours'), 'video/mp2t');
    await rm(join(fixture.root, 'abc'), { recursive: true });
    await waitFor('the objects are gone', async () => (await store.list(BUCKET, 'abc/')).objects.length === 1, {
      withinMs: 10_000,
    });
    expect(await stored('abc/foreign.ts')).toBe('not ours');
  });
});

describe('what is no segment of a stream', () => {
  it('is never uploaded: links, pipes, foreign names, paths in playlists', async () => {
    await fixture.write('.secret', 'secret');
    await fixture.write('.elsewhere/9.ts', 'secret');
    await fixture.write('abc/0.ts', '0');
    await symlink(join(fixture.root, '.secret'), join(fixture.root, 'abc/1.ts'));
    await symlink(join(fixture.root, '.elsewhere'), join(fixture.root, 'linked'));
    await symlink(join(fixture.root, '.elsewhere'), join(fixture.root, 'abc/variant'));
    await promisify(execFile)('mkfifo', [join(fixture.root, 'abc/2.ts')]);
    await fixture.write('a b/0.ts', '0');
    await fixture.write('abc/deep/er/0.ts', '0');
    await fixture.write('abc/notes.txt', '0');
    await link(join(fixture.root, '.secret'), join(fixture.root, 'abc/.3.ts'));
    await fixture.start({ idleMs: 50 });
    await fixture.playlist('abc/index.m3u8', [
      '0.ts',
      '1.ts',
      '2.ts',
      '../.secret',
      '..%2f.secret',
      '/etc/passwd',
      '.3.ts',
    ]);
    await fixture.waitForKeys(['abc/index.m3u8']);
    await fixture.waitForLine('it is a link');
    await lookPassed();
    const { objects } = await store.list(BUCKET, '');
    const keys = objects.map(({ key }) => key).filter((key) => !key.startsWith('mark'));
    expect(keys).toEqual(['abc/0.ts', 'abc/index.m3u8']);
  });

  it('and no stream key is written to the log', async () => {
    await fixture.start();
    await fixture.write('streamkey-0.ts', '0');
    await fixture.playlist('streamkey.m3u8', ['streamkey-0.ts']);
    await fixture.write('streamkey/0.ts', '0');
    await fixture.waitForKeys(['streamkey/streamkey.m3u8']);
    await fixture.waitForLine('Uploaded segment: …-0.ts');
    expect(fixture.lines.join('')).not.toContain('streamkey');
  });
});
