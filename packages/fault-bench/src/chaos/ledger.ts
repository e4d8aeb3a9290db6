import type { Site } from '@vm-sync/core';
import { type RawSamples, type Series, seriesKey } from '@vm-sync/testkit';
import type { Disturbance } from './inject.ts';

/** A killed database forgets what it accepted within its last seconds; samples get there up to so much later. */
const FORGOTTEN_MS = 25_000;

/**
 * Holds what a site has at the end against what was sent: no sample that nobody wrote, none with another value, none
 * that was delivered and is gone, but for what a kill or a wipe took.
 */
export function auditSite(
  site: Site,
  held: RawSamples,
  books: { readonly written: readonly Series[]; readonly delivered: readonly Series[] },
  disturbances: readonly Disturbance[],
): string[] {
  const faults: string[] = [];
  const own = disturbances.filter((one) => one.site === site);
  const excused = (atMs: number): boolean =>
    own.some(({ kind, fromMs, toMs }) =>
      kind === 'vm-wiped' ? atMs <= toMs : atMs <= toMs && atMs >= fromMs - FORGOTTEN_MS,
    );
  for (const { labels, timestamps, values } of books.written) {
    const key = seriesKey(labels);
    const valueAt = new Map(timestamps.map((atMs, index) => [atMs, values[index]]));
    const there = held.get(key);
    for (const [index, atMs] of there?.timestamps.entries() ?? []) {
      if (valueAt.get(atMs) !== there?.values[index]) {
        faults.push(`${site} holds a sample that nobody wrote: ${key} at ${atMs}`);
      }
    }
  }
  for (const { labels, timestamps } of books.delivered) {
    const key = seriesKey(labels);
    const there = new Set(held.get(key)?.timestamps);
    for (const atMs of timestamps) {
      if (!there.has(atMs) && !excused(atMs)) {
        faults.push(`${site} has lost a sample that it had accepted: ${key} at ${atMs}`);
      }
    }
  }
  return faults;
}
