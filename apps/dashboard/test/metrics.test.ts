import { expect, test } from 'vitest';
import { gapsStatus, readyStatus, startBench, unknownStatus } from './setup.ts';

/** Prometheus text as a map from series to value; fails on anything that is no metric line. */
function parse(text: string): Map<string, number> {
  const values = new Map<string, number>();
  const typed = new Set<string>();
  for (const line of text.split('\n').filter((one) => one !== '')) {
    const comment = /^# (HELP|TYPE) ([a-z_][a-z0-9_]*) .+$/.exec(line);
    if (comment) {
      if (comment[1] === 'TYPE') {
        expect(typed.has(comment[2] as string), `${comment[2]} twice`).toBe(false);
        typed.add(comment[2] as string);
      }
      continue;
    }
    const sample = /^([a-z_][a-z0-9_]*(?:\{[^}]*\})?) (\S+)$/.exec(line);
    expect(sample, line).not.toBeNull();
    values.set(sample?.[1] as string, Number(sample?.[2]));
  }
  return values;
}

const scrape = async (get: (path: string) => Promise<{ text: string }>) =>
  parse((await get('/metrics')).text);

test('before the first check: not ready, and no invented zeros', async () => {
  const { get } = await startBench();
  const answer = await get('/metrics');
  expect(answer.headers.get('content-type')).toContain('text/plain; version=0.0.4');
  const values = parse(answer.text);
  expect(values.get('vmsync_ready')).toBe(0);
  expect(values.get('vmsync_redis_up')).toBe(1);
  expect(values.get('vmsync_jobs{queue="repairs",state="failed"}')).toBe(0);
  expect(values.get('process_cpu_seconds_total')).toBeGreaterThan(0);
  expect(
    [...values.keys()].filter((key) => /^vmsync_(?:missing|gaps|check|last|verified)/.test(key)),
  ).toEqual([]);
});

test('tells what the last check found', async () => {
  const { get, store } = await startBench();
  const ready = readyStatus();
  await store.saveStatus(ready);
  const values = await scrape(get);
  expect(values.get('vmsync_ready')).toBe(1);
  expect(values.get('vmsync_check_age_seconds')).toBeGreaterThanOrEqual(40);
  expect(values.get('vmsync_last_check_timestamp_seconds')).toBe(ready.atMs / 1e3);
  expect(values.get('vmsync_consecutive_clean_checks')).toBe(4);
  expect(values.get('vmsync_repaired_samples_total')).toBe(43_210);
  expect(values.get('vmsync_missing_samples')).toBe(0);
  expect(values.get('vmsync_active_site{site="dr"}')).toBe(1);
  expect(values.get('vmsync_active_site{site="primary"}')).toBe(0);
  expect(values.get('vmsync_site_up{site="primary"}')).toBe(1);
  expect(values.get('vmsync_verified_through_timestamp_seconds{direction="dr-to-primary"}')).toBe(
    (ready.horizonMs as number) / 1e3,
  );

  await store.saveStatus(gapsStatus(['gaps']));
  const withGaps = await scrape(get);
  expect(withGaps.get('vmsync_ready')).toBe(0);
  expect(withGaps.get('vmsync_missing_samples')).toBe(18_000);
  expect(withGaps.get('vmsync_gaps')).toBe(1_200);

  await store.saveStatus(unknownStatus('primary is down'));
  const unknown = await scrape(get);
  expect(unknown.has('vmsync_missing_samples')).toBe(false);
  expect(unknown.get('vmsync_site_up{site="primary"}')).toBe(0);
  expect(unknown.get('vmsync_check_outcome{outcome="unknown"}')).toBe(1);
});

test('two scrapes at once do not disturb each other', async () => {
  const { get, store } = await startBench();
  await store.saveStatus(readyStatus());
  const all = await Promise.all(Array.from({ length: 8 }, () => scrape(get)));
  for (const values of all) expect(values.get('vmsync_repaired_samples_total')).toBe(43_210);
});

test('while Redis is away: not ready, and why', async () => {
  const { get, store, redis } = await startBench();
  await store.saveStatus(readyStatus());
  await redis.kill();
  const { status, text } = await get('/metrics');
  expect(status).toBe(200);
  expect(parse(text).get('vmsync_ready')).toBe(0);
  expect(parse(text).get('vmsync_redis_up')).toBe(0);
});
