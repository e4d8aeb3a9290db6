import { startStack } from '@vm-sync/fault-bench';
import { startWebhook, until, type Webhook } from '@vm-sync/testkit';
import { expect, onTestFinished, test } from 'vitest';
import { recentLoss } from './support/recent.ts';

const told = [
  /^⚠️ VM-Sync: \d00 data gaps detected \(2,000 samples missing on dr, primary → dr, in \S+ – \S+; instance host-\d+, .*\)$/,
  /^✅ VM-Sync: Sync complete \(2,000 samples repaired, primary → dr, in \d+s; nothing remains\)$/,
  /^🟢 VM-Sync: FAILBACK READY \(\d+ clean checks in a row, dr holds everything that primary has\)$/,
];

interface Body {
  readonly text?: string;
  readonly attachments?: { readonly content: { readonly body: { readonly text: string }[] } }[];
}

/** The sentence of a message of any format. */
const textsOf = ({ messages }: Webhook): string[] =>
  messages.map(({ json }) => {
    const { text, attachments } = json as Body;
    return text ?? attachments?.[0]?.content.body[0]?.text ?? '';
  });

async function receiver(): Promise<Webhook> {
  const webhook = await startWebhook();
  onTestFinished(() => webhook.stop());
  return webhook;
}

test('each change is told once to every target, also by one that is down at first', async () => {
  const { all, left } = recentLoss();
  await using stack = await startStack({ webhook: true, dr: { proxy: true } });
  await stack.fill({ primary: all, dr: left });
  const { webhook: slack } = stack;
  const [teams, json] = [await receiver(), await receiver()];
  slack.setStatus(500);
  stack.spawn('up', {
    NOTIFY_FORMAT: 'slack',
    NOTIFY_WEBHOOK_2: teams.url,
    NOTIFY_FORMAT_2: 'teams',
    NOTIFY_WEBHOOK_3: json.url,
    NOTIFY_FORMAT_3: 'json',
    NOTIFY_MIN_SEVERITY_3: 'warn',
  });
  // The one that is down holds up nobody.
  await until('a message that is tried again', () => slack.messages.length >= 2, {
    deadlineMs: 90_000,
  });
  await until('the others to have it', () => teams.messages.length + json.messages.length >= 2);
  slack.setStatus(200);
  const refused = textsOf(slack);
  await stack.untilReady();
  const delivered = () => textsOf(slack).slice(textsOf(slack).lastIndexOf(refused[0] ?? ''));
  await until('three messages', () => delivered().length >= 3 && teams.messages.length >= 3);
  const state = await stack.untilState('more checks', (seen) => seen.consecutive_clean >= 6);
  expect(state.failback_ready).toBe(true);
  for (const texts of [textsOf(teams), delivered()]) {
    expect(texts).toHaveLength(3);
    for (const [at, pattern] of told.entries()) expect(texts[at]).toMatch(pattern);
  }
  expect(new Set(refused)).toEqual(new Set([textsOf(teams)[0]]));
  expect(json.messages).toMatchObject([{ json: { event: 'gap-detected', severity: 'warn' } }]);

  // A site falls silent for longer than a check, and comes back.
  stack.dr.proxy.setFault({ kind: 'answer', status: 503, body: 'gone' });
  await until('the end of READY', () => textsOf(teams).length >= 5);
  stack.dr.proxy.setFault(null);
  await until('both sites again', () => textsOf(teams).length >= 6);
  expect(textsOf(teams).slice(3)).toEqual([
    expect.stringMatching(/^🔌 VM-Sync: Check unknown: Remote VM unhealthy: http:.* \(/),
    expect.stringMatching(/^🔴 VM-Sync: READY WITHDRAWN \(Remote VM unhealthy: http/),
    expect.stringMatching(/^🔌 VM-Sync: Both sites can be asked again \(after \S+s\)$/),
  ]);
  expect(json.messages.map(({ json }) => (json as { event: string }).event)).toEqual([
    'gap-detected',
    'check-unknown',
    'ready-withdrawn',
  ]);
});
