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
};

export type Writer = {
  /** Sends nothing more to a target, until `mend`; what it misses meanwhile is lost to it. */
  cut(target: number): void;
  mend(target: number): void;
  /** Everything that was made so far, delivered or not. */
  written(): Series[];
  /** What a target answered with success. A request that timed out may have been stored as well. */
  delivered(target: number): Series[];
  /** Ends the writing when the last requests are answered. */
  stop(): Promise<void>;
};

type Tick = { timeMs: number; delivered: Set<number> };

type Target = Access & { url: string; cut: boolean; waiting: Tick[]; sending: Promise<void> };

const sendLimitMs = 10_000;

/**
 * Writes one sample per series to every target at every interval, as a collector with two exporters does:
 * a slow target gets its samples later, one that fails loses those it was just sent.
 */
export function startWriter(options: WriterOptions): Writer {
  const { seriesCount: count, intervalMs, ...shape } = options;
  const targets = options.targets.map(targetOf);
  const shapes = makeSeries({ ...shape, count, fromMs: 0, toMs: 0, stepMs: 1 });
  const ticks: Tick[] = [];

  const seriesOf = (some: readonly Tick[]): Series[] =>
    shapes.map(({ labels }, index) => ({
      labels,
      timestamps: some.map(({ timeMs }) => timeMs),
      values: some.map(({ timeMs }) => (Math.floor(timeMs / intervalMs) % 10_000) + index),
    }));

  const sendWaiting = async (target: Target, index: number): Promise<void> => {
    const batch = target.waiting.splice(0);
    if (batch.length === 0) return;
    try {
      await importSeries(target.url, seriesOf(batch), { ...target, timeoutMs: sendLimitMs });
      for (const tick of batch) tick.delivered.add(index);
    } catch {
      // lost, as `delivered` says
    }
  };

  const timer = setInterval(() => {
    const tick: Tick = { timeMs: Date.now(), delivered: new Set() };
    ticks.push(tick);
    for (const [index, target] of targets.entries()) {
      if (target.cut) continue;
      target.waiting.push(tick);
      target.sending = target.sending.then(() => sendWaiting(target, index));
    }
  }, intervalMs);

  const setCut = (index: number, cut: boolean): void => {
    const target = targets[index];
    if (target === undefined) throw new Error(`there is no target ${index}`);
    target.cut = cut;
    if (cut) target.waiting = [];
  };

  return {
    cut: (index) => setCut(index, true),
    mend: (index) => setCut(index, false),
    written: () => seriesOf(ticks),
    delivered: (index) => seriesOf(ticks.filter((tick) => tick.delivered.has(index))),
    async stop() {
      clearInterval(timer);
      await Promise.all(targets.map(({ sending }) => sending));
    },
  };
}

function targetOf(target: string | (Access & { url: string })): Target {
  const { url, auth, ca } = typeof target === 'string' ? { url: target } : target;
  return { url, auth, ca, cut: false, waiting: [], sending: Promise.resolve() };
}
