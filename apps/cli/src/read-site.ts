import { SITES, type Site } from '@vm-sync/core';

/** What `--site` names. */
export function readSite(text: string): Site {
  const site = SITES.find((one) => one === text);
  if (site) return site;
  throw new Error(`--site: expected primary or dr, got ${JSON.stringify(text)}`);
}
