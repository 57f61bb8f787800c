/**
 * Chromium for tests of the dashboard: a page that remembers every error it logs. Where there is no Chromium, a line says so,
 * and the tests have nothing to do.
 */
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { chromiumBinary } from '../../support/media/index.ts';

const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--autoplay-policy=no-user-gesture-required',
];

/** Undefined where no Chromium is installed. */
export async function launch(): Promise<Browser | undefined> {
  const executablePath = await chromiumBinary();
  if (executablePath) return chromium.launch({ executablePath, args: ARGS });
  console.log('No Chromium is installed: the dashboard is not tested in a browser.');
  return undefined;
}

export interface Opened {
  readonly page: Page;
  /** What went wrong in the page: errors, warnings of the console, broken promises. */
  readonly problems: string[];
  close(): Promise<void>;
}

export async function open(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<Opened> {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 900 },
    reducedMotion: 'reduce',
    acceptDownloads: true,
    ...options,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const problems: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') {
      problems.push(`${message.type()}: ${message.text()} (${message.location().url})`);
    }
  });
  page.on('pageerror', (error) => problems.push(`exception: ${error.message}`));
  await page.goto(url);
  return { page, problems, close: () => context.close() };
}

interface Playing {
  readonly currentTime: number;
  readonly duration: number;
  readonly frames: number;
  readonly width: number;
  readonly paused: boolean;
  /** Where it began to play, however long ago that was; null until it does. */
  readonly playedFrom: number | null;
}

/** What the page's video does. */
export function playing(page: Page): Promise<Playing> {
  return page.$eval('video', (element) => {
    const video = element as unknown as {
      currentTime: number;
      duration: number;
      videoWidth: number;
      paused: boolean;
      played: { length: number; start(at: number): number };
      getVideoPlaybackQuality(): { totalVideoFrames: number };
    };
    return {
      currentTime: video.currentTime,
      duration: video.duration,
      frames: video.getVideoPlaybackQuality().totalVideoFrames,
      width: video.videoWidth,
      paused: video.paused,
      playedFrom: video.played.length > 0 ? video.played.start(0) : null,
    };
  });
}
