/// <reference lib="dom" />

import { connect } from '@vm-sync/queue';
import { launchBrowser } from '@vm-sync/testkit/browser';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import {
  type Browser,
  inaccessible,
  keepShot,
  LOOKS,
  type Look,
  openPage,
  type Page,
} from './look.ts';
import { gapsStatus, readyStatus, startBench } from './setup.ts';
import { STATES } from './states.ts';

/** Generous, for a machine that does other things: at rest it takes less than two seconds. */
const DEADLINE_MS = 15_000;

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
}, 60_000);
afterAll(() => browser.close());

type Locator = ReturnType<Page['locator']>;

const isTooWide = (page: Page): Promise<boolean> =>
  page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);

describe.each(Object.keys(STATES))('the status page, %s', (state) => {
  test('is small, accessible, asks no other host and complains of nothing, in light and dark, wide and narrow', async () => {
    const bench = await startBench();
    await STATES[state]?.(bench);
    const { url } = bench.dashboard;
    const { page, complaints, hosts } = await openPage(browser, url, LOOKS[0] as Look);
    for (const look of LOOKS) {
      await page.emulateMedia({ colorScheme: look.scheme });
      await page.setViewportSize({ width: look.width, height: 900 });
      expect(await isTooWide(page), `too wide for ${look.width}`).toBe(false);
      // Once in each scheme and once in each width.
      const { scheme, width } = look;
      if ((scheme === 'light') === (width === 1400)) {
        expect(await inaccessible(page), `${scheme} ${width}`).toEqual([]);
      }
      await keepShot(page, `status-${state}`, look);
    }
    expect(complaints).toEqual([]);
    expect([...hosts]).toEqual([new URL(url).host]);
    const files = ['page.css', 'actions.css', 'print.css', 'page.js'].map(
      (name) => `/assets/${name}`,
    );
    const parts = ['/', ...files].map(async (path) => {
      return Buffer.byteLength((await bench.get(path)).text);
    });
    const bytes = (await Promise.all(parts)).reduce((sum, size) => sum + size, 0);
    expect(bytes).toBeLessThan(100_000);
  }, 60_000);
});

test('the status page renews itself, and says when it cannot', async () => {
  const bench = await startBench();
  await bench.store.saveStatus(readyStatus());
  const { page } = await openPage(browser, bench.dashboard.url, { scheme: 'light', width: 800 });
  expect(await page.title()).toContain('READY · vm-sync');
  await bench.store.saveStatus(gapsStatus(['a new gap']));
  await page.getByText('a new gap').waitFor({ timeout: 15_000 });
  expect(await page.title()).toContain('NOT READY');
  await bench.redis.kill();
  await page.getByText('Redis does not answer').waitFor({ timeout: 15_000 });
  expect(await page.title()).not.toContain('READY');
  await bench.redis.start();
  await page.getByText('no check has been made yet').waitFor({ timeout: 15_000 });
  await bench.dashboard.close();
  await page.getByText('The dashboard does not answer').waitFor({ timeout: 15_000 });
  expect(await page.title()).toBe('No answer · vm-sync');
}, 90_000);

const topOf = (link: Locator): Promise<number> =>
  link.evaluate((element) => element.getBoundingClientRect().top);

test('an event comes onto the page by itself; focus, scroll, marked text and opened details stay', async () => {
  const bench = await startBench();
  await STATES['repairing']?.(bench);
  const { page, complaints } = await openPage(browser, bench.dashboard.url, {
    scheme: 'light',
    width: 800,
  });
  await page.getByText('The map as a table').click();
  const retry = page.getByRole('link', { name: 'retry them on the board' });
  await retry.focus();
  await page.evaluate(() => {
    getSelection()?.selectAllChildren(document.querySelector('#gap-map h2') as Element);
  });
  const unchanged = await page.waitForResponse((response) => response.status() === 304);
  expect(unchanged.url()).toBe(`${bench.dashboard.url}/`);

  // What stands above becomes shorter: what is looked at stays where it is on the screen.
  const top = await topOf(retry);
  await bench.store.saveStatus(readyStatus());
  await bench.store.addEvent({
    atMs: Date.now(),
    kind: 'x',
    severity: 'info',
    text: 'something has happened',
  });
  await page.getByText('something has happened').waitFor({ timeout: DEADLINE_MS });
  await page.getByRole('heading', { name: 'Failback READY' }).waitFor({ timeout: DEADLINE_MS });
  expect(await page.locator('#spoken').textContent()).toContain('READY · vm-sync');
  const kept = await page.evaluate(() => ({
    focused: document.activeElement?.textContent,
    marked: getSelection()?.toString(),
    isOpen: document.querySelector('details')?.open,
  }));
  expect(kept).toEqual({
    focused: 'retry them on the board',
    marked: 'Gap map',
    isOpen: true,
  });
  expect(Math.abs((await topOf(retry)) - top)).toBeLessThan(2);
  expect(complaints).toEqual([]);
}, 60_000);

test('a hundred open pages cost as much as one', async () => {
  const bench = await startBench();
  await STATES['repairing']?.(bench);
  const asked = async () => {
    const text = await info();
    return Number(/total_commands_processed:(\d+)/.exec(text)?.[1]);
  };
  const client = connect(bench.redis.url, 'brief');
  onTestFinished(() => client.disconnect());
  const info = () => client.info('stats');
  const [first, second] = [await asked(), await bench.get('/').then(asked)];
  const news = { headers: { 'if-none-match': '"none"' } };
  const pages = await Promise.all(Array.from({ length: 100 }, () => bench.get('/', news)));
  // A slow machine may need more than one second for them, and then some more pages.
  expect((await asked()) - second).toBeLessThan(10 * (second - first));
  expect(new Set(pages.map(({ headers }) => headers.get('etag'))).size).toBe(1);
});
