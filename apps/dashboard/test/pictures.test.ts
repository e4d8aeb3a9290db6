import { mkdir, stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { launchBrowser } from '@vm-sync/testkit/browser';
import { expect, test } from 'vitest';
import { startBench } from './setup.ts';
import { STATES, slowDown } from './states.ts';

const FOLDER = fileURLToPath(new URL('../../../docs/pictures/', import.meta.url));

/** Takes the pictures of the README anew: `npx --yes pnpm@12.21.0 pictures`. */
test.runIf(process.env['PICTURES'] !== undefined)(
  'pictures of the status page and the gap map',
  async () => {
    const bench = await startBench();
    await STATES['repairing']?.(bench);
    const browser = await launchBrowser();
    await mkdir(FOLDER, { recursive: true });
    for (const colorScheme of ['light', 'dark'] as const) {
      const viewport = { width: 1_100, height: 1_000 };
      const page = await browser.newPage({ colorScheme, viewport });
      await slowDown(bench.redis.url);
      await page.goto(bench.dashboard.url);
      const whole = `${FOLDER}status-page-${colorScheme}.png`;
      const map = `${FOLDER}gap-map-${colorScheme}.png`;
      await page.screenshot({ path: whole });
      const box = await page.locator('#gap-map').boundingBox();
      if (!box) throw new Error('the gap map is not to be seen');
      const around = { x: 0, y: box.y - 16, width: 1_100, height: box.height + 32 };
      await page.screenshot({ path: map, clip: around, fullPage: true });
      for (const picture of [whole, map]) expect((await stat(picture)).size).toBeLessThan(150_000);
    }
    await browser.close();
  },
  60_000,
);
