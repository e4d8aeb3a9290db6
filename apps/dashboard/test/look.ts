/// <reference lib="dom" />
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
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

/** Gathers what a page complains of and which hosts it asks; what is expected is no complaint. */
export function watchPage(page: Page, isExpected: (text: string) => boolean = () => false) {
  const complaints: string[] = [];
  const hosts = new Set<string>();
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error' && !isExpected(message.text())) complaints.push(message.text());
  });
  page.on('request', (request) => hosts.add(new URL(request.url()).host));
  return { complaints, hosts };
}

/** Opens a page. The board asks for a font of Google's, which the policy refuses. */
export async function openPage(browser: Browser, url: string, { scheme, width }: Look) {
  const page = await browser.newPage({ colorScheme: scheme, viewport: { width, height: 900 } });
  onTestFinished(() => page.close());
  const seen = watchPage(page, (text) => text.includes('fonts.googleapis.com'));
  await page.goto(url);
  return { page, ...seen };
}

export type Page = Awaited<ReturnType<Browser['newPage']>>;

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

/** What axe finds wrong, each with where. Its source is put into the page beside the policy, which only tests may. */
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export async function inaccessible(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  return await page.evaluate(async () => {
    const axe = (globalThis as unknown as { axe: typeof import('axe-core') }).axe;
    const { violations } = await axe.run(document);
    return violations.flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`),
    );
  });
}
