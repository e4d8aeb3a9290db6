import type { StateFile } from '@vm-sync/fault-bench';
import { stateToFile } from '@vm-sync/runtime';
import { type Fault, noDifference } from '@vm-sync/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dense, hole, LineCell, type LinePair, startLinePair } from './support/line-pair.ts';
import { checkHonestly, converge, lostOrDoubled, outcomeOf } from './support/line-proofs.ts';

/** Digits of lines become other digits: what is left is a good line, of other samples. */
const ways = {
  'JSON lines, on their way out': { place: 'source', kind: 'corrupt', everyBytes: 150 },
  'JSON lines, on their way in': { place: 'destination', kind: 'corrupt-request', everyBytes: 150 },
  'native blocks, on their way out': { place: 'source', kind: 'corrupt', everyBytes: 2003 },
  'native blocks, on their way in': {
    place: 'destination',
    kind: 'corrupt-request',
    everyBytes: 2003,
  },
} as const;

let pairs: { lines: LinePair; native: LinePair };
beforeAll(async () => {
  pairs = {
    lines: await startLinePair(['oldest', 'newest']),
    native: await startLinePair(['newest', 'newest'], { dedup: '1ms' }),
  };
});
afterAll(() =>
  Promise.all(Object.values(pairs).flatMap(({ primary, dr }) => [primary.kill(), dr.kill()])),
);

describe.concurrent('damage that no length and no checksum shows', () => {
  for (const [what, { place, kind, everyBytes }] of Object.entries(ways)) {
    test(`${what}: every timestamp comes, and what else became of it is told`, async () => {
      const native = what.startsWith('native');
      const [pair, loss] = native ? [pairs.native, dense] : [pairs.lines, hole];
      await using cell = await LineCell.start(pair, what, loss);
      const { plans } = await cell.check();
      const [plan] = plans;
      const [chunk] = plan?.chunks ?? [];
      if (!plan || !chunk) throw new Error('there is nothing to repair');
      const fault: Fault = {
        kind,
        everyBytes,
        digits: !native,
        path: /\/api\/v1\/(export|import)/,
      };
      cell[place].setFault(fault);
      await outcomeOf(cell.repair(chunk, plan, 1));
      cell.setFaults(null);
      await converge(cell);
      const { difference, shown } = await afterwards(cell);
      expect(lostOrDoubled(difference)).toEqual(lostOrDoubled(noDifference));
      expect(shown.only_on_passive?.samples ?? 0).toBe(difference.onlyB);
      const conflicts = shown.conflicts?.samples ?? 0;
      expect(conflicts).toBeLessThanOrEqual(difference.differing);
      // Values are compared where both sites hold the same samples: not in buckets into which a strange one has come.
      if (difference.onlyB === 0) expect(conflicts).toBe(difference.differing);
      expect(
        difference.onlyB + difference.differing,
        'the damage has done something',
      ).toBeGreaterThan(0);
    });
  }
});

describe.concurrent('counts whose digits are damaged', () => {
  for (const place of ['source', 'destination'] as const) {
    test(`of the ${place}: what is missing is not proven, and what is not missing is not written`, async () => {
      await using cell = await LineCell.start(pairs.lines, `counts of the ${place}`, hole);
      const damage = { kind: 'corrupt', everyBytes: 60, digits: true } as const;
      cell[place].setFault({ ...damage, path: '/api/v1/query_range' });
      const { plans } = await checkHonestly(cell, false);
      cell.setFaults(null);
      for (const plan of plans) {
        for (const chunk of plan.chunks) await cell.repair(chunk, plan, 1);
      }
      await converge(cell);
      expect(await cell.difference()).toEqual(noDifference);
    });
  }
});

/** What the sites hold in the time that checks have compared, and what people are shown of it. */
async function afterwards(cell: LineCell) {
  const shown = stateToFile(cell.state) as StateFile;
  const toMs = Date.parse(shown.verified_through['primary-to-dr'] ?? '');
  const difference = await cell.difference({ fromMs: toMs - 600_000 + 1, toMs });
  return { difference, shown };
}
