import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { FfmpegAborted, FfmpegFailed, FfmpegTimeout, ScratchFull } from '../../../lib/ffmpeg/errors.ts';
import { findFfmpeg } from '../../../lib/ffmpeg/find.ts';
import { hardenedInput, runFfmpeg } from '../../../lib/ffmpeg/run.ts';
import { listen } from '../../support/http.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'run-'));
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

async function script(body: string): Promise<string> {
  const path = join(dir, 'ffmpeg');
  await writeFile(path, `#!/bin/sh\n${body}\n`);
  await chmod(path, 0o755);
  return path;
}

async function failure(work: Promise<unknown>): Promise<unknown> {
  return await work.then(
    () => undefined,
    (error: unknown) => error,
  );
}

describe('runFfmpeg', () => {
  it('reports the exit code and the end of what ffmpeg wrote', async () => {
    const ffmpegPath = await script('echo "Invalid data found" >&2; exit 3');
    const error = await failure(runFfmpeg({ ffmpegPath, args: [], timeoutMs: 10_000 }));
    expect(error).toBeInstanceOf(FfmpegFailed);
    expect(error).toMatchObject({ exitCode: 3, signal: null, stderrTail: 'Invalid data found\n', retryable: false });
  });

  it('calls a binary killed from outside retryable', async () => {
    const ffmpegPath = await script('kill -9 $$');
    const error = await failure(runFfmpeg({ ffmpegPath, args: [], timeoutMs: 10_000 }));
    expect(error).toMatchObject({ code: 'FFMPEG_FAILED', signal: 'SIGKILL', retryable: true });
  });

  it.each(['No space left on device', 'Disk quota exceeded'])('tells a full disk from bad media: %s', async (why) => {
    // Some versions end well nevertheless.
    for (const exit of [0, 1]) {
      const ffmpegPath = await script(`echo "av_interleaved_write_frame(): ${why}" >&2; exit ${exit}`);
      expect(await failure(runFfmpeg({ ffmpegPath, args: [], timeoutMs: 10_000 }))).toBeInstanceOf(ScratchFull);
    }
  });

  it('stops a binary that takes too long', async () => {
    const ffmpegPath = await script('exec sleep 30');
    expect(await failure(runFfmpeg({ ffmpegPath, args: [], timeoutMs: 50 }))).toBeInstanceOf(FfmpegTimeout);
  });

  it('stops when its work is withdrawn, before and after the start', async () => {
    const ffmpegPath = await script('exec sleep 30');
    const controller = new AbortController();
    const running = failure(runFfmpeg({ ffmpegPath, args: [], timeoutMs: 10_000, signal: controller.signal }));
    controller.abort(new Error('time is up'));
    expect(await running).toBeInstanceOf(FfmpegAborted);
    const late = runFfmpeg({ ffmpegPath, args: [], timeoutMs: 10_000, signal: controller.signal });
    expect(await failure(late)).toBeInstanceOf(FfmpegAborted);
  });

  it('passes arguments as they are, without a shell', async () => {
    const ffmpegPath = await script('for a in "$@"; do echo "<$a>" >&2; done');
    const { stderrTail } = await runFfmpeg({ ffmpegPath, args: ["a b'; rm -rf $HOME"], timeoutMs: 10_000 });
    expect(stderrTail).toContain("<a b'; rm -rf $HOME>");
    expect(stderrTail).toContain('<-nostdin>');
  });

  it('keeps only the end of an endless stderr', async () => {
    const ffmpegPath = await script('i=0; while [ $i -lt 3000 ]; do echo "line $i" >&2; i=$((i+1)); done');
    const { stderrTail, warnings } = await runFfmpeg({ ffmpegPath, args: [], timeoutMs: 10_000 });
    expect(stderrTail.length).toBeLessThanOrEqual(8192);
    expect(stderrTail).toContain('line 2999');
    expect(warnings.length).toBeLessThanOrEqual(20);
  });

  it('tells files by their names alone: a folder of scratch space is named by a stream key', async () => {
    const says = 'file:/tmp/my rec/sk_live_9f2c/run-0.ts: corrupt input packet in stream 1';
    const warned = await runFfmpeg({ ffmpegPath: await script(`echo '${says}' >&2`), args: [], timeoutMs: 10_000 });
    expect(warned.warnings.join()).toMatch(/run-0\.ts: corrupt input packet in stream 1$/);
    const ffmpegPath = await script(`echo '${says}' >&2; exit 1`);
    const error = await failure(runFfmpeg({ ffmpegPath, args: [], timeoutMs: 10_000 }));
    expect(inspect([warned, error])).not.toContain('sk_live_9f2c');
  });

  it('does not follow a playlist that takes the place of a segment', async () => {
    const { path } = await findFfmpeg();
    const trap = join(dir, 'run-0.ts');
    await writeFile(trap, '#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nhttp://127.0.0.1:9/x.ts\n#EXT-X-ENDLIST\n');
    const args = [...hardenedInput(trap, 'mpegts'), '-c', 'copy', '-f', 'null', '-'];
    const error = await failure(runFfmpeg({ ffmpegPath: path, args, timeoutMs: 20_000 }));
    expect(error).toBeInstanceOf(FfmpegFailed);
    expect(String((error as FfmpegFailed).stderrTail)).not.toMatch(/127\.0\.0\.1|Connection/);
  });

  describe('over bytes of somebody else', () => {
    let ffmpegPath: string;
    beforeAll(async () => {
      ffmpegPath = (await findFfmpeg()).path;
    });

    const read = (input: readonly string[]) =>
      failure(
        runFfmpeg({ ffmpegPath, args: [...input, '-c', 'copy', '-f', 'null', '-'], cwd: dir, timeoutMs: 20_000 }),
      );

    async function makeMedia(name: string): Promise<string> {
      const path = join(dir, name);
      const args = ['-f', 'lavfi', '-i', 'testsrc=d=1', '-c:v', 'mpeg2video', '-f', 'mpegts', `file:${path}`];
      await runFfmpeg({ ffmpegPath, args, timeoutMs: 20_000 });
      return path;
    }

    it('opens no address that a list names', async () => {
      const asked: unknown[] = [];
      const server = await listen(async (request, response) => {
        asked.push(request.url);
        response.end();
      });
      const list = join(dir, 'segments.txt');
      await writeFile(list, `file '${server.url}/x.ts'\n`);
      const error = await read(hardenedInput(list, 'concat', ['-safe', '0']));
      await server.close();
      expect([error, asked]).toEqual([expect.any(FfmpegFailed), []]);
    });

    it('reads no other format than is named, such as a playlist of other files', async () => {
      await makeMedia('private.ts');
      const list = join(dir, 'segments.txt');
      await writeFile(
        join(dir, 'run-0.ts'),
        `#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nprivate.ts\n#EXT-X-ENDLIST\n`,
      );
      await writeFile(list, "file 'run-0.ts'\n");
      expect(await read(hardenedInput('segments.txt', 'concat', ['-safe', '0']))).toBeInstanceOf(FfmpegFailed);
      await writeFile(list, "file 'private.ts'\n");
      expect(await read(hardenedInput('segments.txt', 'concat', ['-safe', '0']))).toBeUndefined();
    });

    it('takes a file for a file, whatever it is called', async () => {
      const name = 'data:text,x.ts';
      await makeMedia(name);
      expect(await read(hardenedInput(name, 'mpegts'))).toBeUndefined();
    });
  });
});
