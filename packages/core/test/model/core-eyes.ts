import {
  beforeCheck,
  behindUsMs,
  type CheckReport,
  type Direction,
  directionFrom,
  directionKey,
  dueWindows,
  type FoundWindows,
  type History,
  judgeTwins,
  lookBackWindows,
  type Mark,
  makeWindow,
  meets,
  missingTimestamps,
  PLAN_LIMITS,
  parseSelectors,
  planGaps,
  repairEdgeMs,
  SITES,
  type Site,
  settledThroughMs,
  subtractWindows,
  type Window,
} from '../../src/index.ts';
import {
  backwardOf,
  type Compared,
  compareAll,
  forwardOf,
  labelsOf,
  type Measured,
  together,
} from './compare.ts';
import { lookBackwards, onGrid, settledOf, survey } from './core-looks.ts';
import type { CheckAnswer, CheckQuestion, CopyQuestion, Eyes, ModelPlan } from './eyes.ts';
import { QUERY_WINDOW_MS, SERIES, SETTLE_MS, STEP_MS } from './world.ts';

/** A check as small as it can be, made of nothing but the core's decisions: what `checkGaps` does, without a database. */
export const coreEyes: Eyes = { check, repair };

async function check(question: CheckQuestion): Promise<CheckAnswer> {
  const { world, active, trouble, state } = question;
  const silent = new Set<Site>();
  const source = active.site === 'unknown' ? 'primary' : active.site;
  if (trouble === 'source silent') silent.add(source);
  if (trouble === 'destination silent') silent.add(directionFrom(source).destination);
  const seen = SITES.map((site) => world.observe(site));
  const sites = Object.fromEntries(
    seen.map((one) => [
      one.site,
      silent.has(one.site)
        ? { healthy: false, url: one.url, reason: 'silent' }
        : { healthy: true, observation: one },
    ]),
  ) as CheckReport['sites'];
  const [primary, dr] = seen as [(typeof seen)[number], (typeof seen)[number]];
  const twins = silent.size === 0 ? judgeTwins(primary, dr, { settleMs: SETTLE_MS }) : undefined;
  const common = { atMs: world.clockMs, tookMs: 0, active, sites, twins };
  const unknown = (reason: string, siteFailed: boolean): CheckAnswer => ({
    state,
    events: [],
    plans: [],
    report: { ...common, outcome: 'unknown', reason, siteFailed },
  });
  if (silent.size > 0) return unknown(`${[...silent].join()} is silent`, true);
  if (active.site === 'unknown') return unknown('active site unknown', false);
  if (trouble.startsWith('query')) return unknown('a query failed', true);
  const looked = look(question, directionFrom(active.site));
  if (looked === undefined) return unknown('the source holds no samples', true);
  const { report, ...rest } = looked;
  return { ...rest, report: { ...common, ...report } };
}

type Looked = Omit<CheckAnswer, 'report'> & {
  readonly report: Omit<
    Exclude<CheckReport, { outcome: 'unknown' }>,
    'atMs' | 'tookMs' | 'active' | 'sites' | 'twins'
  >;
};

function look(question: CheckQuestion, direction: Direction): Looked | undefined {
  const { world, settings, trouble } = question;
  const hasTime = trouble !== 'no time';
  const nowMs = world.clockMs;
  const observations = SITES.map((site) => world.observe(site));
  const horizonMs = settledThroughMs(nowMs - behindUsMs(observations), SETTLE_MS, STEP_MS);
  const { state, events } = beforeCheck(question.state, {
    nowMs,
    horizonMs,
    direction,
    observations,
    queryWindowMs: QUERY_WINDOW_MS,
    stepMs: STEP_MS,
  });
  const key = directionKey(direction);
  const mark = state.marks[key] as Mark;
  const setAside = question.setAside(direction);
  const edgeMs = repairEdgeMs(nowMs, direction, observations);
  const measured: Measured = {
    world,
    direction,
    threshold: settings.threshold,
    byRows: false,
    series: SERIES,
  };
  const plans: ModelPlan[] = [];
  const plan = (found: Compared, of: Omit<ModelPlan, 'chunks'>, covers = setAside.covers) => {
    const slices = found.slices.map((one) => ({
      ...one,
      gaps: one.gaps.filter((gap) => !covers(gap)),
    }));
    const chunks = planGaps(slices, STEP_MS, PLAN_LIMITS);
    if (chunks.length > 0) plans.push({ ...of, chunks });
  };
  const regular = { direction, backfillId: null, recovery: false };

  const due = onGrid(settledOf(dueWindows(mark, horizonMs), horizonMs), edgeMs);
  const back = onGrid(lookBackWindows(mark, horizonMs, QUERY_WINDOW_MS), edgeMs);
  let found = together(
    compareAll(measured, back, 'counts'),
    compareAll(measured, hasTime ? due : newestOf(due), 'exact'),
  );
  if (found.tallied.sourceSamples === 0) return undefined;
  plan(found, regular);

  const { proven, damaged } = forwardOf(found);
  const taken = [...subtractWindows(due, proven), ...damaged, ...setAside.repairing];
  const backfills = state.backfills.flatMap(
    ({ id, state: of, direction: way, match, unproven }) => {
      if (of !== 'open' || way !== key || setAside.backfilling.has(id)) return [];
      const windows = subtractWindows(onGrid(settledOf(unproven, horizonMs), edgeMs), taken);
      const selectors = match.flatMap(parseSelectors);
      const series = SERIES.filter(
        (one) => match.length === 0 || selectors.some((by) => meets(by, labelsOf(one))),
      );
      const one = compareAll({ ...measured, series }, windows, 'exact');
      plan(one, { direction, backfillId: id, recovery: false });
      taken.push(...one.damaged);
      return [{ id, found: withoutAll(forwardOf(one), setAside.repairing) }];
    },
  );

  const surplus = lookBackwards(question, { state, found, direction, horizonMs }, plan);
  let history = state.history[key] as History;
  if (found.tallied.gaps === 0) {
    const seen = survey(measured, { history, mark, edgeMs, pieces: hasTime ? 1_000 : 1 });
    history = seen.history;
    const ofBackfills = backfills.flatMap((one) => one.found.damaged);
    const doubted = subtractWindows(onGrid(seen.suspect, edgeMs), ofBackfills);
    const suspect = compareAll(measured, doubted, 'exact');
    plan(suspect, regular);
    found = together(found, suspect);
  }
  const clean = found.tallied.gaps === 0 && setAside.reasons.length === 0;
  const backward = backwardOf(found);
  return {
    state,
    events,
    plans,
    report: {
      outcome: clean ? 'clean' : 'gaps',
      direction,
      horizonMs,
      forward: withoutAll(forwardOf(found), setAside.repairing),
      backward: withoutAll(
        {
          proven: [...backward.proven, ...surplus.proven],
          damaged: subtractWindows(backward.damaged, surplus.proven),
        },
        surplus.repairing,
      ),
      backfills,
      tallied: found.tallied,
      leftOut: false,
      history,
      setAside: setAside.reasons,
      surplus: surplus.found,
    },
  };
}

/** What a check without time gets to: three buckets. */
function newestOf(windows: readonly Window[]): Window[] {
  const last = windows.at(-1);
  return last ? [makeWindow(Math.max(last.fromMs, last.toMs - 3 * STEP_MS), last.toMs)] : [];
}

const withoutAll = (found: FoundWindows, repairing: readonly Window[]): FoundWindows => ({
  ...found,
  proven: subtractWindows(found.proven, repairing),
});

/** Copies what is missing of a chunk and nothing else. */
async function repair({ world, direction, chunk, trouble, send }: CopyQuestion): Promise<number> {
  const { source, destination } = direction;
  const selectors = chunk.selectors.flatMap(parseSelectors);
  const missing = SERIES.filter((one) => selectors.some((by) => meets(by, labelsOf(one)))).flatMap(
    (series) =>
      missingTimestamps(
        world.samplesIn(source, series, chunk.window),
        world.samplesIn(destination, series, chunk.window),
        0,
      ).map((atMs) => ({ series, atMs })),
  );
  if (trouble === 'connection cut') {
    send(missing.slice(0, Math.ceil(missing.length / 2)));
    throw new Error('the connection was cut');
  }
  if (trouble === 'drops every second sample') {
    send(missing.filter((_, at) => at % 2 === 0));
    if (missing.length > 1) throw new Error('accepted the import, but samples are not there');
    return missing.length;
  }
  send(missing);
  return missing.length;
}
