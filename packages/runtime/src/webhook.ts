import { VmSyncError } from '@vm-sync/core';
import { request } from 'undici';

/** The body that Slack's incoming webhooks and Teams' Workflows accept. */
export function webhookBody(format: 'slack' | 'teams', text: string): unknown {
  if (format === 'slack') return { text };
  // Workflows render Adaptive Cards only; 1.4 is the newest version that Teams renders everywhere.
  return {
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
  };
}

/** Posts a message; throws a `VmSyncError` that names the host only, because the whole URL is a secret. */
export async function postWebhook(
  target: { readonly url: string; readonly format: 'slack' | 'teams' },
  text: string,
): Promise<void> {
  const { host } = new URL(target.url);
  let status: number;
  try {
    const response = await request(target.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(webhookBody(target.format, text)),
      headersTimeout: 10_000,
      bodyTimeout: 10_000,
    });
    status = response.statusCode;
    await response.body.dump();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'no answer';
    throw new VmSyncError(
      'retryable',
      `notification not delivered: ${host} (NOTIFY_WEBHOOK): ${code}`,
    );
  }
  if (status >= 200 && status < 300) return;
  const final = status >= 400 && status < 500 && status !== 408 && status !== 429;
  throw new VmSyncError(
    final ? 'final' : 'retryable',
    `notification not delivered: ${host} (NOTIFY_WEBHOOK) answered ${status}${final ? '; check the URL and NOTIFY_FORMAT' : ''}`,
  );
}
