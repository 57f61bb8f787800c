/** The dashboard for whoever runs the service: what needs a look, why, what to do, and trying again from there. */
import { randomUUID } from 'node:crypto';
import type { Browser, Page } from 'playwright-core';
import type { RecordingContext } from '../../../lib/recordings/context.ts';
import { buildWeb } from '../../../scripts/build-web.ts';
import type { RunningServer } from '../../support/http.ts';
import { type Hls, makeHls } from '../../support/media/index.ts';
import { finishedRecording, type LiveRecording, put, startRecording } from '../../support/recorded.ts';
import { type Harness, startHarness } from '../../support/service-harness.ts';
import { waitFor } from '../../support/wait.ts';
import { launch, open } from './browser.ts';
import { serve } from './serve.ts';

let browser: Browser | undefined;
let harness: Harness;
let context: RecordingContext;
let server: RunningServer;
let hls: Hls;
let gaps: LiveRecording;
let failed: LiveRecording;

beforeAll(async () => {
  browser = await launch();
  if (!browser) return;
  [harness, hls] = await Promise.all([
    startHarness(),
    makeHls({ seconds: 8, segmentSeconds: 2, fps: '25', width: 320, height: 180, audio: [{ codec: 'aac' }] }),
    buildWeb(),
  ]);
  context = harness.variant({ PUBLIC_URL_BASE: `http://${harness.env.MINIO_ENDPOINT}` });
  server = await serve(context);
  gaps = await finishedRecording(harness, hls, [1]);
  failed = await startRecording(harness, hls);
  await failed.end();
});
afterAll(async () => {
  await browser?.close();
  await server?.close();
  await harness?.stop();
});

async function inPage(path: string, test: (page: Page) => Promise<void>, clean = true): Promise<void> {
  if (!browser) return;
  const { page, problems, close } = await open(browser, `${server.url}${path}`);
  try {
    await test(page);
    if (clean) expect(problems).toEqual([]);
  } finally {
    await close();
  }
}

const cardOf = (page: Page, { id }: LiveRecording) => page.locator(`a[href="/?recording=${id}"]`);
const until = (what: string, look: () => Promise<boolean>) => waitFor(what, look, { withinMs: 20_000, everyMs: 100 });

describe('the list', () => {
  it('says which recordings need a look, and why', async () => {
    await inPage('/', async (page) => {
      await page.waitForSelector('.card-note:not([hidden])');
      expect(await cardOf(page, failed).locator('.card-note').textContent()).toBe('No segments arrived');
      expect(await cardOf(page, gaps).locator('.card-note').textContent()).toBe('1 segment missing');
      expect(await page.locator('.chip', { hasText: 'Failed' }).locator('.chip-count').textContent()).toBe('1');
    });
  });

  it('tells a live stream that has gone silent', async () => {
    if (!browser) return;
    const silent = await startRecording(harness, hls);
    await context.db.query(`UPDATE recordings SET created_at = now() - interval '2 minutes' WHERE id = $1`, [
      silent.id,
    ]);
    await inPage('/', async (page) => {
      await until('it is told', async () => {
        const text = await cardOf(page, silent).locator('.card-note').textContent();
        return text === 'No segment has come for a minute';
      });
      expect(await page.title()).toBe('(1 live) Recordings');
    });
    await context.db.query('DELETE FROM recordings WHERE id = $1', [silent.id]);
  });

  it('finds the recordings of a stream by its id, or how it begins', async () => {
    await inPage('/', async (page) => {
      await page.waitForSelector('.card');
      const field = page.getByRole('searchbox', { name: /^Stream id/ });
      for (const text of [gaps.streamId, gaps.streamId.slice(0, 8).toUpperCase()]) {
        await field.fill(text);
        await until('one is left', async () => (await page.locator('.card').count()) === 1);
        expect(await cardOf(page, gaps).count()).toBe(1);
      }
      await field.fill('nothing');
      expect(await field.getAttribute('aria-invalid')).toBe('true');
      await field.fill(randomUUID());
      await page.getByRole('heading', { name: 'Nothing matches' }).waitFor();
      await page.getByRole('button', { name: 'Clear', exact: true }).click();
      await until('all are back', async () => (await page.locator('.card').count()) === 2);
      expect(await field.inputValue()).toBe('');
    });
  });
});

describe('a recording that failed', () => {
  it('says what happened and what to do, without an empty player', async () => {
    await inPage(`/?recording=${failed.id}`, async (page) => {
      await page.getByRole('heading', { name: 'No segments arrived' }).waitFor();
      expect(await page.locator('.trouble').textContent()).toMatch(/\(NO_SEGMENTS\).*Check that the packager/);
      expect(await page.locator('video').isVisible()).toBe(false);
      expect(await page.getByRole('heading', { name: 'Clips' }).isVisible()).toBe(false);
    });
  });

  it('shows the command where this browser may not try again', async () => {
    await inPage(
      `/?recording=${failed.id}`,
      async (page) => {
        const refusal = { status: 401, json: { error: 'The signature is missing' } };
        await page.route('**/retry', (route) => route.fulfill(refusal));
        await page.getByRole('button', { name: 'Try again' }).click();
        await page.getByText('The signature is missing').waitFor();
        expect(await page.locator('.trouble .command').textContent()).toBe(
          `curl -X POST ${server.url}/recording/${failed.id}/retry`,
        );
      },
      false,
    );
  });

  it('is tried again from its page, and plays when its segments are there', async () => {
    await inPage(`/?recording=${failed.id}`, async (page) => {
      await page.getByRole('heading', { name: 'No segments arrived' }).waitFor();
      // Nobody is told of them: the first one that is captured would complete it by itself.
      await put(harness, failed.streamKey, hls.segments);
      await page.getByRole('button', { name: 'Try again' }).click();
      await until('it is asked for', async () => (await failed.row()).status !== 'failed');
      await harness.drain();
      await page.getByRole('link', { name: /^Download/ }).waitFor();
      expect(await page.locator('.trouble').isVisible()).toBe(false);
      expect(await page.locator('.pill').first().textContent()).toBe('Completed');
    });
  });
});

describe('a finished recording', () => {
  it('hands out its sound alone', async () => {
    await inPage(`/?recording=${gaps.id}`, async (page) => {
      const button = page.getByRole('button', { name: 'Audio (M4A)' });
      const [download] = await Promise.all([page.waitForEvent('download'), button.click()]);
      expect(download.suggestedFilename()).toMatch(/\.m4a$/);
    });
  });

  it('gives its ids and addresses to other programs', async () => {
    await inPage(`/?recording=${gaps.id}`, async (page) => {
      await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
      await page.getByRole('button', { name: 'Copy the address of the playlist' }).click();
      const copied = await page.evaluate('navigator.clipboard.readText()');
      expect(copied).toBe(`${server.url}/recording/${gaps.id}/index.m3u8`);
      await page.getByRole('link', { name: gaps.streamId }).click();
      await until('its stream is shown', async () => (await page.locator('.card').count()) === 1);
    });
  });
});

describe('the API', () => {
  it('is one step from the dashboard, and back, with a clean console', async () => {
    await inPage('/', async (page) => {
      await page.getByRole('link', { name: 'API' }).click();
      await page.getByRole('heading', { name: 'Recording Service: API' }).waitFor();
      const list = page.locator('#get_recordings');
      await list.locator('summary').click();
      await list.getByText('the Link header has the next page').waitFor();
      await page.getByRole('link', { name: 'Recordings' }).first().click();
      await page.waitForSelector('.card');
    });
  });
});
