import { expect, onTestFinished, test } from 'vitest';
import { launchBrowser } from '../src/browser.ts';
import { startVictoriaMetrics } from '../src/index.ts';

test('a real browser shows a real page', async () => {
  const vm = await startVictoriaMetrics();
  onTestFinished(() => vm.stop());
  const browser = await launchBrowser();
  onTestFinished(() => browser.close());
  const page = await browser.newPage();
  await page.goto(`${vm.url}/health`);
  expect(await page.evaluate(() => document.body.textContent)).toBe('OK');
}, 30_000);
