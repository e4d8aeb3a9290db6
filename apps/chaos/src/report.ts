import type { ChaosResult } from '@vm-sync/fault-bench';

/** One run in some lines, for people. */
export function runText(result: ChaosResult): string {
  const { seed, shape, faults, seen, usage } = result;
  const { versions, direction, queryWindow, dedup } = shape;
  return [
    `seed ${seed}: no violation in ${Math.round(result.tookMs / 1000)} s`,
    `  pair      primary ${versions.primary}, dr ${versions.dr}, ${direction}, look-back ${queryWindow} s, deduplication ${dedup ?? 'none'}`,
    `  faults    ${sum(faults)}: ${listed(faults)}`,
    `  samples   ${result.samplesWritten} written, lost on their way to primary ${result.samplesLost['primary']} and to dr ${result.samplesLost['dr']}, ${result.samplesRepaired} repaired, ${result.onlyOnPassive} only on the passive site at the end`,
    `  READY     began ${seen.readyBegan} times, said by ${seen.readyChecks} checks, ${seen.judged} of them held against raw exports; ${seen.messages} messages, ${result.backfills} backfills asked for`,
    `  /parity   ${listed(seen.parity)}`,
    ...usage.map(
      (one) =>
        `  ${one.name.padEnd(12)} ${mib(one.firstBytes)} → ${mib(one.lastBytes)} MiB, ${one.firstHandles} → ${one.lastHandles} handles`,
    ),
  ].join('\n');
}

/** Of several runs the sums, for the record. */
export function totalText(results: readonly ChaosResult[]): string {
  const total = (of: (result: ChaosResult) => number): number =>
    results.reduce((all, result) => all + of(result), 0);
  const faults: Record<string, number> = {};
  for (const result of results) {
    for (const [kind, count] of Object.entries(result.faults)) {
      faults[kind] = (faults[kind] ?? 0) + count;
    }
  }
  return [
    `${results.length} runs without a violation: ${sum(faults)} faults, ${total((one) => one.samplesWritten)} samples written, ${total((one) => one.samplesRepaired)} repaired, READY began ${total((one) => one.seen.readyBegan)} times, ${total((one) => one.seen.judged)} of ${total((one) => one.seen.readyChecks)} checks with READY held against raw exports`,
    `faults by kind: ${listed(faults)}`,
  ].join('\n');
}

const sum = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((all, count) => all + count, 0);

const listed = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');

const mib = (bytes: number): number => Math.round(bytes / 2 ** 20);
