import { setTimeout as sleep } from 'node:timers/promises';
import type { Pair } from './pair.ts';

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
  const look = async (): Promise<void> => {
    const state = await pair.a.state().catch(() => undefined);
    const advice = state?.not_ready_because.map((reason) => ADVICE.exec(reason)?.[1]).find(Boolean);
    if (!advice) return;
    const { code, stdout, stderr } = await pair.a.run('backfill', advice.split(' '));
    note(`operator: backfill ${advice} → ${code}: ${(stdout + stderr).trim().slice(0, 200)}`);
    if (code === 0) begun += 1;
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
