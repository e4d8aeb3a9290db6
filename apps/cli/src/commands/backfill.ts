import {
  alignDownMs,
  alignUpMs,
  EMPTY_STATE,
  makeWindow,
  type SyncState,
  settledThroughMs,
  type Window,
} from '@vm-sync/core';
import type { Config } from '@vm-sync/runtime';
import { requestBackfillCheck } from '@vm-sync/scheduler';
import { complain, EXIT, type ExitCode, print } from '../output.ts';
import { withRedis } from '../redis.ts';
import { compareNow, describePlan } from './check.ts';

interface Options {
  readonly from: string;
  readonly to: string;
  readonly dryRun?: boolean;
}

/** Has a range of time proven and repaired by the scheduler; the regular repairs go first, being newer. */
export async function backfill(config: Config, options: Options): Promise<ExitCode> {
  const range = readRange(config, options, Date.now());
  if (typeof range === 'string') {
    complain(range);
    return EXIT.unknown;
  }
  if (options.dryRun) return describePlan(await compareNow(config, dueOnly(range)), false);
  return withRedis(config, async ({ checks, store }) => {
    const status = await store.loadStatus();
    if (!status || status.state.activeSite === 'unknown') {
      complain('the scheduler knows no direction yet: vm-sync status says why');
      return EXIT.unknown;
    }
    const id = await requestBackfillCheck(checks, range);
    print(`asked for (job ${id} in queue checks); vm-sync status and the board show how it goes`);
    return EXIT.fine;
  });
}

/** The range on whole buckets, or the sentence that says what is wrong with it. */
function readRange(config: Config, { from, to }: Options, nowMs: number): Window | string {
  const [fromMs, toMs] = [Date.parse(from), Date.parse(to)];
  const example = 'expected a time such as 2026-11-01T00:00:00Z';
  if (Number.isNaN(fromMs)) return `--from: ${example}, got ${JSON.stringify(from)}`;
  if (Number.isNaN(toMs)) return `--to: ${example}, got ${JSON.stringify(to)}`;
  if (fromMs >= toMs) return '--from: must be earlier than --to';
  const horizonMs = settledThroughMs(nowMs, config.settleMs, config.queryStepMs);
  if (toMs > nowMs) return '--to: lies in the future';
  if (alignUpMs(toMs, config.queryStepMs) > horizonMs) {
    return `--to: samples younger than SETTLE_SECONDS are still in flight; at the latest ${new Date(horizonMs).toISOString()}`;
  }
  return makeWindow(alignDownMs(fromMs, config.queryStepMs), alignUpMs(toMs, config.queryStepMs));
}

/** A state in which nothing but this range is due. */
function dueOnly(range: Window): SyncState {
  const mark = { sinceMs: range.fromMs, throughMs: Date.now(), unproven: [range] };
  return { ...EMPTY_STATE, marks: { 'primary-to-dr': mark, 'dr-to-primary': mark } };
}
