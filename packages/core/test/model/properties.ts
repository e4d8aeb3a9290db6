import {
  type Chunk,
  type DirectionKey,
  directionKey,
  directionOf,
  intersect,
  isUnfinished,
  meets,
  parseSelectors,
  pinAt,
  type Site,
  type SyncState,
  subtractWindows,
} from '../../src/index.ts';
import { labelsOf } from './compare.ts';
import { intolerable } from './ledger.ts';
import { Broken, marked, provenBy, shakenBy, whyMarkMoved, whyNotReady } from './oracle.ts';
import type { Run } from './runs.ts';
import { type Checked, CLEAN_CHECKS, type VmSync } from './vm-sync.ts';
import { bucketOf, edgeOf, type Sample, SERIES, STEP_MS, type World, within } from './world.ts';

/** The properties. Each throws where it is broken, and begins its sentence with its number. */

function must(holds: boolean, sentence: string): void {
  if (!holds) throw new Broken(sentence);
}

/** Everything that must hold after a check. */
export function assertChecked(vmSync: VmSync, checked: Checked): void {
  assertReady(vmSync, checked);
  assertMarks(vmSync, checked);
  assertFound(vmSync.world, checked, vmSync.settings.threshold);
  assertTold(checked);
}

function assertReady({ world, settings, dns, lease }: VmSync, checked: Checked): void {
  const { after, report } = checked;
  const { state } = after;
  if (report.outcome === 'unknown') {
    must(!state.failbackReady && state.consecutiveClean === 0, '1: unknown counts as clean');
  }
  must(state.failbackReady === (state.reasons.length === 0), '1: READY and its reasons disagree');
  if (!state.failbackReady) return;
  const why = whyNotReady(after.ledger, world, state, report, {
    ...settings,
    cleanChecks: CLEAN_CHECKS,
  });
  must(why === undefined, `1: READY, but ${why}`);
  if (report.outcome === 'unknown') return;
  const pinned = pinAt(state.pin, world.clockMs);
  const named = pinned?.site ?? dns;
  must(
    named === report.direction.source,
    `1: READY from ${report.direction.source}, but ${named} is active`,
  );
  must(
    pinned !== null || lease === null || lease === named,
    '1: READY while the lease contradicts the address',
  );
}

function assertMarks(vmSync: VmSync, checked: Checked): void {
  const { begun, before, after, report, repairing, recent } = checked;
  const { world, settings } = vmSync;
  for (const key of ['primary-to-dr', 'dr-to-primary'] as const) {
    const moved = { before: begun.marks[key], after: after.state.marks[key] };
    if (report.outcome === 'unknown') {
      must(moved.before === moved.after, '3: a mark moved in a check that found nothing out');
      continue;
    }
    const threshold = key === directionKey(report.direction) ? settings.threshold : 1;
    const why = whyMarkMoved(world, key, moved, {
      threshold,
      repairing: repairing[key],
      recent: recent[key],
    });
    must(why === undefined, `3: ${why}`);
    assertShaken(world, checked, key);
    const given = subtractWindows(provenBy(begun.marks[key]), provenBy(before.state.marks[key]));
    const edgeMs = edgeOf(world, key === 'primary-to-dr' ? 'primary' : 'dr');
    must(
      given.every(({ toMs }) => toMs <= edgeMs),
      `3: the mark ${key} gave up time that a repair reaches`,
    );
  }
}

/** After a restart of its destination a recent repair is proven only by being compared again. */
function assertShaken(world: World, checked: Checked, key: DirectionKey): void {
  const { before, after, report } = checked;
  if (report.outcome === 'unknown' || world.clockWasSet) return;
  const { destination } = directionOf(key);
  const known = before.state.startedMs[destination];
  const { startedMs } = world.sites[destination];
  if (known === null || known === startedMs) return;
  // It may have been restarted several times since it was seen last.
  const restartedMs = world.restarts[destination].find((atMs) => atMs > known) ?? startedMs;
  const compared =
    key === directionKey(report.direction)
      ? [report.forward, ...report.backfills.map(({ found }) => found)]
      : [report.backward];
  const left = subtractWindows(
    provenBy(after.state.marks[key]),
    compared.flatMap(({ proven }) => proven),
  );
  const shaken = shakenBy(before.ledger, key, { startedMs: known, restartedMs });
  const kept = left.some((window) => shaken.some((other) => intersect(window, other)));
  must(!kept, `3: after a restart of ${destination} a recent repair was not compared again`);
}

/** What a check calls missing is missing, and old enough to be judged. */
function assertFound(world: World, { report, plans }: Checked, threshold: number): void {
  if (report.outcome === 'unknown') return;
  const key = directionKey(report.direction);
  const { source } = report.direction;
  const missing = intolerable(world, key, threshold);
  const settledMs = world.nowMs + Math.min(0, world.skewMs) - 180_000;
  for (const { fromMs, toMs } of report.forward.damaged) {
    must(toMs <= settledMs, '3: samples in flight were judged');
    for (let endMs = fromMs + STEP_MS; endMs <= toMs; endMs += STEP_MS) {
      const bucket = { fromMs: endMs - STEP_MS, toMs: endMs };
      // A long gap may span time in which nobody took a sample.
      const isBare = SERIES.every((series) => world.samplesIn(source, series, bucket).length === 0);
      must(
        isBare || missing.some(({ atMs }) => within(atMs, [bucket])),
        `5: a gap was found at ${new Date(endMs).toISOString()} where nothing is missing`,
      );
    }
  }
  assertPlannedOnce(world, plans);
}

/** A sample that two chunks of one check copy may come twice. */
function assertPlannedOnce(world: World, plans: Checked['plans']): void {
  const taken = new Set<string>();
  for (const { direction, chunks } of plans) {
    const key = directionKey(direction);
    const missing = [...world.lacking(key).values()];
    for (const { selectors, window } of chunks) {
      const parsed = selectors.flatMap(parseSelectors);
      for (const { series, atMs } of missing) {
        const labels = labelsOf(series);
        if (!within(atMs, [window]) || !parsed.some((one) => meets(one, labels))) continue;
        const id = `${key} ${series} ${atMs}`;
        must(!taken.has(id), `4: two chunks copy ${series} at ${new Date(atMs).toISOString()}`);
        taken.add(id);
      }
    }
  }
}

/** Each change is told once, in the check that makes it. */
function assertTold({ before, after, events, report, lasting }: Checked): void {
  const [was, is] = [before.state, after.state];
  const count = (kind: string) => events.filter((event) => event.kind === kind).length;
  const times = (kind: string, wanted: boolean) =>
    must(
      count(kind) === Number(wanted),
      `5: ${kind} was told ${count(kind)} times, not ${Number(wanted)}`,
    );
  const turned = was.activeSite !== is.activeSite;
  times('direction-changed', turned);
  times('ready-withdrawn', was.failbackReady && !is.failbackReady);
  times('failback-ready', is.failbackReady && (!was.failbackReady || turned));
  if (report.outcome === 'unknown') {
    times('gap-detected', false);
    times('sync-complete', false);
    return;
  }
  const key = directionKey(report.direction);
  const { told } = before.ledger;
  times('gap-detected', report.tallied.gaps > 0 && told !== key);
  if (count('sync-complete') > 0) {
    times('sync-complete', told === key);
    must(report.outcome === 'clean', '5: sync-complete was told by a check that found gaps');
    must(is.marks[key]?.unproven.length === 0, '5: sync-complete was told before all is proven');
  }
  times('mark-started', was.marks[key] === null);
  for (const backfill of is.backfills) {
    const earlier = was.backfills.find(({ id }) => id === backfill.id);
    const done = events.filter((one) => one.kind === 'backfill-complete' && one.id === backfill.id);
    const ended = backfill.state === 'done' && earlier !== undefined && isUnfinished(earlier);
    must(
      done.length <= 1 && (done.length === 1 || !ended),
      '5: the end of a backfill was not told once',
    );
    if (backfill.state === 'done')
      must(backfill.unproven.length === 0, '5: a backfill ended early');
  }
  must(!is.failbackReady || lasting.believed.ready === key, '5: people do not know of READY');
  if (report.outcome === 'gaps' && !is.failbackReady) {
    must(
      lasting.believed.ready === null || !was.failbackReady || report.tallied.gaps === 0,
      '5: people believe READY although a gap was found',
    );
  }
}

/** What is sent was missing, is the source's own, and goes where the evidence points. */
export function assertSent(vmSync: VmSync, run: Run, samples: readonly Sample[]): void {
  const { world } = vmSync;
  const { source, destination } = run.direction;
  for (const { series, atMs } of samples) {
    must(!world.sites[destination].held[series].has(atMs), '4: a sample was sent that is there');
    must(world.sites[source].held[series].has(atMs), '4: a sample was sent that nobody has');
  }
  must(
    new Set(samples.map(({ series, atMs }) => `${series} ${atMs}`)).size === samples.length,
    '4: a sample was sent twice at once',
  );
  const active = run.recovery ? destination : source;
  const turned = vmSync.heard
    .slice(run.heardBefore)
    .some(({ says }) => says !== active && says !== 'unknown');
  const why = turned ? 'the direction has changed since' : whyNotWritten(vmSync, active);
  must(why === undefined, `4: written ${source} to ${destination}, but ${why}`);
}

function whyNotWritten(vmSync: VmSync, active: Site): string | undefined {
  const { world, dns, lease, heard } = vmSync;
  const pinned = pinAt(vmSync.load().state.pin, world.clockMs);
  if (pinned) return pinned.site === active ? undefined : `${pinned.site} is pinned`;
  if (dns !== active) return `DNS says ${dns}`;
  if (lease !== null && lease !== active) return `the lease says ${lease}`;
  const other = heard.findLastIndex(({ says }) => says !== active && says !== 'unknown');
  const same = heard.slice(other + 1).filter(({ says }) => says === active);
  if (same.some(({ sure }) => sure)) return undefined;
  const [first, last] = [same[0], same.at(-1)];
  if (first && last && Math.abs(last.atMs - first.atMs) >= 5_000) return undefined;
  return 'that was never confirmed';
}

/** A repair that says it is done has been read back: nothing of its chunk is missing. */
export function assertDone({ world }: VmSync, run: Run, chunk: Chunk): void {
  const selectors = chunk.selectors.flatMap(parseSelectors);
  const missing = [...world.lacking(directionKey(run.direction)).values()].filter(
    ({ series, atMs }) =>
      within(atMs, [chunk.window]) && selectors.some((one) => meets(one, labelsOf(series))),
  );
  must(
    missing.length === 0,
    `2: a chunk says that it is done, and lacks ${missing.length} samples`,
  );
}

/** A run that settles moves no mark, and changes nothing the second time. */
export function assertSettled(before: SyncState, after: SyncState): void {
  must(before.marks === after.marks, '3: a run that settled moved a mark');
  must(before.failbackReady === after.failbackReady, '3: a run that settled changed READY');
}

export function assertSettledTwice(once: SyncState, twice: SyncState): void {
  must(once === twice, '5: a run that settled twice was counted twice');
}

/** Nothing that could be repaired is missing at the end, but what no look could show. */
export function assertRepaired(vmSync: VmSync, key: DirectionKey, active: DirectionKey): void {
  const { world, settings } = vmSync;
  const { state, ledger } = vmSync.load();
  const mark = state.marks[key];
  // Older than the first check only what the active site has is looked for.
  const wanted = key === active || mark === null ? undefined : marked(mark);
  const edgeMs = edgeOf(world, key === 'primary-to-dr' ? 'primary' : 'dr');
  for (const one of intolerable(world, key, settings.threshold)) {
    if (one.atMs <= edgeMs || one.atMs > (mark?.throughMs ?? 0)) continue;
    if (wanted !== undefined && !within(one.atMs, wanted)) continue;
    must(
      ledger.seen.get(`${key} ${one.series} ${one.atMs}`) !== one.sinceMs,
      `2: ${one.series} at ${new Date(bucketOf(one.atMs).toMs).toISOString()} is still missing`,
    );
  }
}
