import { createReadStream } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { chromiumBinary, makeHls, packets, readClock } from '../../support/media/index.ts';
import { runEngine } from './engine.ts';

const WIDTH = 320;
const HEIGHT = 180;
const SECONDS = 20;
const FPS = 30_000 / 1001;

const executablePath = await chromiumBinary();
if (executablePath === undefined)
  process.stderr.write('no Chromium here: set CHROMIUM_PATH to run the browser tests\n');
const inChromium = executablePath === undefined ? describe.skip : describe;

inChromium('Chromium', () => {
  let dir: string;
  let server: Server;
  let browser: Browser;
  let page: Page;
  let begins = 0;
  const ranges: string[] = [];

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'browser-'));
    const hls = await makeHls({ seconds: SECONDS, segmentSeconds: 2, bframes: 2, fps: '30000/1001', gopSeconds: 2 });
    const { path } = await runEngine(dir, [{ segments: hls.segments, perPart: [2, 1, 3] }]);
    const [picture] = await packets(path);
    // The sound begins first.
    begins = (picture?.packets[0]?.pts ?? 0) / 90_000;
    server = createServer((request, response) => {
      if (request.url === '/recording.mp4') {
        ranges.push(request.headers.range ?? 'all');
        void sendRange(path, request.headers.range, response);
      } else
        response
          .writeHead(200, { 'content-type': 'text/html' })
          .end('<video id="v" muted src="/recording.mp4"></video>');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const quiet = ['background-networking', 'component-update', 'sync', 'gpu', 'quic'].map(
      (what) => `--disable-${what}`,
    );
    // An own user data directory: playwright makes and removes one for each launch.
    browser = await chromium.launch({
      headless: true,
      ...(executablePath === undefined ? {} : { executablePath }),
      args: ['--no-sandbox', '--no-first-run', '--autoplay-policy=no-user-gesture-required', ...quiet],
    });
    page = await browser.newPage();
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('the server has no port');
    await page.goto(`http://127.0.0.1:${address.port}/`);
  });

  afterAll(async () => {
    await browser?.close();
    server?.closeAllConnections();
    await new Promise((resolve) => server?.close(resolve));
    await rm(dir, { recursive: true, force: true });
  });

  it('plays the recording from its beginning', async () => {
    const played = await page.evaluate<Played>(PLAY);
    expect(played).toEqual({ duration: expect.any(Number), width: WIDTH, height: HEIGHT, error: undefined });
    expect(Math.abs(played.duration - SECONDS * 1.001)).toBeLessThan(0.1);
  });

  it('seeks to ten random places and shows the frame of each', async () => {
    // Places are drawn anew in every run; the message names the one that failed. Aimed at the middle of a frame.
    const frames = Array.from({ length: 10 }, () => Math.floor(Math.random() * (SECONDS * 30 - 2)));
    const shown: { wanted: number; frame: number | undefined }[] = [];
    for (const wanted of frames) {
      const pixels = await page.evaluate<number[]>(pixelsAt(begins + (wanted + 0.5) / FPS));
      shown.push({ wanted, frame: readClock(Uint8Array.from(pixels), WIDTH, HEIGHT) });
    }
    expect(shown).toEqual(frames.map((wanted) => ({ wanted, frame: wanted })));
  });

  it('asks for ranges, which the head in front makes possible', () => {
    expect(ranges.some((range) => /^bytes=[1-9]/.test(range))).toBe(true);
  });
});

interface Played {
  readonly duration: number;
  readonly width: number;
  readonly height: number;
  readonly error: string | undefined;
}

/** Scripts of the page, as text: the types of a browser are not those of this repository. */
const PLAY = `(async () => {
  const video = document.querySelector('video');
  const next = (event) => new Promise((resolve) => video.addEventListener(event, resolve, { once: true }));
  if (video.readyState < 1) await next('loadedmetadata');
  await video.play();
  while (video.currentTime < 1) await next('timeupdate');
  video.pause();
  return { duration: video.duration, width: video.videoWidth, height: video.videoHeight, error: video.error?.message };
})()`;

/** Seeks, waits for the picture, and answers with the RGBA rows the clock is in. */
function pixelsAt(seconds: number): string {
  return `(async () => {
    const video = document.querySelector('video');
    const seeked = new Promise((resolve) => video.addEventListener('seeked', resolve, { once: true }));
    video.currentTime = ${seconds};
    await seeked;
    const canvas = document.createElement('canvas');
    canvas.width = ${WIDTH};
    canvas.height = ${HEIGHT};
    const context = canvas.getContext('2d');
    context.drawImage(video, 0, 0);
    return [...context.getImageData(0, 0, ${WIDTH}, ${Math.ceil(HEIGHT / 9)}).data];
  })()`;
}

/** Less than was asked for at a time, so that a seek needs a request of its own. */
const MOST_BYTES = 160 * 1024;

async function sendRange(path: string, range: string | undefined, response: ServerResponse): Promise<void> {
  const { size } = await stat(path);
  const [, first = '0', last = ''] = /^bytes=(\d+)-(\d*)$/.exec(range ?? '') ?? [];
  const start = Number(first);
  const end = Math.min(
    last === '' ? size - 1 : Number(last),
    size - 1,
    range === undefined ? size : start + MOST_BYTES - 1,
  );
  const headers = { 'content-type': 'video/mp4', 'accept-ranges': 'bytes', 'content-length': end - start + 1 };
  if (range === undefined) response.writeHead(200, headers);
  else response.writeHead(206, { ...headers, 'content-range': `bytes ${start}-${end}/${size}` });
  createReadStream(path, { start, end })
    .on('error', () => response.destroy())
    .pipe(response);
}
