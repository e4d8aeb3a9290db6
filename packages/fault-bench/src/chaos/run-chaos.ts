import { setTimeout as sleep } from 'node:timers/promises';
import { SITES } from '@vm-sync/core';
import { countSamples, diffRaw, until } from '@vm-sync/testkit';
import { type Disturbance, type Heal, inject } from './inject.ts';
import { auditSite } from './ledger.ts';
import { obeyAdvice } from './operator.ts';
import { type Pair, passive, type Shape, shapeOf, startPair } from './pair.ts';
import { type PlannedFault, planFaults } from './plan-faults.ts';
import { type Usage, usageOf } from './usage.ts';
import { type Watched, watchReady } from './watch.ts';

export interface ChaosOptions {
  readonly seed: number;
  readonly lengthMs: number;
  /** Hears of every line of the timeline as it happens. */
  readonly onLine?: (line: string) => void;
}

/** What a run without a violation did. */
export interface ChaosResult {
  readonly seed: number;
  readonly shape: Shape;
  readonly tookMs: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly samplesWritten: number;
  /** What the collector's faults kept from a site, by site. */
  readonly samplesLost: Readonly<Record<string, number>>;
  /** What both vm-syncs count as repaired. */
  readonly samplesRepaired: number;
  /** At the end, only on the passive site; told as such by vm-sync. */
  readonly onlyOnPassive: number;
  readonly backfills: number;
  readonly seen: Watched;
  /** Memory and handles of each process that lived from the first minute to the end. */
  readonly usage: readonly Usage[];
}

/** The run found something that must not be. The message has the seed, the violations and the timeline. */
export class ChaosViolation extends Error {
  override name = 'ChaosViolation';
}

/** After the last fault: READY waits until all of it has settled, on a machine that is busy. */
const RECOVER_MS = 300_000;

/**
 * Breaks a pair at random, as `seed` decides, for so long; then heals it and waits for READY. Throws `ChaosViolation`
 * at the first READY that is false, at a process that ends by itself, a sample that is doubled, invented or lost, and
 * when the sites do not come to be equal.
 */
export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const { seed, lengthMs } = options;
  const startedMs = Date.now();
  const timeline: string[] = [];
  const violations: string[] = [];
  const stop = new AbortController();
  const note = (text: string): void => {
    const line = `${((Date.now() - startedMs) / 1000).toFixed(1).padStart(7)} s  ${text}`;
    timeline.push(line);
    options.onLine?.(line);
  };
  const violate = (text: string): void => {
    violations.push(text);
    note(`VIOLATION ${text}`);
    stop.abort();
  };
  await using pair = await startPair(seed, violate);
  const fail = (): never => {
    throw new ChaosViolation(storyOf(seed, violations, timeline, pair));
  };
  try {
    const result = await broken(pair, { seed, lengthMs, note, violate, stop: stop.signal });
    if (violations.length > 0) fail();
    return { ...result, seed, shape: shapeOf(seed), tookMs: Date.now() - startedMs };
  } catch (error) {
    if (error instanceof ChaosViolation) throw error;
    if (violations.length === 0) violations.push(String(error));
    return fail();
  }
}

interface Course {
  readonly seed: number;
  readonly lengthMs: number;
  readonly note: (text: string) => void;
  readonly violate: (text: string) => void;
  readonly stop: AbortSignal;
}

type Outcome = Omit<ChaosResult, 'seed' | 'shape' | 'tookMs'>;

async function broken(pair: Pair, course: Course): Promise<Outcome> {
  const { note, stop } = course;
  const disturbances: Disturbance[] = [];
  note(`pair of ${JSON.stringify(pair.shape)}`);
  await using watch = watchReady(pair, disturbances, course.violate);
  await using operator = obeyAdvice(pair, note);
  const usage = usageOf(pair);
  const faults = await storm(pair, course, disturbances);
  stop.throwIfAborted();
  note('every fault has ended');
  await untilReady(pair, stop, 0);
  // What is written until now has to settle once more, without another sample.
  await pair.collector.stop();
  const stoppedMs = Date.now();
  note('the collector has stopped');
  await untilReady(pair, stop, stoppedMs);
  stop.throwIfAborted();
  const onlyOnPassive = await compareAtEnd(pair, disturbances, course.violate);
  const { collector } = pair;
  const written = countSamples(collector.written());
  const [a, b] = [await pair.a.state(), await pair.b.state()];
  return {
    faults,
    samplesWritten: written,
    samplesLost: Object.fromEntries(
      SITES.map((site, target) => [site, written - countSamples(collector.delivered(target))]),
    ),
    samplesRepaired: (a?.samples_synced ?? 0) + (b?.samples_synced ?? 0),
    onlyOnPassive,
    backfills: operator.backfills(),
    seen: watch.seen,
    usage: await usage.end(),
  };
}

/** Injects and heals by plan; every fault has ended when it returns. Gives how many of each kind there were. */
async function storm(
  pair: Pair,
  { seed, lengthMs, note, violate, stop }: Course,
  disturbances: Disturbance[],
): Promise<Record<string, number>> {
  const fromMs = Date.now();
  const counts: Record<string, number> = {};
  const disturb = (site: Disturbance['site'], kind: Disturbance['kind']): Disturbance => {
    // Lasts until it says that it has ended.
    const one = { site, kind, fromMs: Date.now(), toMs: Number.POSITIVE_INFINITY };
    disturbances.push(one);
    return one;
  };
  const at = (atMs: number) =>
    sleep(Math.max(0, fromMs + atMs - Date.now()), undefined, { signal: stop });
  // Mending takes its time too: what is planned for the same part next waits for it.
  const busy = new Map<string, Promise<void>>();
  const one = (fault: PlannedFault): Promise<void> => {
    const before = busy.get(fault.part);
    const done = doOne(fault, before);
    busy.set(fault.part, done);
    return done;
  };
  const doOne = async (fault: PlannedFault, before: Promise<void> | undefined): Promise<void> => {
    let heal: Heal | undefined;
    try {
      await at(fault.atMs);
      await before;
      stop.throwIfAborted();
      const { detail, heal: mend } = await inject({ pair, disturb }, fault);
      heal = mend;
      note(`+ ${fault.kind} ${fault.part} ${detail}`);
      if (!detail.startsWith('left out')) counts[fault.kind] = (counts[fault.kind] ?? 0) + 1;
      await at(fault.endMs);
    } catch (error) {
      if (!stop.aborted) violate(`${fault.kind} ${fault.part} could not be done: ${String(error)}`);
    }
    await heal?.();
    note(`- ${fault.kind} ${fault.part}`);
  };
  await Promise.all([...planFaults({ seed, lengthMs }).map(one), at(lengthMs).catch(() => {})]);
  return counts;
}

/** Both vm-syncs say READY, by a mark beyond `throughMs`. */
async function untilReady(pair: Pair, stop: AbortSignal, throughMs: number): Promise<void> {
  await until(
    'READY of both vm-syncs after the last fault',
    async () => {
      if (stop.aborted) return true;
      for (const { state } of [pair.a, pair.b]) {
        const seen = await state();
        const through =
          seen?.verified_through[pair.active === 'primary' ? 'primary-to-dr' : 'dr-to-primary'];
        const fits =
          seen?.failback_ready &&
          seen.active_site === pair.active &&
          Date.parse(through ?? '') > throughMs;
        if (!fits) throw new Error(JSON.stringify({ ...seen, detail: undefined }));
      }
      return true;
    },
    { deadlineMs: RECOVER_MS, everyMs: 200 },
  );
}

/** Everything that both hold, sample by sample. Gives what only the passive site has. */
async function compareAtEnd(
  pair: Pair,
  disturbances: readonly Disturbance[],
  violate: (text: string) => void,
): Promise<number> {
  const { stack, collector, active, shape } = pair;
  const held = { primary: await stack.primary.vm.export(), dr: await stack.dr.vm.export() };
  const { onlyA, onlyB, differing, duplicatesA, duplicatesB, examples } = diffRaw(
    held[active],
    held[passive(pair)],
  );
  if (onlyA > 0) violate(`${passive(pair)} lacks ${onlyA} samples at the end: ${examples[0]}`);
  if (differing > 0) violate(`${differing} samples have two values: ${examples[0]}`);
  if (duplicatesA + duplicatesB > 0) {
    violate(`${duplicatesA} samples are stored twice on ${active}, ${duplicatesB} on the other`);
  }
  if (onlyB > 0 && shape.direction === 'both') {
    violate(`${active} lacks ${onlyB} samples with SYNC_DIRECTION=both: ${examples[0]}`);
  }
  const named = (await pair.a.state())?.only_on_passive?.samples ?? 0;
  if (onlyB > 0 && named === 0) violate(`${onlyB} samples are only on the passive site, unsaid`);
  const written = collector.written();
  for (const [target, site] of SITES.entries()) {
    const delivered = collector.delivered(target);
    const faults = auditSite(site, held[site], { written, delivered }, disturbances);
    if (faults.length > 0) violate(`${faults.length} × ${faults[0]}`);
  }
  return onlyB;
}

function storyOf(
  seed: number,
  violations: readonly string[],
  timeline: readonly string[],
  { stack }: Pair,
): string {
  return [
    `seed ${seed}: ${violations.length} violations`,
    ...violations.map((text) => `  ${text}`),
    'timeline:',
    ...timeline.map((line) => `  ${line}`),
    stack.story(),
  ].join('\n');
}
