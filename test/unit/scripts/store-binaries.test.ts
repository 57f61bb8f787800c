/** Where the binaries of real S3 servers are looked for, and what a build of them does when it cannot be done. */
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildStore, findStoreBinary, STORES } from '../../../scripts/store-binaries.ts';

let home: string;
let env: Record<string, string>;
const cache = () => join(home, '.cache/recording-service/bin');
const cached = () => join(cache(), `minio-${STORES.minio.version}`);

async function program(path: string, text = 'exit 0'): Promise<string> {
  await mkdir(join(path, '..'), { recursive: true });
  await writeFile(path, `#!/bin/sh\n${text}\n`);
  await chmod(path, 0o755);
  return path;
}

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'store-binaries-'));
  env = { HOME: home, PATH: `${join(home, 'bin')}:/usr/bin:/bin` };
});
afterEach(() => rm(home, { recursive: true }));

describe('the binary of a store', () => {
  it('is the one its variable names, then the pinned one of the cache, then one on PATH', async () => {
    expect(findStoreBinary('minio', env)).toBeNull();
    const onPath = await program(join(home, 'bin/minio'));
    expect(findStoreBinary('minio', env)).toBe(onPath);
    expect(findStoreBinary('minio', { ...env, XDG_CACHE_HOME: join(home, 'other') })).toBe(onPath);
    await program(cached());
    expect(findStoreBinary('minio', env)).toBe(cached());
    const named = await program(join(home, 'mine'));
    expect(findStoreBinary('minio', { ...env, MINIO_BINARY: named })).toBe(named);
    expect(findStoreBinary('versitygw', { ...env, MINIO_BINARY: named })).toBeNull();
  });

  it('is none where its variable names none: a wrong name is not passed over', async () => {
    await program(cached());
    expect(findStoreBinary('minio', { ...env, MINIO_BINARY: join(home, 'nowhere') })).toBeNull();
  });
});

describe('building one', () => {
  it('asks Go for the pinned version and leaves nothing but the binary', async () => {
    await program(join(home, 'bin/go'), 'echo "$1 $2" > "$GOBIN/minio"');
    expect(await buildStore('minio', 10_000, env)).toEqual({ kind: 'built', path: cached() });
    expect(await readdir(cache())).toEqual([`minio-${STORES.minio.version}`]);
  });

  it('that fails says so in a line', async () => {
    await program(join(home, 'bin/go'), 'echo downloading >&2; echo "no such module" >&2; exit 1');
    const why = 'its build failed: no such module';
    expect(await buildStore('minio', 10_000, env)).toEqual({ kind: 'not-built', why });
    expect(await readdir(cache())).toEqual([]);
  });

  it('ends at its deadline with everything that it started', async () => {
    await program(join(home, 'bin/go'), `(sleep 60; touch ${home}/compiled) & wait`);
    const outcome = await buildStore('minio', 300, env);
    expect(outcome).toMatchObject({ kind: 'not-built', why: expect.stringContaining('was not done after') });
  });

  it('needs Go', async () => {
    expect(await buildStore('minio', 10_000, { ...env, PATH: join(home, 'bin') })).toMatchObject({ kind: 'not-built' });
  });
});
