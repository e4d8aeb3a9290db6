import { FAULTS, type FaultKind, type Part } from './fault-kinds.ts';
import { type Random, seededRandom } from './random.ts';

/** A fault of the run: from `atMs` to `endMs` after its start; `seed` decides what the kind leaves open. */
export interface PlannedFault {
  readonly kind: FaultKind;
  readonly part: Part;
  readonly atMs: number;
  readonly endMs: number;
  readonly seed: number;
}

// Storms are long enough for faults to meet, what lies between long enough for READY to be said and taken back.
const STORM_MS = [15_000, 45_000] as const;
const QUIET_MS = [45_000, 90_000] as const;
const PAUSE_MS = [500, 5_000] as const;
const FIRST_STORM_MS = 12_000;

/**
 * What breaks when, in a run of `lengthMs`: storms of faults, several at a time, with quiet in between. The same seed
 * gives the same plan; no part has two faults at once, and all have ended when the run has.
 */
export function planFaults({ seed, lengthMs }: { seed: number; lengthMs: number }): PlannedFault[] {
  const random = seededRandom(seed);
  const planned: PlannedFault[] = [];
  const freeMs = new Map<Part, number>();
  let stormMs = FIRST_STORM_MS;
  while (stormMs < lengthMs) {
    const endMs = Math.min(lengthMs, stormMs + random.whole(...STORM_MS));
    for (let atMs = stormMs; atMs < endMs; atMs += random.whole(...PAUSE_MS)) {
      const fault = nextFault(atMs, random);
      if (fault.endMs > lengthMs || atMs < (freeMs.get(fault.part) ?? 0)) continue;
      planned.push(fault);
      freeMs.set(fault.part, fault.endMs);
    }
    stormMs = endMs + random.whole(...QUIET_MS);
  }
  return planned;
}

function nextFault(atMs: number, random: Random): PlannedFault {
  const kind = weighted(random);
  const part = random.pick(FAULTS[kind].parts);
  const endMs = atMs + random.whole(...FAULTS[kind].lastsMs);
  return { kind, part, atMs, endMs, seed: random.whole(0, 2 ** 31) };
}

function weighted(random: Random): FaultKind {
  const kinds = Object.keys(FAULTS) as FaultKind[];
  const total = kinds.reduce((sum, kind) => sum + FAULTS[kind].weight, 0);
  let left = random.next() * total;
  for (const kind of kinds) {
    left -= FAULTS[kind].weight;
    if (left < 0) return kind;
  }
  return kinds.at(-1) as FaultKind;
}
