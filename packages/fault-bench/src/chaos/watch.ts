import { setTimeout as sleep } from 'node:timers/promises';
import { directionFrom, directionKey, otherSite, type Site } from '@vm-sync/core';
import { lackOf } from '../oracle.ts';
import type { StateFile } from '../state-file.ts';
import type { Disturbance } from './inject.ts';
import type { Pair, VmSync } from './pair.ts';

/** READY as a vm-sync said it: by the check of `checkMs`, of every sample up to `throughMs`. */
interface Claim {
  readonly by: string;
  readonly active: Site;
  readonly checkMs: number;
  readonly throughMs: number;
}

export interface Watched {
  /** Checks that left READY in a state file. */
  readyChecks: number;
  /** Of these, held against the raw exports of both databases. */
  judged: number;
  /** Times that READY began. */
  readyBegan: number;
  /** Answers of `/parity`, by status. */
  parity: Record<string, number>;
  /** Messages that said READY. */
  messages: number;
}

export interface Watch extends AsyncDisposable {
  readonly seen: Watched;
}

const LOOK_EVERY_MS = 25;
const PARITY_EVERY_MS = 300;
/** Exports cost the databases something: so often at most, but every READY that begins. */
const JUDGE_EVERY_MS = 1_500;
/**
 * A READY that stands in Redis counts for three check intervals, and as long as its check took: a scheduler that is
 * killed between writing its state file and Redis leaves it there so long.
 */
const VALID_MS = 3 * 2_000 + 10_000;
const LEAD_MS = 4_000;

/**
 * Watches everything that says READY, and calls `violate` where the databases say otherwise: a sample up to
 * `verified_through` that the active site holds and the other one does not.
 */
export function watchReady(
  pair: Pair,
  disturbances: readonly Disturbance[],
  violate: (text: string) => void,
): Watch {
  const seen: Watched = { readyChecks: 0, judged: 0, readyBegan: 0, parity: {}, messages: 0 };
  let stopped = false;
  const loop = async (everyMs: number, look: () => Promise<void>): Promise<void> => {
    while (!stopped) {
      await look().catch((error: unknown) => violate(`the oracle failed: ${String(error)}`));
      await sleep(everyMs);
    }
  };
  const judge = judgeOf(pair, disturbances, violate, seen);
  const lastReadyMs: Record<string, number> = {};
  const loops = Object.entries({ a: pair.a, b: pair.b }).flatMap(([by, vmSync]) => [
    loop(LOOK_EVERY_MS, claims(by, vmSync, judge, lastReadyMs, seen)),
    loop(PARITY_EVERY_MS, parity(by, vmSync, lastReadyMs, violate, seen)),
  ]);
  loops.push(loop(LOOK_EVERY_MS, messages(pair, lastReadyMs, violate, seen)));
  return {
    seen,
    async [Symbol.asyncDispose]() {
      stopped = true;
      await Promise.all(loops);
    },
  };
}

type Judge = (claim: Claim, begins: boolean) => Promise<void>;

/** Looks at the state file of a vm-sync; every check that left READY in it is a claim. */
function claims(
  by: string,
  vmSync: VmSync,
  judge: Judge,
  lastReadyMs: Record<string, number>,
  seen: Watched,
): () => Promise<void> {
  let last: string | null = null;
  let wasReady = false;
  return async () => {
    // A fault may have deleted or damaged it.
    const state = await vmSync.state().catch(() => undefined);
    if (!state?.failback_ready) {
      if (state) wasReady = false;
      return;
    }
    lastReadyMs[by] = Date.now();
    if (state.last_check === last) return;
    last = state.last_check;
    seen.readyChecks += 1;
    if (!wasReady) seen.readyBegan += 1;
    await judge(claimOf(by, state), !wasReady);
    wasReady = true;
  };
}

function claimOf(by: string, state: StateFile): Claim {
  const active = state.active_site as Site;
  const through = state.verified_through[directionKey(directionFrom(active))];
  return {
    by,
    active,
    checkMs: Date.parse(state.last_check ?? ''),
    throughMs: Date.parse(through ?? ''),
  };
}

function judgeOf(
  { stack }: Pair,
  disturbances: readonly Disturbance[],
  violate: (text: string) => void,
  seen: Watched,
): Judge {
  const judgedMs: Record<string, number> = {};
  return async ({ by, active, checkMs, throughMs }, begins) => {
    if (!(checkMs > 0 && throughMs > 0)) {
      return violate(`${by} says READY without a check or a mark (${checkMs}, ${throughMs})`);
    }
    if (!begins && Date.now() - (judgedMs[by] ?? 0) < JUDGE_EVERY_MS) return;
    judgedMs[by] = Date.now();
    const options = { toMs: throughMs, timeoutMs: 8_000 };
    const both = await Promise.all([
      stack[active].vm.export(options),
      stack[otherSite(active)].vm.export(options),
    ]).catch(() => undefined);
    if (!both) return; // a fault has ended a database meanwhile
    seen.judged += 1;
    const lack = lackOf(active, ...both);
    if (lack === undefined) return;
    // What a fault took away since the check began, no check can know of.
    const since = disturbances.find((one) => one.site !== active && one.toMs >= checkMs);
    if (since) return;
    violate(`${by} says READY by the check of ${new Date(checkMs).toISOString()}, but ${lack}`);
  };
}

/** A gate may say yes only while a READY counts. */
function parity(
  by: string,
  { dashboardUrl }: VmSync,
  lastReadyMs: Record<string, number>,
  violate: (text: string) => void,
  seen: Watched,
): () => Promise<void> {
  return async () => {
    for (const site of ['primary', 'dr']) {
      const askedMs = Date.now();
      const status = await fetch(`${dashboardUrl}/parity/${site}`, {
        signal: AbortSignal.timeout(4_000),
      }).then(
        async (answer) => {
          await answer.text();
          return answer.status;
        },
        () => 0,
      );
      seen.parity[status] = (seen.parity[status] ?? 0) + 1;
      if (status !== 200) continue;
      // Said in the same moment; the state file may be looked at a little later.
      if (askedMs - (lastReadyMs[by] ?? 0) > VALID_MS) await sleep(LEAD_MS);
      const lateMs = askedMs - (lastReadyMs[by] ?? 0);
      if (lateMs > VALID_MS) violate(`/parity/${site} of ${by} says yes, ${lateMs} ms after READY`);
    }
  };
}

function messages(
  { stack }: Pair,
  lastReadyMs: Record<string, number>,
  violate: (text: string) => void,
  seen: Watched,
): () => Promise<void> {
  let read = 0;
  let waiting: number[] = [];
  return async () => {
    const now = Date.now();
    const fresh = stack.webhook.messages.slice(read);
    read += fresh.length;
    const ready = fresh.filter(({ body }) => /VM-Sync: FAILBACK READY \(/.test(body));
    seen.messages += ready.length;
    waiting.push(...ready.map(() => now));
    // The state file was written before, but a busy machine may have it looked at later.
    const due = waiting.filter((atMs) => now - atMs > LEAD_MS);
    waiting = waiting.filter((atMs) => !due.includes(atMs));
    if (due.length > 0 && Object.keys(lastReadyMs).length === 0) {
      violate('a message says READY that no state says');
    }
  };
}
