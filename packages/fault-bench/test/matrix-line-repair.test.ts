import { type LineFault, lineFaultsAt } from '@vm-sync/fault-bench';
import { type FaultMatch, type FaultProxy, noDifference } from '@vm-sync/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isSlowness, lineFault, strike } from './support/line-faults.ts';
import {
  dense,
  hole,
  LineCell,
  type LineLoss,
  type LinePair,
  scattered,
  startLinePair,
} from './support/line-pair.ts';
import { converge, lostOrDoubled, outcomeOf } from './support/line-proofs.ts';
import { full, selection } from './support/selection.ts';

/** One way of copying, between databases for which it is chosen. */
interface Way {
  readonly mode: 'lines' | 'difference' | 'native';
  readonly pair: 'old to new' | 'new to old' | 'both old' | 'both new';
  readonly loss: (cell: string) => LineLoss;
}

const ways: readonly Way[] = [
  { mode: 'lines', pair: 'old to new', loss: hole },
  { mode: 'difference', pair: 'new to old', loss: scattered },
  { mode: 'native', pair: 'both new', loss: dense },
  { mode: 'lines', pair: 'new to old', loss: hole },
  { mode: 'difference', pair: 'old to new', loss: scattered },
  { mode: 'native', pair: 'both old', loss: dense },
];

let pairs: Readonly<Record<Way['pair'], LinePair>>;
beforeAll(async () => {
  // Without deduplication whatever is sent twice stays there twice.
  pairs = {
    'old to new': await startLinePair(['oldest', 'newest']),
    'new to old': await startLinePair(['newest', 'oldest']),
    'both old': await startLinePair(['oldest', 'oldest'], { dedup: '1ms' }),
    'both new': await startLinePair(['newest', 'newest'], { dedup: '1ms' }),
  };
});
afterAll(() =>
  Promise.all(Object.values(pairs).flatMap(({ primary, dr }) => [primary.kill(), dr.kill()])),
);

/** Where each stage is met: at which end, and by which requests. */
interface Meeting {
  readonly proxy: (cell: LineCell) => FaultProxy;
  readonly match: FaultMatch;
  readonly of: 'answer' | 'upload';
}

const exported = /\/api\/v1\/export(\/native)?$/;
const read = /\/api\/v1\/(query_range|export)$/;
const flush = '/internal/force_flush';
const imported = /\/api\/v1\/import(\/native)?$/;

const meetings: Readonly<Record<'export' | 'import' | 'verify', readonly Meeting[]>> = {
  export: [{ proxy: ({ source }) => source, match: { path: exported }, of: 'answer' }],
  import: [{ proxy: ({ destination }) => destination, match: { path: imported }, of: 'upload' }],
  verify: [
    { proxy: ({ destination }) => destination, match: { path: read }, of: 'answer' },
    { proxy: ({ source }) => source, match: { path: read }, of: 'answer' },
    { proxy: ({ destination }) => destination, match: { path: flush }, of: 'answer' },
  ],
};

/** What is copied whole is verified by the destination's count alone, and the answer to a flush has no body. */
function cellsOf(stage: keyof typeof meetings, fault: LineFault) {
  const [, ofSource, ofFlush] = meetings.verify;
  return ways.flatMap((way) =>
    meetings[stage].flatMap((meeting) => {
      if (meeting === ofSource && way.mode !== 'difference') return [];
      if (meeting === ofFlush && !lineFaultsAt('settle').includes(fault)) return [];
      return [{ way, meeting }];
    }),
  );
}

for (const stage of ['export', 'import', 'verify'] as const) {
  describe.concurrent(stage, () => {
    for (const [turn, fault] of lineFaultsAt(stage).entries()) {
      const title = `${fault}: done only when it is, nothing lost or doubled`;
      test(title, { timeout: full ? 300_000 : 60_000 }, async () => {
        for (const { way, meeting } of selection(cellsOf(stage, fault), turn)) {
          await survives(stage, way, meeting, fault);
        }
      });
    }
  });
}

async function survives(
  stage: keyof typeof meetings,
  way: Way,
  meeting: Meeting,
  fault: LineFault,
): Promise<void> {
  const name = `${stage}, ${fault}, ${way.mode} ${way.pair} ${meetings[stage].indexOf(meeting)}`;
  await using cell = await LineCell.start(pairs[way.pair], name, way.loss);
  const { plans } = await cell.check();
  const [plan] = plans;
  const [chunk] = plan?.chunks ?? [];
  if (!plan || !chunk) throw new Error('there is nothing to repair');
  const proxy = meeting.proxy(cell);
  let met = (): boolean => false;
  const begin = () => {
    met = strike(proxy, fault, meeting.match, meeting.of);
  };
  // To verify means to read what an import has brought.
  if (stage === 'verify') void cell.destination.meet({ path: imported }, begin);
  else begin();
  const first = await outcomeOf(cell.repair(chunk, plan, 1));
  expect(met(), 'the fault has been met').toBe(true);
  if (isSlowness(fault)) expect(first).toMatchObject({ outcome: 'repaired', mode: way.mode });
  if (!(first instanceof Error)) await assertDone(cell, fault);

  proxy.setFault({ ...lineFault(fault, meeting.match, meeting.of), first: 1 });
  const second = await outcomeOf(cell.repair(chunk, plan, 2));
  if (!(second instanceof Error)) await assertDone(cell, fault);
  proxy.setFault(null);
  await converge(cell);
  await assertDone(cell, fault);
}

/** A damaged line may have changed values, or brought samples that nobody has: only what was there first is sure. */
async function assertDone(cell: LineCell, fault: LineFault): Promise<void> {
  const difference = await cell.difference();
  if (fault === 'corrupted body') {
    expect(lostOrDoubled(difference)).toEqual(lostOrDoubled(noDifference));
  } else expect(difference).toEqual(noDifference);
}
