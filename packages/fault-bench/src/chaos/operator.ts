import { setTimeout as sleep } from 'node:timers/promises';
import type { Pair, VmSync } from './pair.ts';

export interface Operator extends AsyncDisposable {
  /** Backfills that were begun because vm-sync asked for them. */
  backfills(): number;
}

const LOOK_EVERY_MS = 5_000;
const ADVICE = /vm-sync backfill (--from \S+ --to \S+|resume \S+)/;

/** Somebody who reads why READY is not said, and types the command that stands there. */
export function obeyAdvice(pair: Pair, note: (text: string) => void): Operator {
  const stop = new AbortController();
  let begun = 0;
  const tryAt = async (of: VmSync): Promise<boolean> => {
    const state = await of.state().catch(() => undefined);
    const advice = state?.not_ready_because.map((reason) => ADVICE.exec(reason)?.[1]).find(Boolean);
    if (!advice) return false;
    const { code } = await of.run('backfill', advice.split(' '));
    if (code === 0) note(`operator: vm-sync backfill ${advice}`);
    return code === 0;
  };
  const look = async (): Promise<void> => {
    // Both: the one that watches has to prove it for itself.
    for (const of of [pair.a, pair.b]) if (await tryAt(of)) begun += 1;
  };
  const working = (async () => {
    while (!stop.signal.aborted) {
      await look().catch((error: unknown) => note(`operator: ${String(error)}`));
      await sleep(LOOK_EVERY_MS, undefined, { signal: stop.signal }).catch(() => {});
    }
  })();
  return {
    backfills: () => begun,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await working;
    },
  };
}
