// An entry of its own (@vm-sync/testkit/browser): playwright's types need the DOM's, other tests do not.
/// <reference lib="dom" preserve="true" />
import { type Browser, chromium, type Page } from 'playwright-core';
import { programPath } from './binaries.ts';

/** Debian's Chromium without a window; it asks nothing of the network by itself. `loopbackHost` is a name of this machine. */
export async function launchBrowser(loopbackHost?: string): Promise<Browser> {
  return await chromium.launch({
    executablePath: programPath('chromium'),
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      ...(loopbackHost === undefined
        ? []
        : [`--host-resolver-rules=MAP ${loopbackHost} 127.0.0.1`]),
    ],
  });
}

/** Sets `pwned` in a page where somebody's text is taken for script, and asks a stranger for something. */
export const hostileScript = 'pwned=1;fetch("//evil.example/x")';

/** What hostile texts left in an open page: that `hostileScript` ran, elements made of a text, links that are script. */
export const tracesOfScript = (page: Page): Promise<string[]> =>
  page.evaluate(() => {
    // The board keeps its settings in a script element of JSON, and has a base.
    const inline = 'script:not([src], [type="application/json"])';
    const made = `${inline}, [src="x"], [onerror], [onload], [onclick], iframe, object, embed, base:not([href="/queues/"]), meta[http-equiv]`;
    const links = [...document.querySelectorAll('a')];
    return [
      ...('pwned' in globalThis ? ['a script ran'] : []),
      ...[...document.querySelectorAll(made)].map(({ outerHTML }) => outerHTML),
      ...links.filter(({ protocol }) => !/^(?:https?:|)$/.test(protocol)).map(({ href }) => href),
    ];
  });
