// An entry of its own (@vm-sync/testkit/browser): playwright's types need the DOM's, other tests do not.
/// <reference lib="dom" preserve="true" />
import { type Browser, chromium } from 'playwright-core';
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
