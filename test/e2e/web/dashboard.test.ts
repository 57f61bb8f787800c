/** The dashboard in a real Chromium: finding, watching and clipping recordings, by mouse and by keys. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { Browser, Page } from 'playwright-core';
import { streamWebhookBody } from '../../../lib/recordings/api-schemas.ts';
import type { RecordingContext } from '../../../lib/recordings/context.ts';
import { makePosters } from '../../../lib/recordings/poster.ts';
import { removeStaging } from '../../../lib/recordings/remove-staging.ts';
import { hashFiles } from '../../../lib/recordings/report-hash.ts';
import { buildWeb } from '../../../scripts/build-web.ts';
import type { RunningServer } from '../../support/http.ts';
import { fullDecode, type Hls, makeHls } from '../../support/media/index.ts';
import { finishedRecording, type LiveRecording, startRecording } from '../../support/recorded.ts';
import { type Harness, startHarness } from '../../support/service-harness.ts';
import { waitFor } from '../../support/wait.ts';
import { launch, type Opened, open, playing } from './browser.ts';
import { serve } from './serve.ts';

let browser: Browser | undefined;
let harness: Harness;
let context: RecordingContext;
let server: RunningServer;
let hls: Hls;

beforeAll(async () => {
  browser = await launch();
  if (!browser) return;
  [harness, hls] = await Promise.all([
    startHarness(),
    makeHls({
      seconds: 24,
      segmentSeconds: 2,
      fps: '25',
      bframes: 2,
      width: 640,
      height: 360,
      audio: [{ codec: 'aac' }],
    }),
    buildWeb(),
  ]);
  context = harness.variant({ PUBLIC_URL_BASE: `http://${harness.env.MINIO_ENDPOINT}` });
  server = await serve(context);
});
afterAll(async () => {
  await browser?.close();
  await server?.close();
  await harness?.stop();
});

/** A test in a page of its own, whose console has to stay clean. */
function inBrowser(title: string, path: () => string, test: (page: Page, opened: Opened) => Promise<void>): void {
  it(title, async () => {
    if (!browser) return;
    const opened = await open(browser, `${server.url}${path()}`);
    try {
      await test(opened.page, opened);
      expect(opened.problems).toEqual([]);
    } finally {
      await opened.close();
    }
  });
}

async function drawPictures(): Promise<void> {
  await context.segments.updateDurations(new Date());
  await makePosters(context, 30_000);
}

const until = (what: string, look: () => Promise<boolean>) => waitFor(what, look, { withinMs: 20_000, everyMs: 100 });

/** Plays for a while: time goes on and pictures are decoded. */
async function expectToPlay(page: Page, fromAtMost: number): Promise<void> {
  const start = (await playing(page)).currentTime;
  await until('the video plays', async () => {
    const now = await playing(page);
    return now.currentTime > start + 1 && now.frames > 15;
  });
  expect((await playing(page)).playedFrom).toBeLessThanOrEqual(fromAtMost);
  expect((await playing(page)).width).toBe(640);
}

describe('the list', () => {
  let finished: LiveRecording | undefined;
  let live: LiveRecording | undefined;
  beforeAll(async () => {
    if (!browser) return;
    finished = await finishedRecording(harness, hls);
    live = await startRecording(harness, hls);
    await live.upload(0, 1, 2);
    await drawPictures();
  });

  inBrowser(
    'shows recordings with their pictures, states and lengths',
    () => '/',
    async (page) => {
      await page.waitForSelector('.card');
      expect(await page.locator('.card').count()).toBe(2);
      expect(await page.locator('.summary').textContent()).toBe('2 recordings · 1 live');
      const first = page.locator('.card').first();
      expect(await first.locator('.pill').textContent()).toBe('Live');
      expect(await page.locator('.card').last().locator('.card-duration').textContent()).toBe('0:24');
      await page.waitForSelector('.card-picture img.there');
    },
  );

  inBrowser(
    'shows what becomes of a recording without being loaded anew',
    () => '/',
    async (page) => {
      await page.waitForSelector('.card');
      await page.evaluate('window.stays = true');
      await live?.upload(3, 4);
      await context.segments.updateDurations(new Date());
      await until('the length grows', async () => {
        const text = await page.locator('.card').first().locator('.card-duration').textContent();
        return Number(text?.split(':')[1]) >= 10;
      });
      const another = await startRecording(harness, hls);
      await until('the new recording is there', async () => (await page.locator('.card').count()) === 3);
      await another.upload(0);
      await another.end();
      await until('it is completed', async () => {
        const texts = await page.locator('.card .pill').allTextContents();
        return texts.filter((text) => text === 'Completed').length === 2;
      });
      expect(await page.evaluate('window.stays')).toBe(true);
    },
  );

  inBrowser(
    'is filtered by state and day, keeps that in the address, and says where nothing matches',
    () => '/',
    async (page) => {
      await page.waitForSelector('.card');
      await page.getByRole('radio', { name: 'Live', exact: true }).check();
      await until('one is left', async () => (await page.locator('.card').count()) === 1);
      expect(new URL(page.url()).search).toBe('?status=recording');
      await page.getByRole('radio', { name: 'Failed' }).check();
      await page.waitForSelector('.empty:not([hidden])');
      expect(await page.locator('.empty h2').textContent()).toBe('Nothing matches');
      await page.getByRole('button', { name: 'Clear the filter' }).click();
      await page.waitForSelector('.card');
      expect(new URL(page.url()).search).toBe('');
      await page.getByLabel('To', { exact: true }).fill('2020-01-01');
      await page.waitForSelector('.empty:not([hidden])');
      await page.reload();
      await page.waitForSelector('.empty:not([hidden])');
      expect(await page.getByLabel('To', { exact: true }).inputValue()).toBe('2020-01-01');
    },
  );

  it('says that the service does not answer, keeps what it has, and goes on when it does again', async () => {
    if (!browser || !finished) return;
    const { page, close } = await open(browser, `${server.url}/`);
    await page.waitForSelector('.card');
    await page.route('**/recordings?*', (route) => route.abort());
    await page.waitForSelector('.banner:not([hidden])');
    expect(await page.locator('.banner').textContent()).toMatch(/does not answer/);
    expect(await page.locator('.card').count()).toBeGreaterThan(0);
    await page.unroute('**/recordings?*');
    await page.getByRole('button', { name: 'Try now' }).click();
    await page.waitForSelector('.banner', { state: 'hidden' });
    await close();
  });

  it('shows that it loads, and what to expect where there is nothing yet', async () => {
    if (!browser) return;
    const { page, problems, close } = await open(browser, 'about:blank');
    let answer: (() => void) | undefined;
    const asked = new Promise<void>((resolve) => {
      answer = resolve;
    });
    await page.route('**/recordings?*', async (route) => {
      await asked;
      await route.fulfill({ json: { recordings: [] } });
    });
    await page.goto(`${server.url}/`);
    await page.getByRole('status', { name: 'Loading recordings' }).waitFor();
    answer?.();
    await page.getByRole('heading', { name: 'No recordings yet' }).waitFor();
    // How to get one, ready to be copied.
    expect(await page.locator('.command').first().textContent()).toBe(`PORT=${server.port} npm run demo`);
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await page.getByRole('button', { name: 'Copy the command' }).last().click();
    const copied = String(await page.evaluate('navigator.clipboard.readText()'));
    expect(copied).toContain(`curl -X POST ${server.url}/webhook/stream`);
    const [, body = ''] = /-d '(.+)'$/.exec(copied) ?? [];
    expect(streamWebhookBody.safeParse(JSON.parse(body)).success).toBe(true);
    expect(problems).toEqual([]);
    await close();
  });
});

describe("a recording's page", () => {
  let whole: LiveRecording | undefined;
  let broken: LiveRecording | undefined;
  beforeAll(async () => {
    if (!browser) return;
    whole = await finishedRecording(harness, hls);
    broken = await finishedRecording(harness, hls, [4, 5, 9]);
    await removeStaging({ ...context, config: { ...context.config, LATE_SEGMENT_WINDOW: 0 } });
    await hashFiles(context, 10_000);
    await drawPictures();
  });

  inBrowser(
    'plays from the start, coming from the list',
    () => '/',
    async (page) => {
      await page.locator(`a[href="/?recording=${whole?.id}"]`).click();
      await page.getByRole('button', { name: 'Play', exact: true }).first().click();
      await expectToPlay(page, 0.5);
      expect((await playing(page)).duration).toBeCloseTo(24, 0);
      await page.goBack();
      await page.waitForSelector('.card');
    },
  );

  it('plays by a tap on a phone', async () => {
    if (!browser) return;
    const phone = { viewport: { width: 360, height: 760 }, hasTouch: true, isMobile: true };
    const { page, problems, close } = await open(browser, `${server.url}/?recording=${whole?.id}`, phone);
    await page.getByRole('button', { name: 'Play', exact: true }).first().tap();
    await expectToPlay(page, 0.5);
    expect(problems).toEqual([]);
    await close();
  });

  inBrowser(
    'plays from a time that the address names, and seeks with the mouse',
    () => `/?recording=${whole?.id}&t=12`,
    async (page) => {
      await until('it is at its time', async () => (await playing(page)).currentTime > 11.5);
      const bar = page.getByRole('slider', { name: 'Position' });
      const box = await bar.boundingBox();
      await bar.hover({ position: { x: (box?.width ?? 0) / 4, y: 10 } });
      await page.waitForSelector('.preview:not([hidden]) .preview-picture:not([hidden])');
      expect(await page.locator('.preview-time').textContent()).toMatch(/^0:0[56]$/);
      await bar.click({ position: { x: (box?.width ?? 0) / 4, y: 10 } });
      await until('it has gone there', async () => Math.abs((await playing(page)).currentTime - 6) < 0.5);
    },
  );

  inBrowser(
    'shows what is missing in its place, in figures and in words',
    () => `/?recording=${broken?.id}`,
    async (page) => {
      await page.waitForSelector('.block.gap');
      expect(await page.locator('.block.gap').count()).toBe(2);
      expect(await page.locator('.block.media').count()).toBe(3);
      expect(await page.locator('.legend').textContent()).toBe('9 segments · 3 missing · 3 stretches');
      expect(await page.locator('.verdict strong').textContent()).toBe('3 segments missing');
      await page.locator('summary', { hasText: 'Gaps' }).click();
      await page.getByRole('button', { name: 'Go to 0:08' }).click();
      await until('it is shortly before the gap', async () => Math.abs((await playing(page)).currentTime - 6) < 0.5);
      expect(await page.locator('.hash').textContent()).toMatch(/^[0-9a-f]{10}…[0-9a-f]{8}$/);
    },
  );

  inBrowser(
    'cuts a clip that can be downloaded and plays',
    () => `/?recording=${whole?.id}`,
    async (page) => {
      // The page is there before all of it listens.
      await until('the form says what is wrong', async () => {
        await page.getByRole('textbox', { name: 'Start' }).fill('0:05');
        await page.getByRole('textbox', { name: 'End' }).fill('3');
        await page.getByRole('button', { name: 'Create clip' }).click();
        return /later than the start/.test((await page.locator('.field-problem').textContent()) ?? '');
      });
      await page.getByRole('textbox', { name: 'End' }).fill('0:11.5');
      await page.getByRole('textbox', { name: 'Title' }).fill('A goal');
      await page.getByRole('button', { name: 'Create clip' }).click();
      const link = page.getByRole('link', { name: /^Download A goal/ });
      await link.waitFor();
      const [download] = await Promise.all([page.waitForEvent('download'), link.click()]);
      expect(download.suggestedFilename()).toBe('A goal.mp4');
      const path = await download.path();
      await fullDecode(path);
    },
  );

  inBrowser(
    'can be used by keys alone',
    () => '/',
    async (page) => {
      await page.waitForSelector('.card');
      await page.keyboard.press('Tab');
      expect(await page.evaluate('document.activeElement.textContent')).toBe('Skip to content');
      const card = page.locator(`a[href="/?recording=${whole?.id}"]`);
      await until('the card has the focus', async () => {
        await page.keyboard.press('Tab');
        return card.evaluate((element) => {
          const one = element as unknown as { ownerDocument: { activeElement: unknown } };
          return one.ownerDocument.activeElement === one;
        });
      });
      await page.keyboard.press('Enter');
      await page.getByRole('slider', { name: 'Position' }).waitFor();
      expect(await page.evaluate('document.activeElement.id')).toBe('main');
      await until('it can play', async () => (await playing(page)).duration > 20);
      await page.keyboard.press('k');
      await expectToPlay(page, 1);
      await page.keyboard.press('k');
      await until('it is paused', async () => (await playing(page)).paused);
      await page.getByRole('slider', { name: 'Position' }).focus();
      const before = (await playing(page)).currentTime;
      await page.keyboard.press('ArrowRight');
      await until('it is 5 s later', async () => Math.abs((await playing(page)).currentTime - before - 5) < 0.3);
      await page.keyboard.press('Home');
      await until('it is at its start', async () => (await playing(page)).currentTime < 0.1);
      expect(await page.getByRole('slider').getAttribute('aria-valuetext')).toMatch(/^0 seconds of 24 seconds$/);
      await page.keyboard.press('Tab');
      expect(await page.evaluate('document.activeElement.getAttribute("aria-label")')).toBe('Play');
    },
  );

  inBrowser(
    'of a running recording plays from its start, grows, and is finished before one’s eyes',
    () => '/',
    async (page) => {
      const live = await startRecording(harness, hls);
      await page.goto(`${server.url}/?recording=${live.id}`);
      await page.getByText('Waiting for the first segment').waitFor();
      await live.upload(0, 1, 2);
      await until('it can play', async () => (await playing(page)).duration > 5);
      await page.getByRole('button', { name: 'Play', exact: true }).first().click();
      await expectToPlay(page, 0.5);
      await live.upload(3, 4, 5);
      await until('there is more to play', async () => (await playing(page)).duration > 11);
      await page.getByRole('button', { name: 'Go to live' }).click();
      await until('it is near the end', async () => (await playing(page)).currentTime > 7.5);
      await live.upload(6);
      await live.end();
      await page.getByRole('link', { name: /^Download/ }).waitFor();
      expect(await page.locator('.pill').first().textContent()).toBe('Completed');
      await until('it plays on to its end', async () => (await playing(page)).currentTime > 12.5);
    },
  );

  inBrowser(
    'of a recording that failed plays what was captured, and says what went wrong',
    () => '/',
    async (page) => {
      const failed = await startRecording(harness, hls);
      await failed.upload(0, 1, 2);
      await context.db.query(
        `UPDATE recordings SET status = 'failed', failure_code = 'FFMPEG_FAILED', failure_message = 'ffmpeg ended badly', completed_at = now() WHERE id = $1`,
        [failed.id],
      );
      await page.goto(`${server.url}/?recording=${failed.id}`);
      await page.getByText(/ffmpeg ended badly/).waitFor();
      await page.getByRole('button', { name: 'Play', exact: true }).first().click();
      await expectToPlay(page, 0.5);
    },
  );

  it('says that there is no such recording', async () => {
    if (!browser) return;
    const { page, close } = await open(browser, `${server.url}/?recording=3f2a5b7e-0000-4000-8000-000000000000`);
    await page.getByRole('heading', { name: 'No such recording' }).waitFor();
    await page.getByRole('link', { name: 'All recordings' }).click();
    await page.waitForSelector('.card');
    await close();
  });
});

describe('the pages', () => {
  const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
  let id: string | undefined;
  beforeAll(async () => {
    if (browser) id = (await finishedRecording(harness, hls, [3])).id;
  });

  it.each([
    ['the list', 'light', 1280],
    ['the list', 'dark', 390],
    ['a recording', 'light', 390],
    ['a recording', 'dark', 1280],
    ['the API', 'light', 1280],
    ['the API', 'dark', 360],
  ] as const)(
    'have nothing in the way of people with screen readers or weak eyes: %s, %s, %d px',
    async (what, colorScheme, width) => {
      if (!browser) return;
      const path = { 'the list': '/', 'a recording': `/?recording=${id}`, 'the API': '/docs' }[what];
      const viewport = { width, height: 800 };
      // The policy of /docs lets no script run, this one neither.
      const options = { colorScheme, viewport, bypassCSP: true };
      const { page, problems, close } = await open(browser, `${server.url}${path}`, options);
      await page.waitForSelector({ 'the list': '.card', 'a recording': '.verdict', 'the API': 'details' }[what]);
      expect(problems).toEqual([]);
      await page.evaluate(await readFile(axe, 'utf8'));
      const found = (await page.evaluate('axe.run()')) as {
        violations: Array<{ id: string; nodes: Array<{ html: string }> }>;
      };
      expect(found.violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.html).join(' ')}`)).toEqual([]);
      // Nothing sticks out at the side.
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
      await close();
    },
  );

  it('run no script and no style that is not a file of their own', async () => {
    if (!browser) return;
    const answer = await fetch(`${server.url}/`);
    const policy = answer.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toContain('unsafe');
    expect(await answer.text()).not.toMatch(/<script(?![^>]*\ssrc=)|\son\w+=|style=/);
  });
});
