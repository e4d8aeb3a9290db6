import { type SiteOptions, type Stack, startStack } from '@vm-sync/fault-bench';
import { filterSamples, importSeries, noDifference, type Series, until } from '@vm-sync/testkit';
import { expect, test } from 'vitest';
import { hour, lastMinuteMs, minute, second, usualSeries, without } from './support/data.ts';

const noRedis = { REDIS_URL: 'redis://127.0.0.1:9' };

/**
 * Both sites hold an hour, but in ten minutes of it each had a collector of its own: other instants of the same series,
 * and on dr ten series that primary has never seen.
 */
function splitBrain({ otherInstants = true } = {}): {
  primary: Series[];
  dr: Series[];
  onlyDr: number;
} {
  const nowMs = lastMinuteMs();
  const [fromMs, toMs] = [nowMs - 40 * minute, nowMs - 30 * minute];
  const all = usualSeries(nowMs, hour);
  const during = filterSamples(all, (at) => at > fromMs && at <= toMs - minute);
  const shifted = during.map((series) => ({
    ...series,
    timestamps: series.timestamps.map((at) => at + 13 * second),
  }));
  const own = shifted.slice(0, 10).map((series) => ({
    ...series,
    labels: { ...series.labels, __name__: 'only_here' },
  }));
  const onDr = otherInstants ? [...shifted, ...own] : own;
  const onlyDr = onDr.reduce((sum, { timestamps }) => sum + timestamps.length, 0);
  return { primary: all, dr: [...without(all, fromMs, toMs), ...onDr], onlyDr };
}

async function startSplit(
  env: Record<string, string> = {},
  sites: { primary?: SiteOptions; dr?: SiteOptions } = {},
): Promise<{ stack: Stack; onlyDr: number }> {
  // Where a database keeps one sample a minute, another instant of the same minute is the same sample.
  const { primary, dr, onlyDr } = splitBrain({ otherInstants: sites.dr?.dedup === undefined });
  const stack = await startStack({ role: 'dr', ...sites, env: { GAP_THRESHOLD: '1', ...env } });
  await stack.fill({ primary, dr });
  return { stack, onlyDr };
}

test.concurrent.each([
  ['oldest', 'newest', undefined],
  ['newest', 'oldest', '60s'],
] as const)(
  'a split brain with SYNC_DIRECTION=both (%s, %s, deduplication %s): both sides come to hold the union, nothing twice, then READY',
  async (ofPrimary, ofDr, dedup) => {
    const { stack: started, onlyDr } = await startSplit(
      { SYNC_DIRECTION: 'both' },
      {
        primary: { version: ofPrimary, ...(dedup && { dedup }) },
        dr: { version: ofDr, ...(dedup && { dedup }) },
      },
    );
    await using stack = started;
    stack.watchReady(async () => {
      const { onlyB } = await stack.compareRaw({ toMs: lastMinuteMs() - 20 * minute });
      return onlyB > 0 && `primary lacks ${onlyB} samples`;
    });
    stack.spawn('up');
    const state = await stack.untilReady();
    const chunks = await stack.chunks();
    const kinds = new Set(chunks.map(({ order }) => `${order.direction.source} ${order.recovery}`));
    expect(kinds).toEqual(new Set(['primary false', 'dr true']));
    expect(state.detail.marks['dr-to-primary']?.unproven).toEqual([]);
    expect(await stack.compareRaw()).toEqual(noDifference);
    expect(state.samples_synced).toBe(100 * 10 + onlyDr);
    const parity = await fetch(`${stack.dashboardUrl}/parity/primary`);
    expect(parity.status).toBe(200);
    expect((await stack.run('status')).stdout).not.toContain('only on');
  },
);

const sentence = (samples: number): string =>
  `the passive site has ${samples.toLocaleString('en-US')} samples that the active one lacks (vm-sync reconcile)`;

test.concurrent('by default what only the passive site has is shown beside READY, and a reconcile recovers it once', async () => {
  const { stack: started, onlyDr } = await startSplit();
  await using stack = started;
  stack.watchReady();
  const { lines } = stack.spawn('up');
  const state = await stack.untilReady();
  const said = sentence(onlyDr);
  expect(state).toMatchObject({ only_on_passive: { direction: 'dr-to-primary', samples: onlyDr } });
  const told = lines.map(({ msg }) => msg);
  // The first check may not have counted all of it yet.
  expect(told.filter((line) => line.startsWith('Only on dr: '))).toEqual([
    expect.stringMatching(/the passive site has (at least )?\d+ samples that the active one lacks/),
  ]);
  expect(told.findLast((line) => /FAILBACK READY \(/.test(line))).toContain(said);
  expect((await stack.run('status')).stdout).toMatch(/^FAILBACK READY\n {2}the passive/);
  expect((await stack.run('check', [], noRedis)).stdout).toContain(`dr → primary: ${said}`);
  const api = async () =>
    JSON.parse(await (await fetch(`${stack.dashboardUrl}/api/status`)).text());
  expect(await api()).toMatchObject({ surplus: { samples: onlyDr, sentence: said } });
  expect(await (await fetch(stack.dashboardUrl)).text()).toContain(said);
  expect((await fetch(`${stack.dashboardUrl}/parity/primary`)).status).toBe(503);
  expect((await fetch(`${stack.dashboardUrl}/parity/dr`)).status).toBe(200);

  const untouched = { onlyA: 0, onlyB: onlyDr, duplicatesA: 0, duplicatesB: 0 };
  expect(await stack.compareRaw()).toMatchObject(untouched);
  const dry = await stack.run('reconcile', ['--dry-run'], noRedis);
  expect([dry.code, dry.stderr]).toEqual([1, '']);
  expect(dry.stdout).toContain('dry run, dr → primary\n');
  expect(dry.stdout).toContain(
    `${onlyDr.toLocaleString('en-US')} samples of up to 110 series are on dr only`,
  );
  expect(dry.stdout).toMatch(/\nbytes: about [\d,]+ /);
  const json = await fetch(`${stack.dashboardUrl}/api/reconcile`, {
    method: 'POST',
    body: new URLSearchParams({ dryRun: 'true' }),
  });
  expect(JSON.parse(await json.text())).toMatchObject({ samples: onlyDr });
  expect(await stack.compareRaw()).toMatchObject(untouched);

  const asked = await stack.run('reconcile');
  expect([asked.code, asked.stderr]).toEqual([0, '']);
  const done = await stack.untilState(
    'the end of the reconcile',
    ({ detail }) => detail.reconcile?.state === 'done',
  );
  expect(done.detail.reconcile).toMatchObject({ samplesRecovered: onlyDr });
  expect(await stack.compareRaw()).toEqual(noDifference);
  expect((await stack.chunks()).filter(({ order }) => order.recovery).length).toBeGreaterThan(0);
  const again = await stack.run('reconcile');
  expect([again.code, again.stderr]).toEqual([2, expect.stringContaining('nothing to reconcile')]);
  const late = await stack.run('reconcile', ['cancel']);
  expect([late.code, late.stderr]).toEqual([
    2,
    expect.stringContaining('no reconcile is under way'),
  ]);
  expect((await fetch(`${stack.dashboardUrl}/parity/primary`)).status).toBe(200);
});

/** Values of which one site rounds the small ones away, because a large one lies in the same block, and the other does not. */
async function fillRounded({ primary, dr }: Stack, timestamps: readonly number[]): Promise<void> {
  const labels = { __name__: 'rounded' };
  const values = timestamps.map((_, at) => (at === 0 ? 1e12 : 0.123456789 + at / 1e9));
  await importSeries(primary.vm.url, [{ labels, timestamps: [...timestamps], values }], primary.vm);
  await primary.vm.flush();
  for (const [at, timestamp] of timestamps.entries()) {
    const value = values[at] ?? Number.NaN;
    const one = { labels, timestamps: [timestamp], values: [value] };
    await importSeries(dr.vm.url, [one], dr.vm);
    if (at === 0) await dr.vm.flush();
  }
  await dr.vm.flush();
}

test.concurrent.each(['oldest', 'newest'] as const)(
  'different values of the same samples (%s) are counted and shown and start no repair; what a database rounds is no difference',
  async (version) => {
    await using stack = await startStack({
      role: 'dr',
      primary: { version },
      dr: { version },
      env: { SYNC_DIRECTION: 'both' },
    });
    const nowMs = lastMinuteMs();
    const all = usualSeries(nowMs, hour);
    const changed = (at: number, index: number) =>
      index < 2 && at > nowMs - 30 * minute && at <= nowMs - 25 * minute;
    const others = all.map((series, index) => ({
      ...series,
      values: series.values.map((value, at) =>
        changed(series.timestamps[at] ?? 0, index) ? value + 1 : value,
      ),
    }));
    await stack.fill({ primary: all, dr: others });
    const conflicts = all
      .slice(0, 2)
      .flatMap(({ timestamps }) => timestamps.filter((at) => changed(at, 0))).length;
    // The large value lies in another bucket than all but one of the small ones.
    const times = Array.from({ length: 20 }, (_, at) => nowMs - 50 * minute + at * 30 * second);
    await fillRounded(stack, times);
    expect((await stack.compareRaw()).differing).toBeGreaterThan(conflicts);
    stack.watchReady();
    const { lines } = stack.spawn('up');
    const state = await stack.untilReady();
    expect(state).toMatchObject({
      gaps_detected: 0,
      samples_synced: 0,
      conflicts: { samples: conflicts, series: 2, at_least: false },
    });
    const said = `the sites hold different values for ${conflicts} samples of 2 series, such as {`;
    const told = () => lines.filter(({ msg }) => msg.startsWith('Values differ: '));
    // Told when the first of them are seen: a busy machine may not compare everything in one check.
    expect(told().map(({ msg }) => msg)).toEqual([
      expect.stringMatching(
        /the sites hold different values for \d+ samples? of [12] series, such as \{/,
      ),
    ]);
    expect((await stack.run('status')).stdout).toContain(said);
    expect((await stack.run('check', [], noRedis)).stdout).toContain(said);
    const page = await (await fetch(stack.dashboardUrl)).text();
    expect(page).toContain('Different values');
    const checks = state.consecutive_clean;
    const later = await stack.untilState(
      'three more clean checks',
      ({ consecutive_clean: clean }) => clean >= checks + 3,
    );
    expect(later).toMatchObject({ failback_ready: true, conflicts: { samples: conflicts } });
    expect(told()).toHaveLength(1);
    expect(await stack.chunks()).toEqual([]);
    await until('no run', async () => {
      const runs = await fetch(`${stack.dashboardUrl}/api/runs`);
      return JSON.parse(await runs.text()).runs.length === 0;
    });
  },
);
