/** The encoding packager with a real ffmpeg: what it pushes is what ffmpeg finished, for a test picture and for files. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parse } from 'hls-parser';
import { ffmpegBinary } from '../../support/media/index.ts';
import type { PackagerStore } from '../../support/packager.ts';
import { openStreamInput } from '../../support/packager-file.ts';
import { type LiveSource, startLivePackager } from '../../support/packager-live.ts';

const run = promisify(execFile);

class MemoryStore implements PackagerStore {
  readonly objects = new Map<string, Uint8Array | string>();
  readonly log: string[] = [];

  async put(name: string, body: Uint8Array | string): Promise<void> {
    this.objects.set(name, body);
    this.log.push(name);
  }

  async remove(name: string): Promise<void> {
    this.log.push(`-${name}`);
  }
}

let folder: string;
let ffmpegPath: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'live-packager-'));
  ffmpegPath = (await ffmpegBinary()).path;
});
afterAll(() => rm(folder, { recursive: true }));

async function pushed(source: LiveSource, name: string) {
  const store = new MemoryStore();
  const into = join(folder, name);
  const live = startLivePackager({ ffmpegPath, source, folder: into, store, speed: 1000, deleteBehind: 2 });
  await live.done;
  return { store, live };
}

/** As ffmpeg names them: some packaged builds of ffprobe crash on transport streams. */
async function codecs(path: string): Promise<string[]> {
  const { stderr } = await run(ffmpegPath, ['-hide_banner', '-i', path, '-c', 'copy', '-f', 'null', '-']);
  return [...new Set([...stderr.matchAll(/: (?:Video|Audio): (\w+)/g)].map(([, codec]) => codec ?? ''))].sort();
}

/** A little film in a container and with codecs of our choice. */
async function film(name: string, options: string[]): Promise<string> {
  const path = join(folder, name);
  const inputs = ['-f', 'lavfi', '-i', 'testsrc=size=161x91:rate=25', '-f', 'lavfi', '-i', 'sine'];
  await run(ffmpegPath, ['-v', 'error', '-y', ...inputs, '-t', '3', ...options, path]);
  return path;
}

describe('a packager that encodes a test picture', () => {
  it('pushes every finished segment before the playlist that lists it, deletes behind, and closes the playlist', async () => {
    const { store, live } = await pushed({ kind: 'test', seconds: 6, size: '160x90' }, 'test');
    expect(store.log).toEqual([
      ...['segment_000.ts', 'index.m3u8', 'segment_001.ts', 'index.m3u8'],
      ...['segment_002.ts', 'index.m3u8', '-segment_000.ts', 'index.m3u8'],
    ]);
    const playlist = parse(String(store.objects.get('index.m3u8')));
    expect(playlist).toMatchObject({ endlist: true, segments: [{ uri: 'segment_000.ts', duration: 2 }, {}, {}] });
    for (const segment of live.segments) {
      expect(await readFile(segment.path)).toEqual(store.objects.get(segment.path.split('/').at(-1) ?? ''));
    }
    expect(await codecs(live.segments[0]?.path ?? '')).toEqual(['aac', 'h264']);
  });

  it('stops ffmpeg and uploads nothing more when it is stopped', async () => {
    const store = new MemoryStore();
    const source: LiveSource = { kind: 'test', seconds: 600, size: '160x90' };
    const live = startLivePackager({ ffmpegPath, source, folder: join(folder, 'stopped'), store });
    live.stop();
    await Promise.all([live.ended, live.done]);
    expect(store.log.filter((name) => name.endsWith('.ts'))).toEqual([]);
  });
});

describe('a packager that is given a file', () => {
  it('copies H.264 and AAC as they are', async () => {
    const path = await film('film.mp4', [
      '-c:v',
      'libx264',
      '-pix_fmt',
      'yuv420p',
      '-vf',
      'scale=160:90',
      '-c:a',
      'aac',
    ]);
    const input = await openStreamInput(path, ffmpegPath);
    expect(input).toMatchObject({ kind: 'file', tracks: 'h264, aac', source: { copyVideo: true, copyAudio: true } });
    if (input.kind !== 'file') return;
    expect(input.durationMs).toBeGreaterThan(2900);
    const { live } = await pushed(input.source, 'copied');
    expect(live.segments.length).toBeGreaterThan(0);
  });

  it('transcodes what is neither, an odd picture size too', async () => {
    const path = await film('odd: name.mkv', ['-c:v', 'libvpx-vp9', '-deadline', 'realtime', '-c:a', 'libmp3lame']);
    const input = await openStreamInput(path, ffmpegPath);
    expect(input).toMatchObject({ kind: 'file', tracks: 'vp9 → h264, mp3 → aac' });
    if (input.kind !== 'file') return;
    const { live } = await pushed(input.source, 'transcoded');
    expect(live.segments).toHaveLength(2);
    expect(await codecs(live.segments[0]?.path ?? '')).toEqual(['aac', 'h264']);
  });

  it('takes one that does not say how long it is', async () => {
    const path = await film('browser.webm', ['-c:v', 'libvpx-vp9', '-deadline', 'realtime', '-an', '-live', '1']);
    expect(await openStreamInput(path, ffmpegPath)).toMatchObject({ durationMs: null, tracks: 'vp9 → h264' });
  });

  it('streams sound without a picture', async () => {
    const path = await film('sound.mp3', ['-map', '1:a', '-c:a', 'libmp3lame']);
    const input = await openStreamInput(path, ffmpegPath);
    expect(input).toMatchObject({ kind: 'file', tracks: 'mp3 → aac' });
    if (input.kind !== 'file') return;
    const { live } = await pushed(input.source, 'sound');
    expect(await codecs(live.segments[0]?.path ?? '')).toEqual(['aac']);
  });

  it('fails with the reason of ffmpeg where the file breaks off', async () => {
    const path = join(folder, 'broken.mp4');
    await writeFile(path, 'not a film');
    const source: LiveSource = { kind: 'file', path, copyVideo: true, copyAudio: true };
    await expect(pushed(source, 'broken')).rejects.toMatchObject({
      code: 'STREAM_SOURCE',
      message: /^ffmpeg failed: .+/,
    });
  });
});

describe('a path that cannot be streamed', () => {
  const path = (name: string) => join(folder, name);

  it.each([
    ['is not there', 'no\nsuch "thing"', undefined, /There is no file or directory "/],
    ['is empty', 'empty.mp4', '', /is empty/],
    [
      'is a text',
      'text.txt',
      'Once upon a time there was a text.\n'.repeat(50),
      /no picture or sound|no video or audio/,
    ],
    ['is rubbish', 'rubbish.mp4', '\u0000\u0001\u0002'.repeat(5000), /no video or audio file/],
    ['is a playlist', 'list.m3u8', '#EXTM3U\n', /name the directory/],
    ['is a list of other files', 'list.mp4', 'ffconcat version 1.0\nfile /etc/passwd\n', /no video or audio file/],
  ])('because it %s is refused in one line', async (_, name, text, message) => {
    if (text !== undefined) await writeFile(path(name), text);
    const error: unknown = await openStreamInput(path(name), ffmpegPath).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'STREAM_SOURCE', message: expect.stringMatching(message) });
    expect((error as Error).message).not.toContain('\n');
  });

  it('because it is a still picture is refused', async () => {
    await run(ffmpegPath, [
      '-v',
      'error',
      '-f',
      'lavfi',
      '-i',
      'testsrc=size=64x64',
      '-frames:v',
      '1',
      '-y',
      path('still.png'),
    ]);
    await expect(openStreamInput(path('still.png'), ffmpegPath)).rejects.toThrow(/plays for a time/);
  });

  it('because it is a directory without a stream is refused', async () => {
    await mkdir(path('nothing'));
    await expect(openStreamInput(path('nothing'), ffmpegPath)).rejects.toThrow(/neither \.ts segments nor a playlist/);
  });
});
