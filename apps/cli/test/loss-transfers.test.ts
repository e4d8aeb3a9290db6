import { type Fault, filterSamples, noDifference, type Series } from '@vm-sync/testkit';
import { expect, test } from 'vitest';
import { hour, lastMinuteMs, minute, usualSeries, without } from './support/data.ts';
import { type Stack, startStack } from './support/stack.ts';

/** Five minutes that one chunk repairs: slices of 24 buckets end on multiples of 24 minutes. */
function hole(nowMs: number): { fromMs: number; toMs: number } {
  const edge = Math.floor((nowMs - 12 * minute) / (24 * minute)) * 24 * minute;
  return { fromMs: edge + 2 * minute, toMs: edge + 7 * minute };
}

interface Loss {
  all: Series[];
  window: { fromMs: number; toMs: number };
}

/** A hole in all series, or one sample in five of each of them within it. */
async function lose(stack: Stack, how: 'all' | 'some'): Promise<Loss> {
  const nowMs = lastMinuteMs();
  const all = usualSeries(nowMs, 2 * hour);
  const window = hole(nowMs);
  const lost = (at: number) => Math.ceil(at / minute) % 5 === 0;
  const left =
    how === 'all'
      ? without(all, window.fromMs, window.toMs)
      : filterSamples(all, (at) => at <= window.fromMs || at > window.toMs || !lost(at));
  await stack.fill({ primary: all, dr: left });
  return { all, window };
}

test.concurrent('an import that answers 204 and drops rows: tried again until they are there', async () => {
  await using stack = await startStack({ dr: { proxy: true } });
  await lose(stack, 'all');
  let mended = false;
  stack.watchReady(() => !mended && 'the import drops rows');
  stack.dr.proxy.setFault({ kind: 'drop-rows', keepShare: 0.6, path: '/api/v1/import' });
  const up = stack.spawn('up');
  const line = await up.untilLog(/^failed: .*accepted the import, but 200 samples are not there/);
  expect(line.msg).toMatch(/dr \(http:.*retry this job when that is mended/);
  expect((await stack.state())?.failback_ready).toBe(false);
  mended = true;
  stack.dr.proxy.setFault(null);
  await stack.untilReady();
  expect(await stack.compareRaw()).toEqual(noDifference);
  const [chunk] = await stack.chunks();
  expect(chunk).toMatchObject({ state: 'completed', result: { mode: 'difference', samples: 200 } });
  expect(chunk?.attempts).toBe(2);
});

const exportPath = '/api/v1/export';
const cuts: [string, (stack: Stack, loss: Loss) => Promise<Fault> | Fault][] = [
  [
    'torn off',
    () => ({ kind: 'cut', afterBytes: 5_000, end: 'reset', path: exportPath, first: 1 }),
  ],
  [
    'ended cleanly in mid-line',
    () => ({ kind: 'cut', afterBytes: 5_000, end: 'clean', path: exportPath, first: 1 }),
  ],
  [
    'ended cleanly at the end of a line',
    async ({ primary }, { window }) => ({
      kind: 'answer',
      status: 200,
      body: await rawLines(primary.vm.url, window, '{instance=~"host-000."}'),
      path: exportPath,
      first: 1,
    }),
  ],
  [
    'ended cleanly before its first byte',
    () => ({ kind: 'answer', status: 200, path: exportPath, first: 1 }),
  ],
];

for (const [how, faultOf] of cuts) {
  for (const lost of ['all', 'some'] as const) {
    test.concurrent(`an export ${how}, ${lost} samples lost: tried again, nothing doubled`, async () => {
      await using stack = await startStack({ primary: { proxy: true }, env: { QUERY_STEP: '60' } });
      const loss = await lose(stack, lost);
      stack.primary.proxy.setFault(await faultOf(stack, loss));
      stack.watchReady();
      stack.spawn('up');
      await stack.untilReady();
      expect(await stack.compareRaw()).toEqual(noDifference);
      const [chunk] = await stack.chunks();
      expect(chunk?.state).toBe('completed');
      expect(chunk?.log.some((line) => /: failed: .*VM export error: primary/.test(line))).toBe(
        true,
      );
    });
  }
}

test.concurrent('a list of what the destination has, cut cleanly: nothing is sent a second time', async () => {
  await using stack = await startStack({ dr: { proxy: true }, env: { QUERY_STEP: '300' } });
  const { window } = await lose(stack, 'some');
  stack.watchReady();
  const body = await rawLines(stack.dr.vm.url, window, '{instance=~"host-000."}');
  stack.dr.proxy.setFault({ kind: 'answer', status: 200, body, path: exportPath, first: 2 });
  stack.spawn('up');
  await stack.untilReady();
  expect(await stack.compareRaw()).toEqual(noDifference);
});

/** Some of an export's lines, as an export that was cut between them would look. */
async function rawLines(
  url: string,
  { fromMs, toMs }: { fromMs: number; toMs: number },
  match: string,
): Promise<string> {
  const [start, end] = [(fromMs + 1) / 1000, toMs / 1000].map((at) => at.toFixed(3));
  const form = new URLSearchParams({ 'match[]': match, start: start ?? '', end: end ?? '' });
  const answer = await fetch(`${url}/api/v1/export`, { method: 'POST', body: form });
  return answer.text();
}
