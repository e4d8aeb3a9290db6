import { SITES, type Site, VmSyncError } from '@vm-sync/core';
import { labelsOf, SCOPE } from '../../core/test/model/compare.ts';
import type {
  CheckAnswer,
  CheckQuestion,
  CopyQuestion,
  Eyes,
  Trouble,
} from '../../core/test/model/eyes.ts';
import {
  QUERY_WINDOW_MS,
  type Sample,
  SERIES,
  SETTLE_MS,
  STEP_MS,
  type World,
} from '../../core/test/model/world.ts';
import { checkGaps, repairChunk } from '../src/index.ts';
import type { SelectionRequest, Transfer } from '../src/ports.ts';
import { FakeDatabase, fakeTransfer } from './fake-database.ts';

/** The steps themselves, on databases in memory that hold what the model's world holds. */
export const stepsEyes: Eyes = { check, repair };

const EVERYTHING = { from: 0, to: Number.MAX_SAFE_INTEGER };

function databaseOf(world: World, site: Site): FakeDatabase {
  const database = new FakeDatabase(site);
  for (const series of SERIES) {
    const window = { fromMs: EVERYTHING.from, toMs: EVERYTHING.to };
    const samples = world.samplesIn(site, series, window);
    if (samples.length > 0) database.store(labelsOf(series), samples);
  }
  database.observe = async () => world.observe(site);
  return database;
}

async function check(question: CheckQuestion): Promise<CheckAnswer> {
  const { world, active, settings, trouble, state } = question;
  const sites = { primary: databaseOf(world, 'primary'), dr: databaseOf(world, 'dr') };
  const source = active.site === 'unknown' ? 'primary' : active.site;
  for (const site of SITES) {
    const silent = site === source ? 'source silent' : 'destination silent';
    if (trouble !== silent) continue;
    sites[site].observe = () => Promise.reject(new VmSyncError('retryable', `${site} is silent`));
  }
  breakQueries(Object.values(sites), trouble);
  const hasTime = trouble !== 'no time';
  let nowMs = world.clockMs;
  const answer = await checkGaps(
    {
      sites,
      resolveActive: async () => active,
      // Where there is little time, every look at the clock takes some.
      now: () => (hasTime ? nowMs : nowMs++),
      setAside: async (direction) => question.setAside(direction),
      setAsideRecoveries: async (direction, isWanted) =>
        question.setAsideRecoveries(direction, isWanted),
    },
    {
      role: 'primary',
      scope: [SCOPE],
      stepMs: STEP_MS,
      settleMs: SETTLE_MS,
      queryWindowMs: QUERY_WINDOW_MS,
      threshold: settings.threshold,
      proveMs: hasTime ? 60_000 : -1,
      surveyMs: hasTime ? 60_000 : 3,
      surplusMs: hasTime ? 60_000 : -1,
      recover: settings.both ? 'everything' : 'asked',
    },
    state,
  );
  return { ...answer, report: { ...answer.report, atMs: world.clockMs, tookMs: 0 } };
}

const QUERIES = [
  'totalSamples',
  'countsBy',
  'newestSample',
  'counts',
  'timestamps',
  'labelValues',
] as const;
const STREAMS = ['tally', 'prints', 'sums'] as const;

/** The query of that number fails: once, from then on, in the middle of its answer, or it leaves out a row. */
function breakQueries(databases: readonly FakeDatabase[], trouble: Trouble): void {
  const number = Number(/^query (\d+) fails$/.exec(trouble)?.[1] ?? 0);
  if (number === 0) return;
  const way = (['once', 'from then on', 'in the middle', 'a row less'] as const)[number % 4];
  let asked = 0;
  let isCut = false;
  const fails = (): boolean => {
    asked += 1;
    return way === 'from then on' ? asked >= number : asked === number;
  };
  const failure = () => new VmSyncError('retryable', 'the query failed: 503');
  for (const database of databases) {
    for (const name of QUERIES) {
      const ask = database[name].bind(database) as (request: never) => Promise<unknown>;
      const broken = async (request: never) => {
        const hit = fails();
        if (way !== 'a row less') {
          if (hit) throw failure();
          return ask(request);
        }
        // The next export, because most queries have no rows.
        if (name !== 'timestamps' || isCut || asked < number) return ask(request);
        isCut = true;
        return withoutRow((await ask(request)) as Rows);
      };
      Object.assign(database, { [name]: broken });
    }
    for (const name of STREAMS) {
      const ask = database[name].bind(database) as (request: never) => AsyncIterable<unknown>;
      const broken = async function* (request: never) {
        const hit = fails();
        if (hit && way !== 'in the middle' && way !== 'a row less') throw failure();
        for await (const one of ask(request)) {
          yield one;
          if (hit) throw failure();
        }
      };
      Object.assign(database, { [name]: broken });
    }
  }
}

type Rows = Map<string, Float64Array>;

const withoutRow = (rows: Rows): Rows =>
  new Map([...rows].map(([key, timestamps]) => [key, timestamps.slice(0, -1)]));

async function repair({ world, direction, chunk, trouble, send }: CopyQuestion): Promise<number> {
  const source = databaseOf(world, direction.source);
  const destination = databaseOf(world, direction.destination);
  const before = counted(destination);
  let imported = 0;
  const keep = () => {
    imported += 1;
    return trouble !== 'drops every second sample' || imported % 2 === 1;
  };
  const transfer = fakeTransfer(source, destination, keep);
  try {
    const { samples } = await repairChunk(chunk, {
      pair: { direction, source, destination },
      transfer: trouble === 'connection cut' ? cut(transfer, destination) : transfer,
      stepMs: STEP_MS,
      dedupMs: 0,
      attempt: 1,
      mayHaveBegun: false,
      timeouts: 0,
      assertOrderHolds: async () => {},
      say: () => {},
      onBytes: async () => {},
      wait: async () => {},
      signal: new AbortController().signal,
    });
    return samples;
  } finally {
    // Also what a copy that failed has brought there.
    send(added(before, counted(destination)));
  }
}

/** How often each sample is stored. */
function counted(database: FakeDatabase): Map<string, number> {
  const times = new Map<string, number>();
  for (const [key, timestamps] of database.raw()) {
    const series = SERIES.find((one) => key.includes(`"${one}"`));
    for (const atMs of timestamps) {
      const id = `${series} ${atMs}`;
      times.set(id, (times.get(id) ?? 0) + 1);
    }
  }
  return times;
}

function added(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): Sample[] {
  return [...after].flatMap(([id, times]) => {
    const [series, at] = id.split(' ') as [Sample['series'], string];
    const more = times - (before.get(id) ?? 0);
    return Array.from({ length: more }, () => ({ series, atMs: Number(at) }));
  });
}

/** A copy that brings the first half of its samples and breaks off. */
function cut(transfer: Transfer, destination: FakeDatabase): Transfer {
  const half = async (request: SelectionRequest, copy: () => Promise<unknown>): Promise<never> => {
    const middle = (request.window.fromMs + request.window.toMs) / 2;
    const store = destination.store.bind(destination);
    destination.store = (labels, timestamps) =>
      store(
        labels,
        timestamps.filter((atMs) => atMs <= middle),
      );
    await copy();
    throw new VmSyncError('retryable', 'the connection was cut');
  };
  return {
    ...transfer,
    copyNative: (request) => half(request, () => transfer.copyNative(request)),
    copyLines: (request) => half(request, () => transfer.copyLines(request)),
    copyMissing: (present, dedupMs, request) =>
      half(request, () => transfer.copyMissing(present, dedupMs, request)),
  };
}
