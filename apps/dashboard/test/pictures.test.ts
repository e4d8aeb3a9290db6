import { mkdir, stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { launchBrowser } from '@vm-sync/testkit/browser';
import { expect, test } from 'vitest';
import { startBench } from './setup.ts';
import { STATES } from './states.ts';

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
      await page.goto(bench.dashboard.url);
      const pictures = [
        `${FOLDER}status-page-${colorScheme}.png`,
        `${FOLDER}gap-map-${colorScheme}.png`,
      ];
      await page.screenshot({ path: pictures[0] });
      await page.locator('#gap-map').screenshot({ path: pictures[1] });
      for (const picture of pictures) expect((await stat(picture)).size).toBeLessThan(150_000);
    }
    await browser.close();
  },
  60_000,
);
