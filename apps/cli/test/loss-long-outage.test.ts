import { type Stack, startStack } from '@vm-sync/fault-bench';
import { countSamples, filterSamples, noDifference, type Series } from '@vm-sync/testkit';
import { expect, test } from 'vitest';
import { hour, lastMinuteMs, usualSeries, without } from './support/data.ts';

/** 72 hours, which ended an hour ago. */
const outage = (nowMs: number) => ({ fromMs: nowMs - 73 * hour, toMs: nowMs - hour });

const patience = { deadlineMs: 150_000 };

async function endsEqual(stack: Stack, lost: number): Promise<void> {
  const state = await stack.untilReady(patience);
  expect(state.samples_synced).toBe(lost);
  expect(await stack.compareRaw()).toEqual(noDifference);
}

function lostIn(all: readonly Series[], { fromMs, toMs }: ReturnType<typeof outage>) {
  const left = without(all, fromMs, toMs);
  return { left, lost: countSamples(all) - countSamples(left) };
}

test.concurrent('72 hours, known from a mark set before: repaired without a word', async () => {
  await using stack = await startStack({ role: 'dr', env: { QUERY_STEP: '300' } });
  const nowMs = lastMinuteMs();
  const all = usualSeries(nowMs, 75 * hour);
  const { fromMs, toMs } = outage(nowMs);
  const { left, lost } = lostIn(all, { fromMs, toMs });
  // On equal data vm-sync proves what it sees; then it is stopped, and its mark set back to before the outage.
  await stack.fill({ primary: left, dr: left });
  const before = stack.spawn('scheduler');
  await stack.untilState('a first check', (state) => state.last_check !== null);
  await before.stop();
  await stack.rewriteState((state) => ({
    ...state,
    failbackReady: false,
    consecutiveClean: 0,
    marks: {
      'primary-to-dr': { sinceMs: fromMs - hour, throughMs: fromMs, unproven: [], earlier: [] },
      'dr-to-primary': { sinceMs: fromMs - hour, throughMs: fromMs, unproven: [], earlier: [] },
    },
  }));
  await stack.fill({ primary: filterSamples(all, (at) => at > fromMs && at <= toMs) });
  stack.watchReady();
  stack.spawn('up');
  await endsEqual(stack, lost);
  expect((await stack.state())?.not_ready_because).toEqual([]);
});

test.concurrent('72 hours at first sight: not ready with the reason, repaired by a backfill', async () => {
  await using stack = await startStack({ role: 'dr', env: { QUERY_STEP: '300' } });
  const nowMs = lastMinuteMs();
  const all = usualSeries(nowMs, 75 * hour);
  const { left, lost } = lostIn(all, outage(nowMs));
  await stack.fill({ primary: all, dr: left });
  stack.watchReady();
  stack.spawn('up');
  const refused = await stack.untilState('a survey', ({ consecutive_clean: clean, detail }) =>
    Boolean(clean >= 3 && detail.history['primary-to-dr']?.complete),
  );
  expect(refused.failback_ready).toBe(false);
  const [, from = '', to = ''] =
    /differ before.*backfill --from (\S+) --to (\S+)/.exec(refused.not_ready_because[0] ?? '') ??
    [];
  expect(await stack.run('backfill', ['--from', from, '--to', to])).toMatchObject({ code: 0 });
  await endsEqual(stack, lost);
});
