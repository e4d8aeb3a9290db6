import { type LineFault, lineFaultsAt } from '@vm-sync/fault-bench';
import { type FaultMatch, noDifference } from '@vm-sync/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isSlowness, strike } from './support/line-faults.ts';
import { hole, LineCell, type LinePair, startLinePair } from './support/line-pair.ts';
import { checkHonestly, converge } from './support/line-proofs.ts';
import { full, selection } from './support/selection.ts';

/** What each stage asks the databases. */
const asked: Readonly<Record<'observe' | 'compare', Readonly<Record<string, FaultMatch>>>> = {
  observe: {
    'the clock': { path: '/api/v1/query' },
    'what it says of itself': { path: '/metrics' },
    'its marker': { own: true, path: '/api/v1/query' },
  },
  compare: { counts: { path: '/api/v1/query_range' } },
};

type Place = 'source' | 'destination';

const waysOf = (stage: keyof typeof asked) =>
  Object.entries(asked[stage]).flatMap(([what, match]) =>
    (['source', 'destination'] as const).map((place) => ({ what, match, place })),
  );

let pair: LinePair;
beforeAll(async () => {
  pair = await startLinePair(['oldest', 'newest']);
});
afterAll(() => Promise.all([pair.primary.kill(), pair.dr.kill()]));

for (const stage of ['observe', 'compare'] as const) {
  describe.concurrent(stage, () => {
    for (const [turn, fault] of lineFaultsAt(stage).entries()) {
      test(`${fault}: unknown or right, never clean; clean when it has ended`, {
        timeout: full ? 300_000 : 60_000,
      }, async () => {
        for (const { what, match, place } of selection(waysOf(stage), turn)) {
          await survives(`${stage}, ${fault}, ${what} of the ${place}`, place, fault, match);
        }
      });
    }
  });
}

async function survives(
  name: string,
  place: Place,
  fault: LineFault,
  match: FaultMatch,
): Promise<void> {
  await using cell = await LineCell.start(pair, name, hole);
  const proxy = cell[place];
  const met = strike(proxy, fault, match, 'answer');
  await checkHonestly(cell, isSlowness(fault));
  expect(met(), 'the fault has been met').toBe(true);
  proxy.setFault(null);
  await converge(cell);
  expect(await cell.difference()).toEqual(noDifference);
}
