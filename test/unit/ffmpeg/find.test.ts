import { chmod, mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FfmpegMissing, FfmpegNotExecutable } from '../../../lib/ffmpeg/errors.ts';
import { findFfmpeg } from '../../../lib/ffmpeg/find.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'find-'));
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

const nothing = () => Promise.reject(new Error('not installed'));

async function binary(name: string, version: string, mode = 0o755): Promise<string> {
  const path = join(dir, name);
  await mkdir(join(path, '..'), { recursive: true });
  await writeFile(path, `#!/bin/sh\necho "ffmpeg version ${version} Copyright"\n`);
  await chmod(path, mode);
  return path;
}

describe('findFfmpeg', () => {
  it('takes FFMPEG_PATH before every other place', async () => {
    const named = await binary('named', '9.1-named');
    const layerPath = await binary('layer', '9.2-layer');
    const found = await findFfmpeg({ env: { FFMPEG_PATH: named, PATH: dir }, layerPath, load: nothing });
    expect(found).toEqual({ path: named, version: '9.1-named', source: 'FFMPEG_PATH' });
  });

  it('does not silently replace an FFMPEG_PATH that cannot be run', async () => {
    const named = await binary('named', '9', 0o644);
    const layerPath = await binary('layer', '9.2-layer');
    // Root may execute nothing without an x bit either, so the refusal is the same for every user.
    const attempt = findFfmpeg({ env: { FFMPEG_PATH: named }, layerPath, load: nothing });
    await expect(attempt).rejects.toBeInstanceOf(FfmpegNotExecutable);
    expect((await stat(named)).mode & 0o111).toBe(0);
  });

  it('refuses an FFMPEG_PATH that is not ffmpeg', async () => {
    const named = join(dir, 'other');
    await writeFile(named, '#!/bin/sh\necho hello\n', { mode: 0o755 });
    await expect(findFfmpeg({ env: { FFMPEG_PATH: named } })).rejects.toBeInstanceOf(FfmpegNotExecutable);
  });

  it('takes the layer, then ffmpeg-static, then @ffmpeg-installer, then PATH', async () => {
    const layerPath = await binary('layer', '1');
    const fromStatic = await binary('static', '2');
    const fromInstaller = await binary('installer', '3');
    await binary('ffmpeg', '4');
    const packages: Record<string, unknown> = {
      'ffmpeg-static': { default: fromStatic },
      '@ffmpeg-installer/ffmpeg': { default: { path: fromInstaller } },
    };
    const load = (name: string) => (name in packages ? Promise.resolve(packages[name]) : nothing());
    const options = { env: { PATH: dir }, layerPath, load };
    expect((await findFfmpeg(options)).source).toBe(layerPath);
    await rm(layerPath);
    expect((await findFfmpeg(options)).source).toBe('ffmpeg-static');
    packages['ffmpeg-static'] = { default: null };
    expect((await findFfmpeg(options)).source).toBe('@ffmpeg-installer/ffmpeg');
    packages['ffmpeg-static'] = { default: join(dir, 'was-not-downloaded') };
    expect((await findFfmpeg(options)).source).toBe('@ffmpeg-installer/ffmpeg');
    delete packages['@ffmpeg-installer/ffmpeg'];
    expect(await findFfmpeg(options)).toEqual({ path: join(dir, 'ffmpeg'), version: '4', source: 'PATH' });
  });

  it('sets a missing x bit on a binary from a package', async () => {
    const layerPath = await binary('layer', '7', 0o644);
    expect((await findFfmpeg({ env: {}, layerPath, load: nothing })).version).toBe('7');
    expect((await stat(layerPath)).mode & 0o111).not.toBe(0);
  });

  it('names all places when there is no ffmpeg', async () => {
    const missing = await findFfmpeg({ env: { PATH: dir }, layerPath: '/nowhere/ffmpeg', load: nothing }).catch(
      (error: unknown) => error,
    );
    expect(missing).toBeInstanceOf(FfmpegMissing);
    expect(String(missing)).toMatch(/FFMPEG_PATH.*\/nowhere\/ffmpeg.*ffmpeg-static.*@ffmpeg-installer\/ffmpeg.*PATH/);
  });

  it('finds the binary this repository is tested with', async () => {
    expect((await findFfmpeg()).version).not.toBe('');
  });
});
