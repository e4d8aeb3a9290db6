import { stripVTControlCharacters } from 'node:util';
import { type Env, type Stack, startOnTerminal, startStack } from '@vm-sync/fault-bench';
import { noDifference, until } from '@vm-sync/testkit';
import { launchBrowser, tracesOfScript } from '@vm-sync/testkit/browser';
import { expect, onTestFinished, test } from 'vitest';
import { lastMinuteMs, minute, without } from './support/data.ts';
import { hostileNames, hostileSeries } from './support/hostile-series.ts';

/** Everything that a terminal could obey, but for ends of lines. */
const OBEYED = /[^\P{Cc}\n\t]|[\u200e\u200f\u2028-\u202e\u2066-\u2069]/u;

test('hostile names are copied like any others, and are obeyed by nothing that shows them', async () => {
  const nowMs = lastMinuteMs();
  const all = hostileSeries(nowMs - 30 * minute, nowMs);
  const flags = ['-maxLabelValueLen=100000', '-maxLabelsPerTimeseries=50'];
  await using stack = await startStack({
    primary: { version: 'newest', flags },
    dr: { version: 'newest', flags },
    webhook: true,
    env: {
      FAILBACK_CLEAN_CHECKS: '1',
      CHECK_INTERVAL: '1',
      TERM: 'xterm-256color',
      // As a person may run it, to read the log.
      LOG_LEVEL: 'debug',
    },
  });
  await stack.fill({ primary: all, dr: without(all, nowMs - 20 * minute, nowMs - 10 * minute) });
  const env = {
    ...stack.env,
    NOTIFY_WEBHOOK_2: `${stack.webhook.url}/teams`,
    NOTIFY_FORMAT_2: 'teams',
  };
  const before = await onTerminals(stack, ['plan'], ['plan', '--json']);
  stack.spawn('scheduler', env);
  stack.spawn('worker', env);
  stack.spawn('dashboard', env);
  await stack.untilReady();
  expect(await stack.compareRaw()).toEqual(noDifference);
  const values = await (await fetch(`${stack.dr.vm.url}/api/v1/label/instance/values`)).text();
  expect(JSON.parse(values).data).toEqual(
    expect.arrayContaining([hostileNames['long'], hostileNames['terminal']]),
  );
  await until('the messages', () => {
    const told = stack.webhook.messages.filter(({ body }) => /clean checks? in a row/.test(body));
    return told.length >= 2;
  });

  const after = await onTerminals(stack, ['status'], ['certificate'], ['certificate', '--json']);
  const seen: Record<string, string> = { ...before, ...after };
  for (const [place, text] of Object.entries(seen)) {
    // Ours: colours, and the line that says what goes on. The names bring others.
    const ours = /\p{Cc}\[(?:[12]|22|3[0-9]|9[0-7])m|\r\p{Cc}\[2K/gu;
    const obeyed = OBEYED.exec(text.replaceAll('\r\n', '\n').replaceAll(ours, ''));
    expect([
      place,
      obeyed?.[0],
      obeyed && text.slice(obeyed.index - 80, obeyed.index + 80),
    ]).toEqual([place, undefined, null]);
    // A line that begins with what only vm-sync may say is vm-sync's.
    if (place !== 'status') expect(text).not.toMatch(/^(?:🟢|FAILBACK READY|\{"level")/mu);
  }
  expect(seen['certificate']).toContain('<script>pwned=1');
  expect(seen['plan --json']).toContain('\\\\"} or {__name__=~');
  messagesAreHarmless(stack);
  await pagesAreIntact(stack);
  await metricsAreWhole(stack);
}, 120_000);

/** What the terminal gets of each of these commands. */
async function onTerminals(stack: Stack, ...commands: readonly string[][]) {
  const env: Env = { ...stack.env, TERM: 'xterm-256color' };
  const ran = commands.map(async (args) => {
    const { stdout } = await startOnTerminal(args, stack.folder, env).untilEnded();
    expect(stripVTControlCharacters(stdout).length).toBeGreaterThan(20);
    return [args.join(' '), stdout] as const;
  });
  return Object.fromEntries(await Promise.all(ran));
}

function messagesAreHarmless({ webhook }: Stack): void {
  const gaps = webhook.messages.filter(({ body }) => body.includes('data gaps detected'));
  expect(gaps.length).toBeGreaterThanOrEqual(2);
  for (const { body, json } of webhook.messages) {
    expect(body).not.toMatch(/<!|<@|<https?:|\\u001b|\\u009b|\u009b|\u202e|\\u202e/);
    const { text } = json as { text?: string };
    // One line, and only that of the READY says so.
    if (text !== undefined) expect(text).not.toMatch(/\n/);
    if (/data gaps detected/.test(body)) expect(body).not.toMatch(/[^"“(]🟢/u);
  }
}

/** In Chromium: no script of a name ran, nothing was asked of another host, nothing was complained of. */
async function pagesAreIntact({ dashboardUrl }: Stack): Promise<void> {
  const browser = await launchBrowser();
  onTestFinished(() => browser.close());
  const page = await browser.newPage();
  const hosts = new Set<string>();
  const complaints: string[] = [];
  page.on('request', (request) => hosts.add(new URL(request.url()).host));
  page.on('dialog', (dialog) => complaints.push(`dialog: ${dialog.message()}`));
  page.on('pageerror', (error) => complaints.push(String(error)));
  const { runs } = (await (await fetch(`${dashboardUrl}/api/runs`)).json()) as {
    runs: { id: string }[];
  };
  const [run] = runs.map(({ id }) => id);
  const board = `/queues/queue/repairs/chunk-${run}-1`;
  const paths = ['/', '/certificate', '/runs', `/runs/${run}`, '/actions', '/audit', board];
  const shown: string[] = [];
  for (const path of paths) {
    await page.goto(`${dashboardUrl}${path}`);
    if (path === board) await page.getByText('primary → dr').first().waitFor();
    expect([path, await tracesOfScript(page)]).toEqual([path, []]);
    shown.push((await page.textContent('body')) ?? '');
  }
  expect(shown.join('\n')).toContain(hostileNames['script']);
  expect(complaints).toEqual([]);
  // The board asks for a font of Google's, which the policy refuses before it leaves.
  expect([...hosts].filter((host) => host !== 'fonts.googleapis.com')).toEqual([
    new URL(dashboardUrl).host,
  ]);
}

/** Every line is one that Prometheus reads, and of readiness there is one word only. */
async function metricsAreWhole({ dashboardUrl }: Stack): Promise<void> {
  const text = await (await fetch(`${dashboardUrl}/metrics`)).text();
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  const sample =
    /^vmsync_\w+(?:\{\w+="(?:[^"\\\n]|\\.)*"(?:,\w+="(?:[^"\\\n]|\\.)*")*\})? -?[\d.eE+]+$/;
  expect(lines.filter((line) => !sample.test(line) && !/^(?:process|nodejs)_/.test(line))).toEqual(
    [],
  );
  expect(lines.filter((line) => line.startsWith('vmsync_ready'))).toEqual(
    expect.arrayContaining([expect.stringMatching(/ 1$/)]),
  );
}
