import { directionFrom, type Gap, makeWindow, parseSelectors } from '@vm-sync/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { SliceResult } from '../src/compare-slice.ts';
import type { Comparison } from '../src/compare-windows.ts';
import { seekGaps } from '../src/seek-gaps.ts';
import { FakeDatabase } from './fake-database.ts';

const STEP_MS = 60_000;
const TO_MS = 20_000 * 86_400_000 + 7 * STEP_MS;

/** A loss on the destination: of one series or all, from one bucket on, so many buckets, whole or every second sample. */
interface Loss {
  readonly series: number;
  readonly from: number;
  readonly buckets: number;
  readonly inPart: boolean;
}

/** Two samples a bucket on the source; the destination lacks what the losses say. */
function pairWith(steps: number, series: number, losses: readonly Loss[]) {
  const [source, destination] = [new FakeDatabase('primary'), new FakeDatabase('dr')];
  const fromMs = TO_MS - steps * STEP_MS;
  const lacking = new Set<string>();
  for (let one = 0; one < series; one++) {
    const labels = { __name__: `name${one % 2}`, series: `${one}` };
    for (let at = 0; at < steps; at++) {
      const samples = [fromMs + at * STEP_MS + 20_000, fromMs + at * STEP_MS + 50_000];
      source.store(labels, samples);
      const lost = losses.filter(
        (loss) =>
          (loss.series === one || loss.series === series) &&
          loss.from <= at &&
          at < loss.from + loss.buckets,
      );
      if (lost.length > 0) lacking.add(`${one} ${at}`);
      if (lost.length === 0) destination.store(labels, samples);
      else if (lost.every(({ inPart }) => inPart)) destination.store(labels, samples.slice(1));
    }
  }
  let questions = 0;
  const ask = source.tally.bind(source);
  source.tally = (request) => {
    questions += 1;
    return ask(request);
  };
  const [scope] = parseSelectors('{__name__!=""}');
  const comparison: Comparison = {
    pair: { direction: directionFrom('primary'), source, destination },
    scope: scope ? [scope] : [],
    measure: { stepMs: STEP_MS, threshold: 1, dedupMs: 0, dedupDiffers: false },
  };
  const window = makeWindow(fromMs, TO_MS);
  return { comparison, window, lacking, asked: () => questions };
}

/** Every series and bucket that gaps cover, as often as they do. */
const covered = (gaps: readonly Gap[], fromMs: number): string[] =>
  gaps.flatMap(({ labels, ...gap }) =>
    Array.from(
      { length: (gap.toMs - gap.fromMs) / STEP_MS },
      (_, at) => `${labels['series']} ${(gap.fromMs - fromMs) / STEP_MS + at}`,
    ),
  );

async function seek({
  comparison,
  window,
}: Pick<ReturnType<typeof pairWith>, 'comparison' | 'window'>) {
  const parts: SliceResult[] = [];
  for await (const part of seekGaps(comparison, [window])) parts.push(part);
  return { parts, gaps: parts.flatMap((part) => part.gaps) };
}

const loss = (steps: number, series: number) =>
  fc.record({
    series: fc.integer({ min: 0, max: series }),
    from: fc.integer({ min: 0, max: steps - 1 }),
    buckets: fc.constantFrom(1, 2, 23, 24, 25, 97, 288, 600),
    inPart: fc.boolean(),
  });

test('every bucket that lacks something is in one gap, every other one in none, whatever the width', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(25, 47, 97, 288, 577, 579, 2_600).chain((steps) =>
        fc.record({
          steps: fc.constant(steps),
          losses: fc.array(loss(steps, 3), { maxLength: 3 }),
        }),
      ),
      async ({ steps, losses }) => {
        const pair = pairWith(steps, 3, losses);
        const { parts, gaps } = await seek(pair);
        expect(covered(gaps, pair.window.fromMs).sort()).toEqual([...pair.lacking].sort());
        const missing = gaps.reduce((sum, gap) => sum + gap.missing, 0);
        expect(parts.reduce((sum, { tallied }) => sum + tallied.missing, 0)).toBe(missing);
        const counted = parts.reduce((sum, { tallied }) => sum + tallied.sourceSamples, 0);
        expect(counted).toBe(steps * 3 * 2);
      },
    ),
    { numRuns: 20 },
  );
});

test('two days that agree are one question, and a hole in them costs one more, or two where its ends are ragged', async () => {
  const whole = pairWith(576, 2, []);
  expect((await seek(whole)).gaps).toEqual([]);
  expect(whole.asked()).toBe(1);
  const hole = { series: 2, from: 300, buckets: 24, inPart: false };
  const holed = pairWith(576, 2, [hole]);
  expect((await seek(holed)).gaps).toHaveLength(2);
  expect(holed.asked()).toBe(2);
  // Its ends are there in part, and the bucket between them not at all.
  const longer = pairWith(576, 2, [{ series: 2, from: 290, buckets: 60, inPart: false }]);
  expect((await seek(longer)).gaps).toHaveLength(2);
  expect(longer.asked()).toBe(2);
  const ends = [299, 324].map((from) => ({ series: 2, from, buckets: 1, inPart: true }));
  const ragged = pairWith(576, 2, [hole, ...ends]);
  await seek(ragged);
  // Its ends sample by sample, and what lies between them too: each question reads whole blocks.
  expect(ragged.asked()).toBeLessThanOrEqual(4);
});
