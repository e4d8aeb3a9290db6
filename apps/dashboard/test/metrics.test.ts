import { EMPTY_STATE, lostPace } from '@vm-sync/core';
import { CHECK_OPTIONS, connect, openQueue, Totals } from '@vm-sync/queue';
import type { RedisServer } from '@vm-sync/testkit';
import { expect, onTestFinished, test } from 'vitest';
import { gapsStatus, readyStatus, startBench, unknownStatus } from './setup.ts';
import { lint, metricsIn, valuesIn } from './support/exposition.ts';

const scrape = async (get: (path: string) => Promise<{ text: string }>) =>
  valuesIn((await get('/metrics')).text);

function openTotals(redis: RedisServer): Totals {
  const client = connect(redis.url, 'brief');
  onTestFinished(() => client.disconnect());
  return new Totals(client);
}

test('before the first check: not ready, and no invented zeros', async () => {
  const { get } = await startBench();
  const answer = await get('/metrics');
  expect(answer.headers.get('content-type')).toContain('text/plain; version=0.0.4');
  const values = valuesIn(answer.text);
  expect(values.get('vmsync_ready')).toBe(0);
  expect(values.get('vmsync_parity{site="dr"}')).toBe(0);
  expect(values.get('vmsync_redis_up')).toBe(1);
  expect(values.get('vmsync_jobs{queue="repairs",state="failed"}')).toBe(0);
  expect(values.get('process_cpu_seconds_total')).toBeGreaterThan(0);
  expect(
    [...values.keys()].filter((key) =>
      /^vmsync_(?:missing|gaps|check_|last|verified|site|direction|duty|other|pin|oldest|writing)/.test(
        key,
      ),
    ),
  ).toEqual([]);
});

test('tells what the last check found', async () => {
  const { get, store } = await startBench();
  const ready = readyStatus();
  await store.saveStatus(ready);
  const values = await scrape(get);
  expect(values.get('vmsync_ready')).toBe(1);
  expect(values.get('vmsync_parity{site="primary"}')).toBe(1);
  expect(values.get('vmsync_check_age_seconds')).toBeGreaterThanOrEqual(40);
  expect(values.get('vmsync_check_interval_seconds')).toBe(120);
  expect(values.get('vmsync_check_duration_seconds')).toBe(1.24);
  expect(values.get('vmsync_last_check_timestamp_seconds')).toBe(ready.atMs / 1e3);
  expect(values.get('vmsync_consecutive_clean_checks')).toBe(4);
  expect(values.get('vmsync_repaired_samples_total')).toBe(43_210);
  expect(values.get('vmsync_missing_samples')).toBe(0);
  expect(values.get('vmsync_info{role="dr"}')).toBe(1);
  expect(values.get('vmsync_active_site{site="dr"}')).toBe(1);
  expect(values.get('vmsync_active_site{site="primary"}')).toBe(0);
  expect(values.get('vmsync_direction{direction="dr-to-primary"}')).toBe(1);
  expect(values.get('vmsync_direction{direction="unknown"}')).toBe(0);
  expect(values.get('vmsync_site_up{site="primary"}')).toBe(1);
  const horizonS = (ready.horizonMs as number) / 1e3;
  expect(values.get('vmsync_verified_through_timestamp_seconds{direction="dr-to-primary"}')).toBe(
    horizonS,
  );
  const age = values.get('vmsync_verified_through_age_seconds{direction="dr-to-primary"}');
  expect(Math.abs((age as number) - (Date.now() / 1e3 - horizonS))).toBeLessThan(30);

  await store.saveStatus(gapsStatus(['gaps']));
  const withGaps = await scrape(get);
  expect(withGaps.get('vmsync_ready')).toBe(0);
  expect(withGaps.get('vmsync_parity{site="primary"}')).toBe(0);
  expect(withGaps.get('vmsync_missing_samples')).toBe(18_000);
  expect(withGaps.get('vmsync_gaps')).toBe(1_200);

  await store.saveStatus(unknownStatus('primary is down'));
  const unknown = await scrape(get);
  expect(unknown.has('vmsync_missing_samples')).toBe(false);
  expect(unknown.get('vmsync_site_up{site="primary"}')).toBe(0);
  expect(unknown.get('vmsync_check_outcome{outcome="unknown"}')).toBe(1);
});

test('an unknown direction is a state of its own, and gives no count of what only the passive site has', async () => {
  const { get, store } = await startBench();
  const status = unknownStatus('DNS answers nothing');
  await store.saveStatus({ ...status, state: { ...status.state, activeSite: 'unknown' } });
  const values = await scrape(get);
  expect(values.get('vmsync_direction{direction="unknown"}')).toBe(1);
  expect(values.get('vmsync_direction{direction="dr-to-primary"}')).toBe(0);
  expect(values.has('vmsync_surplus_samples')).toBe(false);
});

test('counts checks, chunks and bytes, and says of the queues how old and how finished they are', async () => {
  const { get, redis } = await startBench();
  const before = await scrape(get);
  expect(before.get('vmsync_checks_total{outcome="unknown"}')).toBe(0);
  const totals = openTotals(redis);
  await totals.addCheck('unknown');
  await totals.addCheck('unknown');
  await totals.addCheck('clean');
  const chunk = { mode: 'native', samples: 10, bytes: 700 } as const;
  await totals.addChunk({ ...chunk, outcome: 'repaired', tookMs: 400 });
  await totals.addChunk({ ...chunk, outcome: 'repaired', tookMs: 2_500 });
  await totals.addChunk({ ...chunk, outcome: 'repaired', tookMs: 9_000_000 });
  await totals.addChunk({ ...chunk, outcome: 'already-there', bytes: 0, tookMs: 20 });
  await totals.addChunk({ ...chunk, outcome: 'cancelled', tookMs: 20 });
  const checks = openQueue('checks', { url: redis.url });
  onTestFinished(() => checks.close());
  const longAgo = Date.now() - 600_000;
  await checks.add('check-gaps', {}, { ...CHECK_OPTIONS, timestamp: longAgo, delay: 0 });
  await checks.add('check-gaps', {}, { ...CHECK_OPTIONS });
  const values = await scrape(get);
  expect(values.get('vmsync_checks_total{outcome="unknown"}')).toBe(2);
  expect(values.get('vmsync_checks_total{outcome="clean"}')).toBe(1);
  expect(values.get('vmsync_repaired_bytes_total')).toBe(2_100);
  const bucket = (outcome: string, le: string) =>
    values.get(`vmsync_chunk_duration_seconds_bucket{outcome="${outcome}",le="${le}"}`);
  expect(['0.1', '0.5', '1', '2.5', '1800', '+Inf'].map((le) => bucket('repaired', le))).toEqual([
    0, 1, 1, 2, 2, 3,
  ]);
  expect(bucket('already-there', '0.1')).toBe(1);
  expect(values.get('vmsync_chunk_duration_seconds_count{outcome="repaired"}')).toBe(3);
  expect(values.get('vmsync_chunk_duration_seconds_sum{outcome="repaired"}')).toBe(9002.9);
  const age = values.get('vmsync_oldest_waiting_job_age_seconds{queue="checks"}');
  expect(age).toBeGreaterThanOrEqual(600);
  expect(values.has('vmsync_oldest_waiting_job_age_seconds{queue="repairs"}')).toBe(false);
  expect(values.get('vmsync_finished_jobs_total{queue="notifications",result="failed"}')).toBe(0);
});

test('totals that are not what was written there give no sample', async () => {
  const { get, redis } = await startBench();
  const client = connect(redis.url, 'brief');
  onTestFinished(() => client.disconnect());
  await client.hset('{vmsync}:totals:checks', 'clean', 'many');
  const values = await scrape(get);
  expect(values.get('vmsync_redis_up')).toBe(1);
  expect(
    [...values.keys()].filter((key) => /_total|chunk/.test(key) && /^vmsync/.test(key)),
  ).toEqual(
    expect.not.arrayContaining([expect.stringMatching(/^vmsync_(?:checks|chunk|repaired_bytes)/)]),
  );
});

test('says what holds repairs back: a pause, a stop, a pin, another vm-sync', async () => {
  const { get, store, redis } = await startBench();
  const client = connect(redis.url, 'brief');
  onTestFinished(() => client.disconnect());
  const nowMs = Date.now();
  await store.saveState({
    ...EMPTY_STATE,
    pin: { site: 'dr', untilMs: nowMs + 60_000, atMs: nowMs },
  });
  const pace = lostPace({ maxCopies: 4, maxBytesPerS: null });
  await client.set('{vmsync}:pace', JSON.stringify({ ...pace, copies: 3, stopped: true }));
  const other = { seenMs: nowMs, onDuty: true, fresh: true };
  const duty = { atMs: nowMs, role: 'dr', stance: 'watch', unable: null, other };
  await client.set('{vmsync}:duty-view', JSON.stringify(duty));
  expect((await get('/api/pause', { method: 'POST' })).status).toBe(200);
  const values = await scrape(get);
  expect(values.get('vmsync_repairs_paused')).toBe(1);
  expect(values.get('vmsync_repairs_stopped')).toBe(1);
  expect(values.get('vmsync_copies_allowed')).toBe(3);
  expect(values.get('vmsync_pin_end_timestamp_seconds{site="dr"}')).toBe((nowMs + 60_000) / 1e3);
  expect(values.get('vmsync_duty{stance="watch"}')).toBe(1);
  expect(values.get('vmsync_duty{stance="duty"}')).toBe(0);
  expect(values.get('vmsync_other_up')).toBe(1);
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
  const own = [...valuesIn(text)].filter(([key]) => key.startsWith('vmsync_'));
  expect(Object.fromEntries(own)).toEqual({
    vmsync_redis_up: 0,
    vmsync_ready: 0,
    'vmsync_parity{site="primary"}': 0,
    'vmsync_parity{site="dr"}': 0,
  });
});

test('names, units and helps are those that Prometheus asks for', async () => {
  const { get, store } = await startBench();
  await store.saveStatus(readyStatus());
  const { text } = await get('/metrics');
  expect(metricsIn(text).filter(({ name }) => /^vmsync_/.test(name)).length).toBeGreaterThan(25);
  expect(lint(text)).toEqual([]);
});

test('the lint itself sees what is wrong', () => {
  const faulty = [
    '# TYPE vmsync_a counter\nvmsync_a 1',
    '# HELP vmsync_all_total Many.\n# TYPE vmsync_all_total gauge\nvmsync_all_total 1',
    '# HELP vmsync_delay_ms How long.\n# TYPE vmsync_delay_ms gauge\nvmsync_delay_ms 1',
    '# HELP vmsync_gauge_x Twice said.\n# TYPE vmsync_gauge_x gauge\nvmsync_gauge_x 1',
    '# HELP vmsync_c C.\n# TYPE vmsync_c gauge\nvmsync_c{someLabel="1"} 1',
    '# HELP vmsync_d_count D.\n# TYPE vmsync_d_count gauge\nvmsync_d_count 1',
    '# HELP vmsync_e E.\n# TYPE vmsync_e gauge\nvmsync_e{series="a",job="x"} 1',
  ];
  expect(faulty.map((text) => lint(text).length)).toEqual([2, 1, 1, 1, 1, 1, 2]);
});
