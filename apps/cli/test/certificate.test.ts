import { type Stack, startStack } from '@vm-sync/fault-bench';
import { countSamples, filterSamples, makeSeries, until } from '@vm-sync/testkit';
import { expect, test } from 'vitest';
import { lastMinuteMs, minute } from './support/data.ts';
import { recentLoss } from './support/recent.ts';

/** What the dashboard, the command and the load balancer's answer say then, which must be one and the same. */
async function askWhen(state: string, stack: Stack) {
  await until(`a certificate that is ${state}`, async () => {
    const answer = await fetch(`${stack.dashboardUrl}/api/certificate`);
    return JSON.parse(await answer.text()).state === state;
  });
  const [command, parity, page] = await Promise.all([
    stack.run('certificate', ['--json']),
    fetch(`${stack.dashboardUrl}/parity/dr`),
    fetch(`${stack.dashboardUrl}/certificate`),
  ]);
  const text = await page.text();
  return { code: command.code, view: JSON.parse(command.stdout), parity: parity.status, text };
}

test('READY is certified with both sides’ counts; a new gap withdraws it', async () => {
  const { all, left, lost } = recentLoss({ count: 12 });
  await using stack = await startStack({ role: 'dr' });
  await stack.fill({ primary: all, dr: left });
  expect(await stack.run('certificate')).toMatchObject({
    code: 2,
    stdout: expect.stringContaining('NO CERTIFICATE: no check has been made yet'),
  });
  stack.spawn('up');
  await stack.untilReady();
  const ready = await askWhen('valid', stack);
  expect(ready).toMatchObject({ code: 0, parity: 200 });
  const { certificate } = ready.view;
  expect(ready.text).toContain(certificate.id);
  const { fromMs, toMs } = certificate.devices.window;
  const counted = filterSamples(all, (at) => at > fromMs && at <= toMs);
  const amount = { series: 12, samples: countSamples(counted) };
  expect(amount.samples).toBeGreaterThan(0);
  expect(certificate.devices.table).toMatchObject({
    fewer: 0,
    source: amount,
    destination: amount,
  });
  expect(certificate.devices.table.rows.length).toBe(12);
  expect(certificate).toMatchObject({
    direction: { source: 'primary', destination: 'dr' },
    repaired: { sinceMs: null, byDirection: [{ samples: countSamples(lost) }] },
    sites: { primary: { url: stack.primary.url }, dr: { url: stack.dr.url } },
  });
  const inWords = await stack.run('certificate');
  expect(inWords.stdout).toMatch(
    /^VALID: dr holds what primary has in .*: at least 90 % .*, and every sample of what/,
  );
  expect(inWords.stdout).toMatch(/repaired primary → dr +240 samples in \d+ runs/);

  expect((await stack.run('pause')).code).toBe(0);
  const nowMs = lastMinuteMs();
  const span = { fromMs: nowMs - 30 * minute, toMs: nowMs - 10 * minute, stepMs: minute };
  const late = makeSeries({ count: 3, names: ['late_samples'], ...span });
  await stack.fill({ primary: late });
  await stack.untilState('the new gap', ({ gaps_detected: gaps }) => gaps > 0);
  const gone = await askWhen('withdrawn', stack);
  expect(gone).toMatchObject({ code: 1, parity: 503 });
  expect(gone.view.reason).toMatch(/^dr lacks 60 samples in 3 gaps/);
  expect(gone.view.certificate.id).toBe(certificate.id);
  expect(gone.text).toContain('WITHDRAWN');
  expect((await stack.run('ready')).code).toBe(1);
});
