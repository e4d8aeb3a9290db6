import { until } from '@vm-sync/testkit';
import { expect, test } from 'vitest';
import { recentLoss } from './support/recent.ts';
import { startStack } from './support/stack.ts';

const told = [
  /^⚠️ VM-Sync: \d00 data gaps detected \(2,000 samples missing on dr, primary → dr\)$/,
  /^✅ VM-Sync: Sync complete \(2,000 samples repaired, primary → dr, in \d+s\)$/,
  /^🟢 VM-Sync: FAILBACK READY \(\d+ clean checks in a row, dr holds everything that primary has\)$/,
];

const formats: { format: string; textOf: (body: unknown) => string }[] = [
  { format: 'slack', textOf: (body) => (body as { text: string }).text },
  {
    format: 'teams',
    textOf: (body) => {
      const { type, attachments } = body as {
        type: string;
        attachments: { contentType: string; content: { type: string; body: { text: string }[] } }[];
      };
      expect(type).toBe('message');
      expect(attachments[0]?.contentType).toBe('application/vnd.microsoft.card.adaptive');
      expect(attachments[0]?.content.type).toBe('AdaptiveCard');
      return attachments[0]?.content.body[0]?.text ?? '';
    },
  },
];

test.concurrent.each(formats)('each change is told once ($format)', async ({ format, textOf }) => {
  const { all, left } = recentLoss();
  await using stack = await startStack({ webhook: true, env: { NOTIFY_FORMAT: format } });
  await stack.fill({ primary: all, dr: left });
  const { webhook } = stack;
  webhook.setStatus(500);
  stack.spawn('up');
  await until('a message that is tried again', () => webhook.messages.length >= 2);
  const refused = webhook.messages.map(({ json }) => textOf(json));
  webhook.setStatus(200);
  const delivered = () => webhook.messages.slice(refused.length).map(({ json }) => textOf(json));
  await stack.untilReady();
  await until('three messages', () => delivered().length >= 3);
  const state = await stack.untilState('more checks', (seen) => seen.consecutive_clean >= 9);
  expect(state.failback_ready).toBe(true);
  const texts = delivered();
  expect(texts).toHaveLength(3);
  for (const [at, pattern] of told.entries()) expect(texts[at]).toMatch(pattern);
  expect(new Set(refused)).toEqual(new Set([texts[0]]));
});
