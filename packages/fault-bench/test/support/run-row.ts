import { type MachineFault, type Oracle, rest, type Stage, startStack } from '@vm-sync/fault-bench';
import {
  filterSamples,
  makeSeries,
  noDifference,
  type Series,
  startFaultProxy,
  until,
} from '@vm-sync/testkit';
import { expect } from 'vitest';
import { type Act, machineActs } from './machine-faults.ts';
import { assertToldOnce, untilToldReady } from './messages.ts';
import type { Row } from './row.ts';
import { meetings, openChecks } from './stages.ts';

export const full = process.env['MATRIX'] === 'full';

/** Outlasts locks, a wiped Redis' wait, and a chunk's first tries, on a busy machine. */
const repairedWithinMs = 180_000;
const readyWithinMs = 240_000;

/** Brings a fault about at each of these stages, one after the other, on one pair of sites. */
export async function runRow(fault: MachineFault, stages: readonly Stage[]): Promise<void> {
  const act = machineActs[fault];
  await using ends = new AsyncDisposableStack();
  const { row, oracle } = await startRow(act, ends);
  // A gap is told when it is the first after a clean check, as at the beginning.
  const inOrder = [...stages].sort((a, b) => Number(b === 'notify') - Number(a === 'notify'));
  for (const stage of inOrder) {
    const beganMs = performance.now();
    await strikeAt(stage, act, row, oracle).catch((error: Error) => {
      error.message += `\nat the stage ${stage} of ${fault}\n${row.stack.story()}`;
      throw error;
    });
    say(`${fault} × ${stage}`, beganMs);
  }
  const healedMs = performance.now();
  await row.stack.untilReady({ deadlineMs: readyWithinMs });
  expect(await row.stack.compareRaw()).toEqual(noDifference);
  say(`${fault}: READY`, healedMs);
  oracle.assertHonest();
  await until('the dashboard to say READY', async () => (await parity(row)).status === 200);
  await untilToldReady(row.stack.webhook);
  assertToldOnce(row.stack.webhook, act.unpaired);
  const crashed = row.stack.processes.filter((one) => one.ended && !row.endedByUs.has(one));
  expect(crashed.map(({ name, ended }) => `${name}: ${ended}`)).toEqual([]);
}

/** What scripts and balancers ask. */
const parity = ({ stack }: Row) => fetch(`${stack.dashboardUrl}/parity/dr`);

/** A whole matrix takes long: whoever waits for it sees how far it is. */
function say(what: string, sinceMs: number): void {
  if (full) console.info(`${what}: ${((performance.now() - sinceMs) / 1000).toFixed(1)} s`);
}

/** Two sites that hold the same, on disk, and a vm-sync that has made its first checks. */
async function startRow(
  act: Act,
  ends: AsyncDisposableStack,
): Promise<{ row: Row; oracle: Oracle }> {
  const stack = ends.use(
    await startStack({
      ...act.stack,
      webhook: true,
      primary: { proxy: true },
      dr: { ...act.stack?.dr, proxy: true },
      env: { QUERY_STEP: '10', SETTLE_SECONDS: '5', CHECK_INTERVAL: '1', NOTIFY_FORMAT: 'json' },
    }),
  );
  const messages = await startFaultProxy({ target: stack.webhook.url });
  ends.defer(() => messages.stop());
  const both = samples('matrix_both');
  await stack.fill({ primary: both, dr: both });
  await Promise.all([stack.primary.vm.restart(), stack.dr.vm.restart()]);
  const env = { NOTIFY_WEBHOOK: messages.url };
  const running = {
    scheduler: stack.spawn('scheduler', env),
    worker: stack.spawn('worker', env),
    dashboard: stack.spawn('dashboard', env),
  };
  const oracle = stack.watchReady(undefined, () => stack.state().catch(() => undefined));
  await stack.untilState('a first check', ({ last_error: error }) => error === null);
  const endedByUs: Row['endedByUs'] = new Set();
  return { row: { stack, messages, running, env, endedByUs }, oracle };
}

/** Makes a fresh gap, brings the fault about when the pair is in that stage, and waits until the gap is repaired. */
async function strikeAt(stage: Stage, act: Act, row: Row, oracle: Oracle): Promise<void> {
  const { stack } = row;
  const met = await prepare(stage, act, row, oracle);
  await until(`the stage ${stage}`, () => met.done, { deadlineMs: repairedWithinMs });
  await met.happened;
  await act.lasts?.(row);
  await act.heal?.(row);
  await until(
    'both sites to hold the same',
    async () => {
      const { onlyA, onlyB } = await stack.compareRaw();
      return onlyA + onlyB === 0 || Promise.reject(new Error(`${onlyA} and ${onlyB} apart`));
    },
    { deadlineMs: repairedWithinMs, everyMs: 500 },
  );
  expect(await stack.compareRaw()).toEqual(noDifference);
  await act.tidy?.(row);
}

type Meeting = { done: boolean; happened: Promise<void> };

/** No check looks while the gap is made: otherwise it could be repaired before the fault is in its place. */
async function prepare(stage: Stage, act: Act, row: Row, oracle: Oracle): Promise<Meeting> {
  const { stack } = row;
  await using ends = new AsyncDisposableStack();
  const checks = openChecks(row);
  ends.defer(() => checks.close());
  await checks.pause();
  await until('no check that is under way', async () => (await checks.getActiveCount()) === 0, {
    deadlineMs: repairedWithinMs,
    everyMs: 20,
  });
  await oracle.looked();
  await stack.fill(freshGap(stage));
  if (act.losesSource) await rest(writtenMs);
  const meeting: Meeting = { done: false, happened: Promise.resolve() };
  meeting.happened = meetings[stage](row, () => act.strike(row)).finally(() => {
    meeting.done = true;
  });
  meeting.happened.catch(() => {}); // told by whoever waits for it
  await checks.resume();
  return meeting;
}

/** A killed database forgets what it accepted within its last seconds: everything up to 6 s was measured, nothing from 10 s on. */
const writtenMs = 10_000;

/** Ten series that only the source has, and ten of which the destination lacks every other sample. */
function freshGap(stage: Stage): { primary: Series[]; dr: Series[] } {
  const absent = samples(`matrix_${stage}_absent`);
  const halved = samples(`matrix_${stage}_halved`);
  return {
    primary: [...absent, ...halved],
    dr: filterSamples(halved, (_time, _labels, index) => index % 2 === 0),
  };
}

/** Two samples a bucket, up to a minute ago: all of it has settled. */
function samples(name: string): Series[] {
  const nowMs = Math.floor(Date.now() / 10_000) * 10_000;
  const [fromMs, toMs] = [nowMs - 600_000, nowMs - 60_000];
  return makeSeries({ count: 10, names: [name], fromMs, toMs, stepMs: 5_000 });
}
