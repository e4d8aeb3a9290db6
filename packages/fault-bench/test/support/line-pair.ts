import { setTimeout as sleep } from 'node:timers/promises';
import {
  type ActiveSite,
  afterCheck,
  type Chunk,
  comparedScope,
  directionFrom,
  EMPTY_STATE,
  parseSelectors,
  type SyncState,
} from '@vm-sync/core';
import {
  type CheckResult,
  type ChunkOutcome,
  checkGaps,
  NOTHING_SET_ASIDE,
  type Plan,
  repairChunk,
} from '@vm-sync/steps';
import {
  diffRaw,
  type FaultProxy,
  filterSamples,
  makeSeries,
  type RawDifference,
  type Series,
  startFaultProxy,
  startVictoriaMetrics,
  type VmServer,
  type VmVersion,
} from '@vm-sync/testkit';
import { type Databases, openDatabases, transferBetween } from '@vm-sync/victoria-metrics';

const minute = 60_000;

/** Two real databases that many cells use side by side, each with series of its own. Primary is the source. */
export interface LinePair {
  readonly primary: VmServer;
  readonly dr: VmServer;
}

export async function startLinePair(
  [primary, dr]: readonly [VmVersion, VmVersion],
  options: { dedup?: string } = {},
): Promise<LinePair> {
  const [one, other] = await Promise.all([
    startVictoriaMetrics({ version: primary, ...options }),
    startVictoriaMetrics({ version: dr, ...options }),
  ]);
  return { primary: one, dr: other };
}

/** What the destination lacks of a cell's series. */
export interface LineLoss {
  readonly all: readonly Series[];
  readonly left: readonly Series[];
}

/** Silence that a database is given: whoever waits for longer is told. */
const SILENCE_MS = 2_000;

/** Waits of a chunk are for what a flush makes visible at once; this much is for what is still on its way. */
const WAIT_MOST_MS = 100;

const direction = directionFrom('primary');

const active: ActiveSite = {
  site: 'primary',
  reason: 'test',
  witnesses: [],
  mayWrite: true,
  whyNoWriting: null,
  epoch: 1,
};

/** One cell of the matrix: series that nobody else has, behind lines of its own that may break. */
export class LineCell implements AsyncDisposable {
  readonly source: FaultProxy;
  readonly destination: FaultProxy;
  readonly databases: Databases;
  readonly #pair: LinePair;
  readonly #match: string;
  #state: SyncState = EMPTY_STATE;

  private constructor(pair: LinePair, name: string, proxies: readonly [FaultProxy, FaultProxy]) {
    [this.source, this.destination] = proxies;
    this.#pair = pair;
    this.#match = `{__name__!="",cell="${name}"}`;
    this.databases = openDatabases({
      primary: { url: this.source.url, silenceMs: SILENCE_MS },
      dr: { url: this.destination.url, silenceMs: SILENCE_MS },
    });
  }

  static async start(
    pair: LinePair,
    name: string,
    loss: (name: string) => LineLoss,
  ): Promise<LineCell> {
    const { all, left } = loss(name);
    await Promise.all([pair.primary.import(all), pair.dr.import(left)]);
    await Promise.all([pair.primary.flush(), pair.dr.flush()]);
    const proxies = await Promise.all([
      startFaultProxy({ target: pair.primary.url }),
      startFaultProxy({ target: pair.dr.url }),
    ]);
    return new LineCell(pair, name, proxies);
  }

  /** Remembered between checks; READY is said after one clean check. */
  get state(): SyncState {
    return this.#state;
  }

  async check(): Promise<CheckResult> {
    const result = await checkGaps(
      {
        sites: this.databases,
        resolveActive: async () => active,
        now: Date.now,
        setAside: async () => NOTHING_SET_ASIDE,
        setAsideRecoveries: async () => NOTHING_SET_ASIDE,
      },
      {
        role: 'primary',
        scope: comparedScope(parseSelectors(this.#match), []),
        stepMs: minute,
        settleMs: minute,
        queryWindowMs: 10 * minute,
        threshold: 1,
        proveMs: 10_000,
        surveyMs: 1_000,
        surplusMs: 1_000,
        recover: 'asked',
      },
      this.#state,
    );
    this.#state = afterCheck(result.state, result.report, 1).state;
    return result;
  }

  repair(chunk: Chunk, plan: Plan, attempt: number): Promise<ChunkOutcome> {
    const { primary: source, dr: destination } = this.databases;
    return repairChunk(chunk, {
      pair: { direction, source, destination },
      transfer: transferBetween(this.databases, direction),
      stepMs: plan.stepMs,
      dedupMs: plan.dedupMs,
      attempt,
      mayHaveBegun: attempt > 1,
      assertOrderHolds: async () => {},
      say: () => {},
      timeouts: 0,
      onBytes: async () => {},
      wait: (ms) => sleep(Math.min(ms, WAIT_MOST_MS)),
      signal: new AbortController().signal,
    });
  }

  /** Sample by sample: A is the source, B the destination. */
  async difference(window: { fromMs?: number; toMs?: number } = {}): Promise<RawDifference> {
    const request = { match: [this.#match], ...window };
    const { primary, dr } = this.#pair;
    await dr.flush();
    return diffRaw(await primary.export(request), await dr.export(request));
  }

  setFaults(faults: Parameters<FaultProxy['setFault']>[0]): void {
    for (const proxy of [this.source, this.destination]) proxy.setFault(faults);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.databases.primary.close(), this.databases.dr.close()]);
    await Promise.all([this.source.stop(), this.destination.stop()]);
  }
}

/** Five series with a sample every 15 s for 12 minutes. */
function seriesOf(cell: string): Series[] {
  const toMs = Math.floor(Date.now() / minute) * minute;
  return makeSeries({
    count: 5,
    names: ['line_samples'],
    labels: { cell },
    fromMs: toMs - 12 * minute,
    toMs,
    stepMs: 15_000,
  });
}

/** All series lack two minutes: copied as JSON lines. */
export function hole(cell: string): LineLoss {
  const all = seriesOf(cell);
  const at = lossAt(all);
  return { all, left: filterSamples(all, (timeMs) => timeMs <= at || timeMs > at + 2 * minute) };
}

/** Each series lacks every third sample of four minutes: copied by difference. */
export function scattered(cell: string): LineLoss {
  const all = seriesOf(cell);
  const at = lossAt(all);
  const inside = (timeMs: number) => timeMs > at && timeMs <= at + 4 * minute;
  return {
    all,
    left: filterSamples(all, (timeMs) => !inside(timeMs) || (timeMs / 15_000) % 3 !== 0),
  };
}

/** Dense series that the destination lacks: copied as native blocks, where both read the same and deduplicate alike. */
export function dense(cell: string): LineLoss {
  const toMs = Math.floor(Date.now() / minute) * minute;
  const all = makeSeries({
    count: 3,
    names: ['line_dense'],
    labels: { cell },
    fromMs: toMs - 9 * minute,
    toMs,
    stepMs: 500,
  });
  return { all, left: filterSamples(all, (timeMs) => timeMs > toMs - 2 * minute) };
}

const lossAt = (all: readonly Series[]): number => (all[0]?.timestamps.at(-1) ?? 0) - 7 * minute;
