import { VmSyncError } from '@vm-sync/core';
import { freePort, startWebhook, type Webhook } from '@vm-sync/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { postWebhook, webhookBody } from '../src/index.ts';

let webhook: Webhook;
beforeAll(async () => {
  webhook = await startWebhook();
});
afterAll(() => webhook.stop());

const text = '🟢 VM-Sync: FAILBACK READY ("3" clean)\n';

test('Slack gets a text', async () => {
  await postWebhook({ url: `${webhook.url}/services/T/B/s3cret`, format: 'slack' }, text);
  expect(webhook.messages.at(-1)).toMatchObject({
    method: 'POST',
    path: '/services/T/B/s3cret',
    headers: { 'content-type': 'application/json' },
    json: { text },
  });
});

test('Teams gets an adaptive card', async () => {
  webhook.setStatus(202);
  await postWebhook({ url: `${webhook.url}/workflows/x?sig=s3cret`, format: 'teams' }, text);
  webhook.setStatus(200);
  expect(webhook.messages.at(-1)?.json).toEqual({
    type: 'message',
    attachments: [
      {
        contentType: 'application/vnd.microsoft.card.adaptive',
        content: {
          $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
          type: 'AdaptiveCard',
          version: '1.4',
          body: [{ type: 'TextBlock', text, wrap: true }],
        },
      },
    ],
  });
  expect(webhookBody('slack', text)).toEqual({ text });
});

async function failure(url: string): Promise<VmSyncError> {
  const error: unknown = await postWebhook({ url, format: 'slack' }, text).catch(
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof VmSyncError)) throw new Error(`expected a VmSyncError, got ${error}`);
  expect(error.message).toContain('NOTIFY_WEBHOOK');
  expect(`${error.stack} ${JSON.stringify(error)}`).not.toContain('s3cret');
  return error;
}

test.each([
  [400, 'final'],
  [403, 'final'],
  [404, 'final'],
  [410, 'final'],
  [408, 'retryable'],
  [429, 'retryable'],
  [500, 'retryable'],
  [503, 'retryable'],
  [302, 'retryable'],
] as const)('an answer of %i is %s, and the secret address is not told', async (status, kind) => {
  webhook.setStatus(status);
  const error = await failure(`${webhook.url}/services/s3cret`);
  webhook.setStatus(200);
  expect(error.kind).toBe(kind);
  expect(error.message).toContain(
    `${new URL(webhook.url).host} (NOTIFY_WEBHOOK) answered ${status}`,
  );
});

test.each([
  ['nobody listens', async () => `http://127.0.0.1:${await freePort()}/s3cret`, /ECONNREFUSED/],
  [
    'the name does not resolve',
    async () => 'http://user:s3cret@nobody.invalid/s3cret',
    /nobody\.invalid .*E/,
  ],
])('when %s it may be tried again, and the secret address is not told', async (_, url, words) => {
  const error = await failure(await url());
  expect(error.kind).toBe('retryable');
  expect(error.message).toMatch(words);
});
