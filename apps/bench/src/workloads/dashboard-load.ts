import { askFast, askSteadily, type Latencies, openPages } from '../load.ts';
import { median, type Row } from '../results.ts';
import type { Bench, Workload } from '../workload.ts';
import { makeLiveSource, startProven } from './clean-check.ts';

const PAGES = 100;
const PER_SECOND = 1_000;
const FOR_MS = 10_000;

interface Timed extends Latencies {
  /** Of the dashboard; other than a time it does not depend on what else the machine does. */
  readonly processorMs: number;
}

interface Round {
  readonly health: Timed;
  readonly parity: Timed;
  readonly alone: Timed;
  readonly beside: Timed;
}

const each = ({ processorMs, requests }: Timed): number => processorMs / requests;

/** Load balancers that ask all the time, and everybody looking at the page: what a failback hangs on must be answered. */
export const dashboardLoad: Workload = {
  name: 'dashboard-load',
  about: `/healthz and /parity by ${PER_SECOND} requests a second, alone and with ${PAGES} open pages beside them`,
  async run(bench: Bench) {
    const source = await makeLiveSource(bench, bench.sources.series(1_000));
    await using ends = new AsyncDisposableStack();
    const { vmSync } = await startProven(source, ends);
    const url = await vmSync.startDashboard();
    const paths = ['/healthz', '/parity/primary', '/parity/dr'].map((path) => url + path);
    const timed = async (asking: Promise<Latencies>): Promise<Timed> => {
      const before = vmSync.processorMs('dashboard');
      const latencies = await asking;
      return { ...latencies, processorMs: vmSync.processorMs('dashboard') - before };
    };
    const rounds: Round[] = [];
    for (let round = 0; round < bench.rounds; round++) {
      // READY ends with its certificate: it is renewed here, because no check comes by itself.
      await vmSync.check();
      const health = await timed(askFast(`${url}/healthz`, FOR_MS));
      const parity = await timed(askFast(`${url}/parity/primary`, FOR_MS));
      const alone = await timed(askSteadily(paths, PER_SECOND, FOR_MS));
      const people = new AbortController();
      const pages = openPages(url, PAGES, people.signal);
      const beside = await timed(askSteadily(paths, PER_SECOND, FOR_MS));
      people.abort();
      await pages;
      rounds.push({ health, parity, alone, beside });
      bench.say(`  round ${round + 1}: ${JSON.stringify(rounds.at(-1))}`);
    }
    const of = (pick: (round: Round) => number) => median(rounds.map(pick));
    const row = (measure: string, unit: Row['unit'], ours: number): Row => ({
      workload: 'dashboard-load',
      measure,
      unit,
      ours,
    });
    const besides = (share: 'p50Ms' | 'p99Ms' | 'mostMs', name: string): Row => ({
      ...row(
        `${name} with ${PAGES} open pages beside`,
        'ms',
        of(({ beside }) => beside[share]),
      ),
      yardstick: { name: 'without them', value: of(({ alone }) => alone[share]) },
    });
    return {
      rows: [
        row(
          '/healthz as fast as can be',
          '/s',
          of(({ health }) => health.perSecond),
        ),
        row(
          '/parity/primary as fast as can be',
          '/s',
          of(({ parity }) => parity.perSecond),
        ),
        row(
          'processor time of /healthz',
          'ms',
          of(({ health }) => each(health)),
        ),
        row(
          'processor time of /parity/primary',
          'ms',
          of(({ parity }) => each(parity)),
        ),
        {
          ...row(
            `processor time of ${PER_SECOND} requests with ${PAGES} open pages beside`,
            'ms',
            of(({ beside }) => each(beside) * PER_SECOND),
          ),
          yardstick: {
            name: 'without them',
            value: of(({ alone }) => each(alone) * PER_SECOND),
          },
        },
        besides('p50Ms', `median of ${PER_SECOND} requests a second`),
        besides('p99Ms', '99th percentile'),
        besides('mostMs', 'the slowest'),
      ],
      notes: [
        `50 connections, each figure over ${FOR_MS / 1_000} s; a third of the ${PER_SECOND} requests asks /healthz, the others /parity, timed from when each was due; ` +
          'every answer was 200; the asking process shares the machine; a page asks every 750 ms with its ETag',
        `the dashboard's peak memory: ${Math.round(vmSync.peakBytes('dashboard') / 2 ** 20)} MiB`,
      ],
      rounds: { 'vm-sync': rounds },
    };
  },
};
