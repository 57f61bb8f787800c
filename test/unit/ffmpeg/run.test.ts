import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FfmpegAborted, FfmpegFailed, FfmpegTimeout, ScratchFull } from '../../../lib/ffmpeg/errors.ts';
import { findFfmpeg } from '../../../lib/ffmpeg/find.ts';
import { hardenedInput, runFfmpeg } from '../../../lib/ffmpeg/run.ts';

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

  it('tells a full scratch volume from bad media, even when the exit code is 0', async () => {
    for (const exit of [0, 1]) {
      const ffmpegPath = await script(`echo "av_interleaved_write_frame(): No space left on device" >&2; exit ${exit}`);
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

  it('does not follow a playlist that takes the place of a segment', async () => {
    const { path } = await findFfmpeg();
    const trap = join(dir, 'run-0.ts');
    await writeFile(trap, '#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nhttp://127.0.0.1:9/x.ts\n#EXT-X-ENDLIST\n');
    const args = [...hardenedInput(trap, 'mpegts'), '-c', 'copy', '-f', 'null', '-'];
    const error = await failure(runFfmpeg({ ffmpegPath: path, args, timeoutMs: 20_000 }));
    expect(error).toBeInstanceOf(FfmpegFailed);
    expect(String((error as FfmpegFailed).stderrTail)).not.toMatch(/127\.0\.0\.1|Connection/);
  });
});
