import type { Access } from './http.ts';
import { importSeries } from './import-series.ts';
import { makeSeries, type Series } from './series.ts';

export type WriterOptions = {
  /** Base URLs, or servers with their login. */
  targets: readonly (string | (Access & { url: string }))[];
  seriesCount: number;
  /** Milliseconds between two samples of a series. */
  intervalMs: number;
  names?: readonly string[];
  labels?: Record<string, string>;
  /** How long a target may take to answer; what it was just sent counts as lost after that. */
  sendLimitMs?: number;
};

export type Writer = {
  /** Sends nothing more to a target, until `mend`; what it misses meanwhile is lost to it. */
  cut(target: number): void;
  mend(target: number): void;
  /** Of what comes from now on, a target gets only so many samples of a hundred, each series others. */
  thin(target: number, percent: number): void;
  /** Keeps what a target should get, until `release` sends it, late. */
  hold(target: number): void;
  release(target: number): void;
  /** Everything that was made so far, delivered or not. */
  written(): Series[];
  /** What a target answered with success. A request that timed out may have been stored as well. */
  delivered(target: number): Series[];
  /** Ends the writing when the last requests are answered. */
  stop(): Promise<void>;
};

/** `percent`: by target, how much of it is sent there at all. */
type Tick = { timeMs: number; delivered: Set<number>; percent: readonly number[] };

type Target = Access & {
  url: string;
  cut: boolean;
  held: boolean;
  percent: number;
  waiting: Tick[];
  sending: Promise<void>;
};

/**
 * Writes one sample per series to every target at every interval, as a collector with two exporters does:
 * a slow target gets its samples later, one that fails loses those it was just sent.
 */
export function startWriter(options: WriterOptions): Writer {
  const { seriesCount: count, intervalMs, sendLimitMs = 10_000, ...shape } = options;
  const targets = options.targets.map(targetOf);
  const shapes = makeSeries({ ...shape, count, fromMs: 0, toMs: 0, stepMs: 1 });
  const ticks: Tick[] = [];

  /** The samples of some ticks: all of them, or those that are sent to a target. */
  const seriesOf = (some: readonly Tick[], target?: number): Series[] =>
    shapes.map(({ labels }, index) => {
      const own = target === undefined ? some : some.filter((tick) => isSent(tick, index, target));
      return {
        labels,
        timestamps: own.map(({ timeMs }) => timeMs),
        values: own.map(({ timeMs }) => (Math.floor(timeMs / intervalMs) % 10_000) + index),
      };
    });

  const sendWaiting = async (target: Target, index: number): Promise<void> => {
    if (target.held) return;
    const batch = target.waiting.splice(0);
    const series = seriesOf(batch, index).filter(({ timestamps }) => timestamps.length > 0);
    if (series.length === 0) return;
    try {
      await importSeries(target.url, series, { ...target, timeoutMs: sendLimitMs });
      for (const tick of batch) tick.delivered.add(index);
    } catch {
      // lost, as `delivered` says
    }
  };

  const timer = setInterval(() => {
    const percent = targets.map((target) => target.percent);
    const tick: Tick = { timeMs: Date.now(), delivered: new Set(), percent };
    ticks.push(tick);
    for (const [index, target] of targets.entries()) {
      if (target.cut) continue;
      target.waiting.push(tick);
      send(target, index);
    }
  }, intervalMs);

  const send = (target: Target, index: number): void => {
    target.sending = target.sending.then(() => sendWaiting(target, index));
  };

  const targetAt = (index: number): Target => {
    const target = targets[index];
    if (target === undefined) throw new Error(`there is no target ${index}`);
    return target;
  };

  return {
    cut: (index) => Object.assign(targetAt(index), { cut: true, waiting: [] }),
    mend: (index) => Object.assign(targetAt(index), { cut: false, percent: 100 }),
    thin: (index, percent) => Object.assign(targetAt(index), { percent }),
    hold: (index) => Object.assign(targetAt(index), { held: true }),
    release: (index) => send(Object.assign(targetAt(index), { held: false }), index),
    written: () => seriesOf(ticks),
    delivered: (index) =>
      seriesOf(
        ticks.filter((tick) => tick.delivered.has(index)),
        index,
      ),
    async stop() {
      clearInterval(timer);
      await Promise.all(targets.map(({ sending }) => sending));
    },
  };
}

function targetOf(target: string | (Access & { url: string })): Target {
  const { url, auth, ca } = typeof target === 'string' ? { url: target } : target;
  const open = { cut: false, held: false, percent: 100 };
  return { url, auth, ca, ...open, waiting: [], sending: Promise.resolve() };
}

/** Which samples a thinned target gets: spread evenly by a multiplicative hash (Knuth), the same whenever it is asked. */
function isSent({ timeMs, percent }: Tick, series: number, target: number): boolean {
  const mixed = Math.imul(timeMs ^ (series << 20) ^ (target << 28), 0x9e3779b1) >>> 0;
  return (mixed / 2 ** 32) * 100 < (percent[target] ?? 100);
}
