import { type GapMap, type GapMaps, makeRepairKit } from '@vm-sync/core';
import {
  connect,
  openQueue,
  PaceStore,
  type PastCheck,
  PREFIX,
  QUEUES,
  type Status,
} from '@vm-sync/queue';
import { until } from '@vm-sync/testkit';
import { FlowProducer, Worker } from 'bullmq';
import {
  type Bench,
  chunkOrder,
  gapsStatus,
  openRun,
  readyStatus,
  unknownStatus,
} from './setup.ts';

const STEP_MS = 300_000;
const COLUMNS = 36;
const PER_COLUMN = 600;

type Loss = (device: number, column: number) => number;

/** An outage of all devices, and two that lose samples before and after it. */
const OUTAGE: Loss = (device, column) => {
  if (device === 3 && column > 8 && column < 30) return column % 3 === 0 ? 0.35 : 0.06;
  if (device === 7 && column > 14) return 1;
  if (column >= 16 && column < 25) return column === 16 || column === 24 ? 0.6 : 1;
  return 0;
};

/** The newest half of the outage is repaired already. */
const HALF_REPAIRED: Loss = (device, column) =>
  column < 21 || device === 7 ? OUTAGE(device, column) : 0;

function mapOf(loss: Loss, nowMs: number): GapMap {
  const toMs = Math.floor((nowMs - 180_000) / STEP_MS) * STEP_MS;
  const columns = Array.from({ length: COLUMNS }, (_, at) => at);
  return {
    atMs: nowMs - 40_000,
    direction: 'dr-to-primary',
    label: 'instance',
    basis: 'group',
    fromMs: toMs - COLUMNS * STEP_MS,
    columnMs: STEP_MS,
    columns: COLUMNS,
    rows: Array.from({ length: 9 }, (_, device) => ({
      group: `bigip-0${device + 1}`,
      // The last one was set up in the middle.
      expected: columns.map((column) => (device === 8 && column < 10 ? 0 : PER_COLUMN)),
      missing: columns.map((column) =>
        device === 8 && column < 10 ? 0 : Math.round(PER_COLUMN * loss(device, column)),
      ),
    })),
  };
}

const mapsOf = (now: Loss | null, nowMs: number): GapMaps => ({
  before: mapOf(OUTAGE, nowMs),
  now: now && mapOf(now, nowMs),
  checkedMs: nowMs - 40_000,
  sinceMs: nowMs - 600_000,
});

/** Half a day of checks: an outage in which the destination was not seen, gaps after it, clean again. */
async function fillHistory(bench: Bench, nowMs: number, bad: number): Promise<void> {
  const most = 300;
  for (let ago = most - 1; ago >= 0; ago--) {
    const outcome: PastCheck['outcome'] =
      ago < bad
        ? 'gaps'
        : ago > 60 && ago < 75
          ? 'unknown'
          : ago > 54 && ago < 61
            ? 'gaps'
            : 'clean';
    const isKnown = outcome !== 'unknown';
    await bench.checkHistory.add({
      atMs: nowMs - 40_000 - ago * 120_000,
      outcome,
      samples: isKnown ? 71_400 + Math.round(600 * Math.sin(ago / 9)) : null,
      missing: isKnown ? (outcome === 'gaps' ? 18_000 - (ago % 55) * 200 : 0) : null,
      tookMs: outcome === 'gaps' ? 4_100 : 1_100 + ((ago * 37) % 400),
    });
  }
}

const REASONS = ['primary lacks 49014 samples in 450 gaps', '0 of 3 clean checks in a row'];

async function fillEvents({ store }: Bench, nowMs: number): Promise<void> {
  const events = [
    ['info', '✅ VM-Sync: Sync complete (43,210 samples repaired, dr → primary, in 4m 10s)'],
    ['error', 'dr → primary: a chunk failed for good: 192.168.100.144:8428 answered 503'],
    [
      'warn',
      '⚠️ VM-Sync: 1,200 data gaps detected (18,000 samples missing on primary, dr → primary)',
    ],
  ] as const;
  for (const [at, [severity, text]] of events.entries()) {
    await store.addEvent({ atMs: nowMs - 600_000 + at * 90_000, kind: 'x', severity, text });
  }
}

export const STATES: Record<string, (bench: Bench) => Promise<void>> = {
  empty: async () => undefined,
  ready: async (bench) => {
    const nowMs = Date.now();
    await bench.store.saveStatus(witnessed(readyStatus()));
    await bench.store.saveRun({
      ...openRun('run-1', nowMs - 7_200_000),
      state: 'settled',
      settledMs: nowMs - 7_100_000,
      samplesCopied: 18_000,
      bytesCopied: 123_456,
    });
    await bench.gapMaps.save(mapsOf(null, nowMs));
    await fillHistory(bench, nowMs, 0);
    await fillEvents(bench, nowMs);
  },
  gap: async (bench) => {
    const nowMs = Date.now();
    await bench.store.saveStatus(gapsStatus(REASONS));
    await bench.gapMaps.save(mapsOf(OUTAGE, nowMs));
    await fillHistory(bench, nowMs, 2);
  },
  repairing: async (bench) => {
    await fillWithWork(bench);
    await fillHistory(bench, Date.now(), 5);
    await bench.gapMaps.save(mapsOf(HALF_REPAIRED, Date.now()));
    await slowDown(bench.redis.url);
  },
  unknown: async (bench) => {
    const reason =
      'Remote VM unhealthy: http://192.168.100.144:8428 (primary does not answer: connection refused)';
    await bench.store.saveStatus(unknownStatus(reason));
    await bench.gapMaps.save(mapsOf(OUTAGE, Date.now()));
    await fillHistory(bench, Date.now(), 0);
  },
  paused: async (bench) => {
    const nowMs = Date.now();
    await bench.store.saveStatus(gapsStatus(REASONS));
    await bench.store.saveRun(openRun('run-1'));
    await bench.gapMaps.save(mapsOf(OUTAGE, nowMs));
    const queue = openQueue('repairs', { url: bench.redis.url });
    await queue.pause();
    await queue.close();
  },
  '5,000 chunks': async (bench) => {
    const nowMs = Date.now();
    await bench.store.saveStatus(gapsStatus(['primary lacks 345600000 samples in 1200 gaps']));
    for (let at = 1; at < 12; at++) {
      const run = openRun(`run-0${at}`, nowMs - 9e6 - at * 6e6);
      await bench.store.saveRun({ ...run, state: 'settled', settledMs: run.createdMs + 60_000 });
    }
    const run = openRun('run-1');
    await bench.store.saveRun({ ...run, chunks: 5_000, samplesPlanned: 345_600_000 });
    await bench.gapMaps.save({ ...scatteredMaps(nowMs), sinceMs: nowMs - 600_000 });
    await fillHistory(bench, nowMs, 5);
    await fillEvents(bench, nowMs);
    await workOnChunks(bench.redis.url, 5_000, 150);
  },
};

/** What DNS and the others say, of a status that has none. */
const witnessed = (status: Status): Status => ({
  ...status,
  active: {
    site: 'dr',
    reason: status.activeReason,
    witnesses: [
      { name: 'address', says: 'dr', text: 'failover.example.com answers 192.168.100.143' },
      { name: 'lease', says: 'dr', text: 'dr holds the lease for another 41 s' },
      { name: 'freshness', says: 'dr', text: 'the newest samples: dr 12 s ago, primary 14 s ago' },
    ],
    mayWrite: true,
    whyNoWriting: null,
    epoch: 1,
  },
});

/** As much as maps can hold, and nothing alike beside anything. */
function scatteredMaps(nowMs: number): GapMaps {
  const columns = Array.from({ length: 96 }, (_, at) => at);
  const map: GapMap = {
    ...mapOf(OUTAGE, nowMs),
    columns: 96,
    fromMs: Math.floor(nowMs / STEP_MS) * STEP_MS - 97 * STEP_MS,
    rows: Array.from({ length: 31 }, (_, device) => ({
      group: device === 30 ? null : `bigip-${device}.a-rather-long-domain.example.com:9100`,
      expected: columns.map(() => 100),
      missing: columns.map((column) => (column * 37 + device * 53) % 101),
    })),
  };
  return { before: map, now: map, checkedMs: nowMs - 40_000, sinceMs: null };
}

/** Gaps, an open run with chunks in every state, and events. */
export async function fillWithWork(bench: Bench): Promise<void> {
  const { redis, store } = bench;
  const nowMs = Date.now();
  const left = ['primary lacks 33048 samples in 360 gaps', '0 of 3 clean checks in a row'];
  await store.saveStatus(witnessed(gapsStatus(left)));
  await store.saveRun({ ...openRun('run-0', nowMs - 8e6), state: 'superseded' });
  await store.saveRun({ ...openRun('run-1'), samplesPlanned: 49_014 });
  await fillEvents(bench, nowMs);
  await bench.kits.save('bad', kitOfFull());
  await failSomeChunks(redis.url);
  for (const jobId of ['one', 'two']) {
    const chunk = { atMs: nowMs - 5_000, planned: 7_983, samples: 7_983, bytes: 161_000 };
    await store.countChunk('run-1', jobId, chunk);
  }
}

/** As the scheduler does when a database struggles. */
export async function slowDown(redisUrl: string): Promise<void> {
  const client = connect(redisUrl, 'brief');
  await new PaceStore(client).save({
    copies: 2,
    bytesPerS: null,
    stopped: false,
    reason: 'primary answers small queries in 310 ms, usually in 20 ms: 2 of 4 copies at a time',
    restTicks: 2,
    memory: {},
  });
  client.disconnect();
}

const chunk = (jobId: string, attempts: number) => ({
  name: 'repair-chunk',
  queueName: QUEUES.repairs,
  data: chunkOrder('run-1'),
  opts: { jobId, attempts, backoff: { type: 'fixed', delay: 600_000 } },
});

const FULL = 'primary (http://192.168.100.144:8428) answered 503 to an import; free disk';

/** What a worker leaves with a chunk that failed for good. */
export const kitOfFull = () =>
  makeRepairKit(
    { text: FULL, site: 'primary' },
    {
      failedMs: Date.now(),
      direction: { source: 'dr', destination: 'primary' },
      counts: { source: { samples: 3_000, why: null }, destination: { samples: 0, why: null } },
      commands: [],
      notes: [],
      places: { primary: 'REMOTE', dr: 'LOCAL' },
    },
  );

async function failSomeChunks(redisUrl: string): Promise<void> {
  const connection = { url: redisUrl };
  const flow = new FlowProducer({ connection, prefix: PREFIX });
  await flow.add({
    name: 'settle-run',
    queueName: QUEUES.checks,
    data: { runId: 'run-1' },
    children: ['good', 'bad', 'later', 'wait-1', 'wait-2'].map((id) =>
      chunk(id, id === 'bad' ? 1 : 8),
    ),
  });
  const worker = new Worker(
    QUEUES.repairs,
    async ({ id }) => {
      if (id === 'good') return { outcome: 'repaired' };
      throw new Error(FULL);
    },
    { connection, prefix: PREFIX },
  );
  worker.on('error', () => undefined);
  const queue = openQueue('repairs', connection);
  await until('a failed chunk', async () => (await queue.getFailedCount()) === 1);
  await worker.close();
  await queue.close();
  await flow.close();
}

/** A run of many chunks, of which some are done and every third of these has failed. */
async function workOnChunks(redisUrl: string, chunks: number, worked: number): Promise<void> {
  const connection = { url: redisUrl };
  const flow = new FlowProducer({ connection, prefix: PREFIX });
  await flow.add({
    name: 'settle-run',
    queueName: QUEUES.checks,
    data: { runId: 'run-1' },
    children: Array.from({ length: chunks }, (_, at) => chunk(`chunk-${at}`, 1)),
  });
  let done = 0;
  const worker = new Worker(
    QUEUES.repairs,
    async () => {
      done += 1;
      if (done % 3 === 0) throw new Error('primary (http://192.168.100.144:8428) answered 503');
      return { outcome: 'repaired' };
    },
    { connection, prefix: PREFIX, concurrency: 20 },
  );
  worker.on('error', () => undefined);
  await until('chunks that are worked on', async () => done >= worked);
  await worker.close();
  await flow.close();
}
