import { setTimeout as sleep } from 'node:timers/promises';
import { otherSite, type Site } from '@vm-sync/core';
import { diffRaw, type RawSamples, until } from '@vm-sync/testkit';
import type { StateFile } from './state-file.ts';

/** Why READY would be false now, or nothing when it may be said. */
export type MustNotBeReady = (
  state: StateFile,
) => string | undefined | false | Promise<string | undefined | false>;

export type Oracle = AsyncDisposable & {
  /** READYs that were said when they must not be, with the reason; told by `assertHonest`. */
  readonly lies: readonly string[];
  /** Checks after which READY stood in the state file. */
  readonly sightings: readonly string[];
  /** Throws the first lie. */
  assertHonest(): void;
  /** Resolves when it has looked once more, at what stands in the state file now. */
  looked(): Promise<void>;
};

const lookEveryMs = 25;

/** Watches the state file: every check that leaves READY in it is held against what the test knows. */
export function startOracle(
  read: () => Promise<StateFile | undefined>,
  mustNotBeReady: MustNotBeReady,
): Oracle {
  const lies: string[] = [];
  const sightings: string[] = [];
  let stopped = false;
  let looks = 0;
  const look = async (): Promise<void> => {
    const state = await read();
    if (!state?.failback_ready || !state.last_check) return;
    if (sightings.at(-1) === state.last_check) return;
    sightings.push(state.last_check);
    const why = await mustNotBeReady(state);
    if (why) lies.push(`READY after the check of ${state.last_check}: ${why}`);
  };
  const watching = (async () => {
    while (!stopped) {
      await look().catch((error: unknown) => lies.push(`the oracle failed: ${String(error)}`));
      looks += 1;
      await sleep(lookEveryMs);
    }
  })();
  return {
    lies,
    sightings,
    assertHonest() {
      if (lies.length > 0) throw new Error(`${lies.length} false READYs: ${lies[0]}`);
    },
    async looked() {
      // The one that is under way may have read the file before.
      const wanted = looks + 2;
      await until('the oracle to look', () => looks >= wanted || stopped, { everyMs: 10 });
    },
    async [Symbol.asyncDispose]() {
      stopped = true;
      await watching;
    },
  };
}

/** Truths are read at most this often: an export of everything costs the database something. */
const truthEveryMs = 4_000;

/**
 * The truth itself, from both databases' raw exports: at READY the passive site has every settled sample that the
 * active one has, whatever vm-sync believes.
 */
export function truthOf(
  exportSite: (site: Site, toMs: number) => Promise<RawSamples>,
  { settleMs, stepMs }: { settleMs: number; stepMs: number },
): MustNotBeReady {
  let readMs = Number.NEGATIVE_INFINITY;
  return async ({ active_site: active, last_check: checked }) => {
    if (active === 'unknown') return 'the active site is unknown';
    if (performance.now() - readMs < truthEveryMs) return undefined;
    readMs = performance.now();
    const settledMs = Math.floor((Date.parse(checked ?? '') - settleMs) / stepMs) * stepMs;
    const both = await Promise.all([
      exportSite(active, settledMs),
      exportSite(otherSite(active), settledMs),
    ]).catch(() => undefined);
    if (!both) {
      // A test may have ended a database meanwhile: the next READY is looked at instead.
      readMs = Number.NEGATIVE_INFINITY;
      return undefined;
    }
    return lackOf(active, ...both);
  };
}

/** What the passive site lacks of the active one's samples, in words; undefined where it lacks nothing. */
export function lackOf(
  active: Site,
  source: RawSamples,
  destination: RawSamples,
): string | undefined {
  const { onlyA, examples } = diffRaw(source, destination);
  if (onlyA === 0) return undefined;
  return `${otherSite(active)} lacks ${onlyA} settled samples: ${examples[0]}`;
}
