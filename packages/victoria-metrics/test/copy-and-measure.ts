import type { Window } from '@vm-sync/core';
import { copyLines, copyMissing, copyNative, VictoriaMetrics } from '../src/index.ts';

/** Run as a process of its own: does one thing at the given address and prints how far its memory grew. */
const [, , kind = '', url = ''] = process.argv;
const window: Window = { fromMs: 0, toMs: 86_400_000 };
/** Around all the samples of the lines; it does not end at midnight, where what lies behind it is dropped. */
const wide: Window = { fromMs: 0, toMs: 2_000_000_000_000 };
const source = new VictoriaMetrics({ site: 'primary', url });
const destination = new VictoriaMetrics({ site: 'dr', url });
const selector = '{__name__!=""}';
const request = { selectors: [selector], window: wide };

const kinds: Record<string, () => Promise<unknown>> = {
  lines: async () => (await copyLines(source.endpoint, destination.endpoint, request)).samples,
  native: async () => (await copyNative(source.endpoint, destination.endpoint, request)).bytes,
  async missing() {
    const { endpoint } = source;
    return (await copyMissing(endpoint, destination.endpoint, new Map(), 0, request)).samples;
  },
  observe: () => source.observe(),
  async tally() {
    let samples = 0;
    for await (const series of source.tally({ selector, window, stepMs: 300_000 })) {
      for (const count of series.samples) samples += count;
    }
    return samples;
  },
};

const act = kinds[kind];
if (act === undefined) throw new Error(`cannot measure ${kind}`);
const before = process.memoryUsage.rss();
let highest = before;
const timer = setInterval(() => {
  highest = Math.max(highest, process.memoryUsage.rss());
}, 20);
const result = await act();
clearInterval(timer);
console.log(JSON.stringify({ result, grownMb: Math.round((highest - before) / 1e6) }));
await source.close();
await destination.close();
