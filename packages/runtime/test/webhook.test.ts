import { type Notice, VmSyncError } from '@vm-sync/core';
import { freePort, startWebhook, type Webhook } from '@vm-sync/testkit';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type NotifyTarget, postWebhook } from '../src/index.ts';
import { parseCard, TeamsMessage } from './adaptive-card.ts';
import { SlackMessage } from './slack-schema.ts';

let webhook: Webhook;
beforeAll(async () => {
  webhook = await startWebhook();
});
afterAll(() => webhook.stop());
beforeEach(() => webhook.setStatus(200));

const notice: Notice = {
  kind: 'failback-ready',
  severity: 'info',
  text: '🟢 VM-Sync: FAILBACK READY ("3" clean)',
  todo: 'Fail back when you like.',
  atMs: 1_000,
  details: { cleanChecks: 3 },
};
const nowMs = 1_790_000_000_500;
const message = { id: 'n1', role: 'dr', notice, nowMs } as const;

const target = (path: string, more: Partial<NotifyTarget> = {}): NotifyTarget => ({
  name: '1',
  url: `${webhook.url}${path}`,
  format: 'slack',
  minSeverity: 'info',
  secret: undefined,
  ...more,
});

test('Slack takes what it is sent', async () => {
  expect(await postWebhook(target('/services/T/B/s3cret'), message)).toBe(200);
  const received = webhook.messages.at(-1);
  expect(received).toMatchObject({
    method: 'POST',
    path: '/services/T/B/s3cret',
    headers: { 'content-type': 'application/json' },
  });
  expect(SlackMessage.parse(received?.json).text).toMatch(/^🟢 VM-Sync: FAILBACK READY/);
  expect(received?.headers['x-vm-sync-id']).toBeUndefined();
});

test('Teams takes what it is sent', async () => {
  webhook.setStatus(202);
  const teams = target('/workflows/x?sig=s3cret', { format: 'teams' });
  expect(await postWebhook(teams, message)).toBe(202);
  const { content } = TeamsMessage.parse(webhook.messages.at(-1)?.json).attachments[0];
  expect(parseCard(content)).toEqual({ faults: [], understood: content });
});

/** By Web Crypto, from what was received: nothing of the sender's own code. */
async function isSigned(secret: string, headers: Record<string, unknown>, body: string) {
  const bytes = new TextEncoder();
  const algorithm = { name: 'HMAC', hash: 'SHA-256' };
  const key = await crypto.subtle.importKey('raw', bytes.encode(secret), algorithm, false, [
    'verify',
  ]);
  const [, hex = ''] = /^sha256=([0-9a-f]{64})$/.exec(`${headers['x-vm-sync-signature']}`) ?? [];
  const signed = bytes.encode(`${headers['x-vm-sync-timestamp']}.${body}`);
  return crypto.subtle.verify('HMAC', key, Buffer.from(hex, 'hex'), signed);
}

test('programs get a message that they can trust', async () => {
  const secret = 'wörd 41/+';
  await postWebhook(target('/hook', { format: 'json', secret }), message);
  const { headers, body, json } = webhook.messages.at(-1) as (typeof webhook.messages)[0];
  expect(json).toMatchObject({ version: 1, id: 'n1', event: 'failback-ready', role: 'dr' });
  expect(headers).toMatchObject({
    'x-vm-sync-id': 'n1',
    'x-vm-sync-timestamp': '1790000000',
    'x-vm-sync-signature': expect.stringMatching(/^sha256=/),
  });
  expect(await isSigned(secret, headers, body)).toBe(true);
  expect(await isSigned('another', headers, body)).toBe(false);
  expect(await isSigned(secret, headers, `${body} `)).toBe(false);
  const later = { ...headers, 'x-vm-sync-timestamp': '1790000001' };
  expect(await isSigned(secret, later, body)).toBe(false);
});

test('without a secret nothing is signed', async () => {
  await postWebhook(target('/hook', { format: 'json' }), message);
  expect(webhook.messages.at(-1)?.headers).toMatchObject({ 'x-vm-sync-id': 'n1' });
  expect(webhook.messages.at(-1)?.headers['x-vm-sync-signature']).toBeUndefined();
});

async function failure(url: string, name = '1'): Promise<VmSyncError> {
  const error: unknown = await postWebhook({ ...target(''), url, name }, message).catch(
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
  const error = await failure(`${webhook.url}/services/s3cret`, '2');
  expect(error.kind).toBe(kind);
  const { host } = new URL(webhook.url);
  expect(error.message).toContain(`${host} (NOTIFY_WEBHOOK_2) answered ${status}`);
  if (kind === 'final') expect(error.message).toContain('check the URL and NOTIFY_FORMAT_2');
});

test.each([
  ['30', 30_000],
  [new Date(nowMs + 90_500).toUTCString(), 90_500],
  ['86400', 3_600_000],
  ['soon', undefined],
  [new Date(nowMs - 90_000).toUTCString(), undefined],
])('a receiver that asks to be left alone until %s is waited for', async (header, afterMs) => {
  webhook.setStatus(429, { 'retry-after': header });
  const error = await failure(`${webhook.url}/s3cret`);
  expect([error.kind, error.retryAfterMs]).toEqual([afterMs ? 'busy' : 'retryable', afterMs]);
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
