import { EMPTY_STATE, type SyncState } from '@vm-sync/core';
import { makeSeries, startFaultProxy, until } from '@vm-sync/testkit';
import { expect, onTestFinished, test } from 'vitest';
import type { Disturbance } from '../src/chaos/inject.ts';
import type { Pair } from '../src/chaos/pair.ts';
import { watchReady } from '../src/chaos/watch.ts';
import { type Stack, startStack } from '../src/stack.ts';
import { writeState } from '../src/state-file.ts';

const MINUTE_MS = 60_000;

/** READY of the direction from primary to dr, by a check of now, of everything up to three minutes ago. */
function readyState(checkMs: number): SyncState {
  const throughMs = checkMs - 3 * MINUTE_MS;
  const mark = { sinceMs: throughMs - 60 * MINUTE_MS, throughMs, unproven: [], earlier: [] };
  return {
    ...EMPTY_STATE,
    lastCheckMs: checkMs,
    failbackReady: true,
    activeSite: 'primary',
    marks: { 'primary-to-dr': mark, 'dr-to-primary': null },
    reasons: [],
  };
}

/** A pair as the watch sees it; nothing of vm-sync runs, its state is written by the test. */
function pairOf(stack: Stack, dashboardUrl = stack.dashboardUrl): Pair {
  const { state } = stack;
  const vmSync = { dashboardUrl, state };
  return { stack, a: vmSync, b: { dashboardUrl, state: async () => undefined } } as unknown as Pair;
}

async function pairThatLacks(minutesAgo: number): Promise<Stack> {
  const stack = await startStack({ webhook: true });
  const toMs = Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS;
  const all = makeSeries({ count: 3, fromMs: toMs - 20 * MINUTE_MS, toMs, stepMs: MINUTE_MS });
  const lostMs = toMs - minutesAgo * MINUTE_MS;
  const left = all.map(({ labels, timestamps, values }) => ({
    labels,
    timestamps: timestamps.filter((atMs) => atMs !== lostMs),
    values: values.filter((_, at) => timestamps[at] !== lostMs),
  }));
  await stack.fill({ primary: all, dr: left });
  return stack;
}

test.concurrent('the oracle sees a READY that is false, whoever wrote it', async () => {
  await using stack = await pairThatLacks(10);
  const violations: string[] = [];
  await using watch = watchReady(pairOf(stack), [], (text) => violations.push(text));
  await writeState(stack.stateFile, readyState(Date.now()));
  await until('a violation', () => violations.length > 0);
  expect(violations[0]).toMatch(/a says READY .* dr lacks 3 settled samples/);
  expect(watch.seen).toMatchObject({ readyChecks: 1, judged: 1, readyBegan: 1 });
});

test.concurrent('what has not settled is no lie, nor what was lost after the check', async () => {
  await using stack = await pairThatLacks(1);
  await using older = await pairThatLacks(10);
  const violations: string[] = [];
  const violate = (text: string) => violations.push(text);
  const checkMs = Date.now();
  const lost: Disturbance = { site: 'dr', kind: 'vm-kill', fromMs: checkMs + 1, toMs: checkMs + 2 };
  await using fresh = watchReady(pairOf(stack), [], violate);
  await using later = watchReady(pairOf(older), [lost], violate);
  await writeState(stack.stateFile, readyState(checkMs));
  await writeState(older.stateFile, readyState(checkMs));
  await until('both judged', () => fresh.seen.judged === 1 && later.seen.judged === 1);
  expect(violations).toEqual([]);
});

test('a gate that says yes without a READY is seen', async () => {
  await using stack = await startStack({ webhook: true });
  const gate = await startFaultProxy({ target: stack.dashboardUrl });
  onTestFinished(() => gate.stop());
  gate.setFault({ kind: 'answer', status: 200, body: 'yes' });
  const violations: string[] = [];
  await using _ = watchReady(pairOf(stack, gate.url), [], (text) => violations.push(text));
  await until('a violation', () => violations.length > 0);
  expect(violations[0]).toMatch(/\/parity\/primary of . says yes/);
});
