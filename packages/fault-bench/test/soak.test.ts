import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from '@vm-sync/queue';
import {
  filterSamples,
  freePort,
  makeSeries,
  noDifference,
  startWriter,
  type Writer,
} from '@vm-sync/testkit';
import { expect, onTestFinished, test } from 'vitest';
import { seededRandom } from '../src/chaos/random.ts';
import { type ProcessName, type Stack, startStack } from '../src/index.ts';
import { atRest, type Counts, countRedis, fileBytes, inspect } from './soak-counts.ts';

/** `SOAK_MINUTES=25` soaks so long; the test command has no time for any of it. */
const minutes = Number(process.env['SOAK_MINUTES'] ?? 0);

/** Compilers and caches have what they want, and what is kept in numbers is on its way. */
const WARM_MS = 150_000;
const SOAK_MS = minutes * 60_000;
const TOLD_EVERY_MS = 120_000;

const SERIES = { names: ['up', 'load'] };

const PROCESSES = ['scheduler', 'worker', 'dashboard'] as const satisfies readonly ProcessName[];

/** What may be more at the end than at the start, of counts: a request or a timer that was caught on its way. */
const IN_HAND = 6;
/** A thousand repairs are remembered, to see what they did not change, and each is about a hundred bytes (in the file twice that). */
const STATE_BYTES = 150_000;
/** Of a heap after a full collection. */
const HEAP_MIB = 12;

test.runIf(minutes > 0)(
  'a soak: nothing that is held grows with the checks, and every loss is repaired',
  async () => {
    await using stack = await startStack({
      env: {
        CHECK_INTERVAL: '1',
        QUERY_STEP: '5',
        QUERY_WINDOW: '300',
        // The youngest age at which buckets below a minute are judged.
        SETTLE_SECONDS: '45',
        GAP_THRESHOLD: '1',
      },
      primary: { version: 'newest' },
      dr: { version: 'newest' },
      webhook: true,
    });
    const history = makeSeries({
      ...SERIES,
      count: 20,
      fromMs: Date.now() - 240_000,
      toMs: Date.now(),
      stepMs: 1_000,
    });
    // The first minute of live samples is not judged yet: there is something to repair at once.
    const isLost = (atMs: number) => Math.floor(atMs / 10_000) % 4 === 0;
    const left = filterSamples(history, (atMs) => !isLost(atMs));
    await stack.fill({ primary: history, dr: left });
    const writer = startWriter({
      ...SERIES,
      targets: [stack.primary.vm, stack.dr.vm],
      seriesCount: 20,
      intervalMs: 500,
    });
    const oracle = stack.watchReady();
    const people = new AbortController();
    const looking = lookAround(stack, people.signal);
    onTestFinished(async () => {
      people.abort();
      await Promise.all([writer.stop(), looking]);
    });
    const redis = connect(stack.redis.url, 'brief');
    redis.on('error', () => undefined); // ended with the stack
    onTestFinished(() => redis.disconnect());
    const inspected = await Promise.all(
      PROCESSES.map(async (name) => {
        const options = `--inspect=127.0.0.1:${await freePort()}`;
        return [name, await inspect(stack.spawn(name, { NODE_OPTIONS: options }))] as const;
      }),
    );
    const count = async (): Promise<Record<string, Counts>> => {
      const ofProcesses = inspected.map(
        async ([name, inspector]) => [name, await atRest(() => inspector.counts())] as const,
      );
      const counted = Object.fromEntries(await Promise.all(ofProcesses));
      return { ...counted, redis: await atRest(() => countRedis(redis)) };
    };

    await stack.untilState('a check', ({ last_check }) => last_check !== null);
    const losses = loseNowAndThen(writer, WARM_MS + SOAK_MS);
    await sleep(WARM_MS);
    const checked = await checksDone(redis);
    const start = await count();
    const fileAtStart = await fileBytes(stack.stateFile);
    tell('after warming up', start);
    const untilMs = performance.now() + SOAK_MS;
    for (let leftMs = SOAK_MS; leftMs > 0; leftMs = untilMs - performance.now()) {
      tell(`${Math.round(leftMs / 60_000)} minutes left`, await count());
      await sleep(Math.min(leftMs, TOLD_EVERY_MS));
    }
    const lost = await losses;
    await writer.stop();
    // What was lost last is judged after a minute only.
    const throughLeastMs = Date.now() - 10_000;
    const { detail } = await stack.untilState('every loss found and repaired', (state) => {
      const mark = state.detail.marks['primary-to-dr'];
      return mark?.unproven.length === 0 && (mark.throughMs ?? 0) > throughLeastMs;
    });
    const toMs = detail.marks['primary-to-dr']?.throughMs ?? 0;
    const repaired = (await stack.chunks()).filter(({ state }) => state === 'completed');
    const end = await count();
    tell('at the end', end);
    const checks = (await checksDone(redis)) - checked;
    process.stdout.write(
      `${checks} checks, ${lost.losses} losses, ${repaired.length} chunks done stand on the board; state file ${fileAtStart} → ${await fileBytes(stack.stateFile)} bytes; ${oracle.sightings.length} READYs seen\n`,
    );

    expect(checks).toBeGreaterThan(SOAK_MS / 3_000);
    expect(lost.losses).toBeGreaterThan(0);
    expect(oracle.lies).toEqual([]);
    expect(repaired.length).toBeGreaterThan(0);
    expect(await stack.compareRaw({ toMs })).toEqual(noDifference);
    for (const name of PROCESSES) assertNoGrowth(name, start[name] ?? {}, end[name] ?? {});
    assertKept(end['redis'] ?? {}, start['redis'] ?? {});
    expect(await fileBytes(stack.stateFile)).toBeLessThan(2 * STATE_BYTES);
    for (const { name, ended } of stack.processes) expect([name, ended]).toEqual([name, undefined]);
  },
  WARM_MS + SOAK_MS + 600_000,
);

function assertNoGrowth(name: string, start: Counts, end: Counts): void {
  for (const kind of new Set([...Object.keys(start), ...Object.keys(end)])) {
    // What the kernel leaves a process, and what lies outside the heap, wavers with the allocator: told, not judged.
    if (kind === 'rss MiB' || kind === 'external MiB') continue;
    const most = (start[kind] ?? 0) + (kind === 'heap MiB' ? HEAP_MIB : IN_HAND);
    expect(end[kind] ?? 0, `${name}: ${kind}`).toBeLessThanOrEqual(most);
  }
}

/** By what is kept in number: the queues' options, BullMQ's own bounds, and the stores'. */
function assertKept(end: Counts, start: Counts): void {
  const most: Counts = {
    'checks: completed': 500,
    // A job, its log, and what a settling has of its chunks.
    'keys checks': 1_600,
    'repairs: completed': 2_000,
    'repairs: failed': 0,
    // BullMQ trims to about 10,000.
    'checks: events': 10_200,
    'repairs: events': 10_200,
    'runs remembered': 200,
    'keys finished': 200,
    'events told': 500,
    'checks remembered': 300,
    'state bytes': STATE_BYTES,
    connections: start['connections'] ?? 0,
  };
  for (const [kind, bound] of Object.entries(most)) {
    expect(end[kind] ?? 0, `Redis: ${kind}`).toBeLessThanOrEqual(bound);
  }
}

/** Cuts the passive site off for a moment, again and again, at times that its seed knows. */
async function loseNowAndThen(writer: Writer, forMs: number): Promise<{ losses: number }> {
  const random = seededRandom(20_261_126);
  const untilMs = performance.now() + forMs;
  let losses = 0;
  while (performance.now() < untilMs) {
    writer.cut(1);
    await sleep(600 + random.next() * 1_200);
    writer.mend(1);
    losses += 1;
    await sleep(2_000 + random.next() * 8_000);
  }
  return { losses };
}

/** What people and programs ask meanwhile; nobody is answered with an error. */
async function lookAround({ dashboardUrl }: Stack, signal: AbortSignal): Promise<void> {
  let etag = '';
  const paths = ['/', '/parity/dr', '/api/status', '/api/runs', '/metrics', '/queues/api/queues'];
  for (let at = 0; !signal.aborted; at++) {
    const headers = etag === '' ? {} : { 'if-none-match': etag };
    const answer = await fetch(`${dashboardUrl}${paths[at % paths.length]}`, {
      headers,
      signal,
    }).catch(
      () => undefined, // it does not listen yet, or all is over
    );
    if (at % paths.length === 0) etag = answer?.headers.get('etag') ?? '';
    await answer?.arrayBuffer().catch(() => undefined);
    await sleep(250, undefined, { signal }).catch(() => undefined);
  }
}

async function checksDone(redis: ReturnType<typeof connect>): Promise<number> {
  const counted = await redis.hgetall('{vmsync}:totals:checks');
  return Object.values(counted).reduce((sum, one) => sum + Number(one), 0);
}

function tell(when: string, counts: Readonly<Record<string, Counts>>): void {
  const lines = Object.entries(counts).map(([of, kinds]) => `  ${of}: ${JSON.stringify(kinds)}`);
  process.stdout.write(`${when}\n${lines.join('\n')}\n`);
}
