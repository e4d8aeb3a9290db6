/// <reference lib="dom" />
import { join } from 'node:path';
import { openQueue } from '@vm-sync/queue';
import { launchBrowser } from '@vm-sync/testkit/browser';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { inaccessible, watchPage } from './look.ts';
import { type Bench, readyStatus, startBench, stopClock } from './setup.ts';

/** Over plain HTTP browsers trust loopback addresses more than names: they then tell where a request comes from. */
const NAME = 'vm-sync.example';
const login = { user: 'anna', password: 'three in the morning' };
const viewer = { user: 'guest', password: 'only looking' };

type Browser = Awaited<ReturnType<typeof launchBrowser>>;
let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser(NAME);
}, 60_000);
afterAll(() => browser.close());

const LOOKS = [
  { colorScheme: 'light', width: 400 },
  { colorScheme: 'dark', width: 1400 },
] as const;

type Look = (typeof LOOKS)[number];

/** A browser of its own, and what it complains of and asks for. */
async function openBrowser({ colorScheme, width }: Look = LOOKS[0]) {
  const context = await browser.newContext({ colorScheme, viewport: { width, height: 800 } });
  onTestFinished(() => context.close());
  const page = await context.newPage();
  return { context, page, ...watchPage(page) };
}

type Page = Awaited<ReturnType<typeof openBrowser>>['page'];

/** As people do who leave the mouse alone. */
async function logIn(page: Page, { user, password }: typeof login): Promise<void> {
  await page.getByLabel('User').fill(user);
  await page.keyboard.press('Tab');
  await page.keyboard.type(password);
  await page.keyboard.press('Enter');
}

async function keepShot(page: Page, name: string, { colorScheme, width }: Look): Promise<void> {
  const folder = process.env['SHOTS'];
  if (folder === undefined) return;
  await page.screenshot({ path: join(folder, `${name}-${colorScheme}-${width}.png`) });
}

const isTooWide = (page: Page): Promise<boolean> =>
  page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);

const byName = ({ dashboard }: Bench): string => dashboard.url.replace('127.0.0.1', NAME);

async function startReadyBench(): Promise<Bench> {
  const bench = await startBench({ login, settings: { viewer } });
  await bench.store.saveStatus(readyStatus());
  return bench;
}

test('to the page that was asked for by the login, and out by the button', async () => {
  const bench = await startReadyBench();
  for (const look of LOOKS) {
    const { page, complaints, hosts } = await openBrowser(look);
    const url = look.width === 400 ? byName(bench) : bench.dashboard.url;
    await page.goto(`${url}/?from=mail`);
    await page.getByLabel('Password').waitFor();
    expect(await page.title()).toBe('Log in · vm-sync dr');
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('user');
    expect(await isTooWide(page)).toBe(false);
    expect(await inaccessible(page)).toEqual([]);
    await keepShot(page, 'login', look);
    await logIn(page, login);
    await page.getByText('anna (operator)').waitFor();
    expect(page.url()).toBe(`${url}/?from=mail`);
    expect(await isTooWide(page)).toBe(false);
    await keepShot(page, 'logged-in', look);
    await page.goto(`${url}/queues`);
    await page.getByText('No workers').first().waitFor();
    await page.goto(url);
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.getByLabel('Password').waitFor();
    await page.goto(url);
    await page.waitForURL(`${url}/login`);
    expect(complaints.filter((text) => !text.includes('fonts.googleapis.com'))).toEqual([]);
    hosts.delete('fonts.googleapis.com'); // Bull Board's wish, which the policy refuses
    expect([...hosts]).toEqual([new URL(url).host]);
  }
}, 90_000);

test('a wrong password is told, and after some of them the wait', async () => {
  const bench = await startReadyBench();
  stopClock();
  const { page } = await openBrowser();
  await page.goto(bench.dashboard.url);
  for (let n = 0; n < 5; n += 1) {
    await logIn(page, { ...login, password: `guess ${n}` });
    await page.getByRole('alert').getByText('Wrong user or password').waitFor();
    await page.goto(`${bench.dashboard.url}/login`);
  }
  await logIn(page, login);
  await page
    .getByRole('alert')
    .getByText('Too many wrong passwords from your address: try again in 2 s.')
    .waitFor();
  expect(await page.getByLabel('User').inputValue()).toBe('anna');
  await keepShot(page, 'login-wait', LOOKS[0]);
}, 90_000);

test('an open page becomes the login page when the session ends', async () => {
  const bench = await startReadyBench();
  const { page, context } = await openBrowser();
  await page.goto(bench.dashboard.url);
  await logIn(page, login);
  await page.getByText('anna (operator)').waitFor();
  await context.clearCookies();
  await page.getByLabel('Password').waitFor({ timeout: 20_000 });
  await logIn(page, login);
  await page.getByText('anna (operator)').waitFor();
}, 90_000);

test('viewers see all and change nothing, also by the board', async () => {
  const bench = await startReadyBench();
  const repairs = openQueue('repairs', { url: bench.redis.url });
  onTestFinished(() => repairs.close());
  const { page } = await openBrowser(LOOKS[1]);
  await page.goto(bench.dashboard.url);
  await logIn(page, viewer);
  await page.getByText('guest (viewer)').waitFor();
  const statuses = await page.evaluate(async () => {
    const write = async (method: string, path: string) => (await fetch(path, { method })).status;
    return [await write('POST', '/api/pause'), await write('PUT', '/queues/api/queues/pause')];
  });
  expect(statuses).toEqual([403, 403]);
  expect(await repairs.isPaused()).toBe(false);
}, 90_000);

test("another site's page can lead here, but not act", async () => {
  const bench = await startReadyBench();
  const repairs = openQueue('repairs', { url: bench.redis.url });
  onTestFinished(() => repairs.close());
  for (const url of [bench.dashboard.url, byName(bench)]) {
    const { page } = await openBrowser();
    await page.goto(url);
    await logIn(page, login);
    await page.getByText('anna (operator)').waitFor();
    await page.route('http://elsewhere.example/', (route) =>
      route.fulfill({
        contentType: 'text/html',
        body: `<a href="${url}/?from=chat">status</a><form method="post" action="${url}/api/pause"><button>pause</button></form>`,
      }),
    );
    await page.goto('http://elsewhere.example/');
    await page.getByRole('button', { name: 'pause' }).click();
    await page.getByText('this request comes from another web site').waitFor();
    expect(await repairs.isPaused()).toBe(false);
    await page.goto('http://elsewhere.example/');
    await page.getByRole('link', { name: 'status' }).click();
    await page.getByText('anna (operator)').waitFor();
    expect(page.url()).toBe(`${url}/?from=chat`);
  }
}, 90_000);
