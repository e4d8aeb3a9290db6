import {
  type ActiveSite,
  type BackfillForecast,
  type BackfillRange,
  type Chunk,
  directionFrom,
  EMPTY_STATE,
  errorText,
  estimateCopy,
  lengthMs,
  type MeasuredSpeed,
  measuredSpeed,
  narrowScope,
  PLAN_LIMITS,
  SITES,
  type SyncState,
  subtractWindows,
  VmSyncError,
  withinRetention,
} from '@vm-sync/core';
import { type Config, secretsOf, withoutSecrets } from '@vm-sync/runtime';
import { checkSettings } from '@vm-sync/scheduler';
import { checkGaps, NOTHING_SET_ASIDE } from '@vm-sync/steps';
import { type Databases, openDatabases } from '@vm-sync/victoria-metrics';
import { lookAtDirection, rememberedDirection } from './direction.ts';
import type { Report } from './progress-line.ts';
import { withRedis } from './redis.ts';

/** Where counts agree everywhere, a dry run compares exactly for so long. */
const PROVE_MS = 30_000;

/** A plan of more chunks is not made to the end; then the forecast says "at least". */
const CHUNKS_MOST = 20_000;

/** So many runs are looked at for the speed of repairs. */
const RUNS_READ = 50;

/**
 * What a backfill of this range would copy: a comparison by the scheduler's own step, which writes nothing. Needs no
 * Redis; with it the estimate rests on the speed of earlier repairs. Throws a `BackfillRefusedError` when the whole range
 * is beyond repair, and a `VmSyncError` when a site cannot be asked.
 */
export async function forecastBackfill(
  config: Config,
  range: BackfillRange,
  progress: Report = () => {},
): Promise<BackfillForecast> {
  const databases = openDatabases(config.vm);
  try {
    const active = await lookAtDirection(config, await rememberedDirection(config));
    const sound = await cutAtRetention(config, databases, active, range);
    const { report, plans } = await compare(config, databases, active, sound, progress);
    if (report.outcome === 'unknown')
      throw new VmSyncError('retryable', `unknown: ${report.reason}`);
    const { proven, damaged } = report.forward;
    const chunks = plans.flatMap((plan) => plan.chunks);
    const { speed, unmeasured } = await speedOf(config);
    const samples = report.tallied.missing;
    return {
      ...sound,
      direction: report.direction,
      lacking: damaged,
      series: mostSeries(chunks),
      samples,
      chunks: chunks.length,
      atLeast: report.leftOut || plans.some((plan) => !plan.complete),
      byCountsOnly: damaged.length === 0 && subtractWindows([sound.window], proven).length > 0,
      ...estimateCopy(samples, speed, unmeasured),
    };
  } finally {
    await Promise.all([databases.primary.close(), databases.dr.close()]);
  }
}

/** Where a site or the direction cannot be found out the comparison says so, better than this could. */
async function cutAtRetention(
  config: Config,
  databases: Databases,
  active: ActiveSite,
  range: BackfillRange,
): Promise<BackfillRange> {
  const sites = await Promise.all(
    SITES.map((site) => databases[site].observe().catch(() => undefined)),
  );
  if (active.site === 'unknown') return range;
  const seen = sites.filter((site) => site !== undefined);
  const grid = { nowMs: Date.now(), stepMs: config.queryStepMs };
  return withinRetention(range, directionFrom(active.site), seen, grid);
}

function compare(
  config: Config,
  databases: Databases,
  active: ActiveSite,
  { window, match }: BackfillRange,
  progress: Report,
) {
  const settings = checkSettings(config);
  return checkGaps(
    {
      sites: databases,
      resolveActive: async () => active,
      now: Date.now,
      setAside: async () => NOTHING_SET_ASIDE,
      setAsideRecoveries: async () => NOTHING_SET_ASIDE,
      limits: { ...PLAN_LIMITS, chunksPerRun: CHUNKS_MOST },
      progress,
    },
    {
      ...settings,
      scope: narrowScope(settings.scope, match),
      proveMs: PROVE_MS,
      surveyMs: 0,
      surplusMs: 0,
    },
    onlyDue(window),
  );
}

/** A state in which nothing but this range is due, and nothing is looked at again. */
function onlyDue(window: BackfillRange['window']): SyncState {
  const nowMs = Date.now();
  const mark = { sinceMs: nowMs, throughMs: nowMs, unproven: [window], earlier: [] };
  return { ...EMPTY_STATE, marks: { 'primary-to-dr': mark, 'dr-to-primary': mark } };
}

/** The most series that lack samples at the same time: chunks of one window are of different series. */
function mostSeries(chunks: readonly Chunk[]): number {
  const byWindow = Map.groupBy(chunks, ({ window }) => `${window.fromMs} ${lengthMs(window)}`);
  const sums = [...byWindow.values()].map((same) =>
    same.reduce((sum, chunk) => sum + chunk.series, 0),
  );
  return sums.reduce((most, sum) => Math.max(most, sum), 0);
}

export async function speedOf(
  config: Config,
): Promise<{ readonly speed: MeasuredSpeed | undefined; readonly unmeasured: string }> {
  try {
    const runs = await withRedis(config, ({ store }) => store.listRuns(RUNS_READ));
    return { speed: measuredSpeed(runs), unmeasured: 'no repair has been measured yet' };
  } catch (error) {
    const why = withoutSecrets(errorText(error), secretsOf(config));
    return { speed: undefined, unmeasured: `not measured: ${why}` };
  }
}
