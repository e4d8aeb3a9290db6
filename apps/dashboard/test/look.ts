/// <reference lib="dom" />
import { join } from 'node:path';
import type { launchBrowser } from '@vm-sync/testkit/browser';
import { onTestFinished } from 'vitest';

export type Browser = Awaited<ReturnType<typeof launchBrowser>>;

export interface Look {
  readonly scheme: 'light' | 'dark';
  readonly width: number;
}

export const LOOKS: Look[] = [
  { scheme: 'light', width: 1400 },
  { scheme: 'dark', width: 1400 },
  { scheme: 'light', width: 400 },
  { scheme: 'dark', width: 400 },
];

/** Opens a page and gathers what it complains of. The board asks for a font of Google's, which the policy refuses. */
export async function openPage(browser: Browser, url: string, { scheme, width }: Look) {
  const page = await browser.newPage({ colorScheme: scheme, viewport: { width, height: 900 } });
  onTestFinished(() => page.close());
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => {
    const expected = message.text().includes('fonts.googleapis.com');
    if (message.type() === 'error' && !expected) complaints.push(message.text());
  });
  const hosts = new Set<string>();
  page.on('request', (request) => hosts.add(new URL(request.url()).host));
  await page.goto(url);
  return { page, complaints, hosts };
}

export type Page = Awaited<ReturnType<typeof openPage>>['page'];

/** With SHOTS=<folder> the pages can be looked at; `part` for the board, which overlays itself on a long page. */
export async function keepShot(
  page: Page,
  name: string,
  { scheme, width }: Look,
  extent: 'whole' | 'part' = 'whole',
): Promise<void> {
  const folder = process.env['SHOTS'];
  if (folder === undefined) return;
  const path = join(folder, `${name}-${scheme}-${width}.png`);
  await page.screenshot({ path, fullPage: extent === 'whole' });
}
