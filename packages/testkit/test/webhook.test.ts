import { expect, onTestFinished, test } from 'vitest';
import { startWebhook } from '../src/index.ts';

test('keeps what is posted and answers as told', async () => {
  const webhook = await startWebhook();
  onTestFinished(() => webhook.stop());
  const post = (body: string): Promise<Response> =>
    fetch(`${webhook.url}/hook?sig=1`, { method: 'POST', body });
  expect((await post('{"text":"ready"}')).status).toBe(200);
  webhook.setStatus(503);
  expect((await post('no json')).status).toBe(503);
  expect(webhook.messages).toMatchObject([
    { method: 'POST', path: '/hook?sig=1', json: { text: 'ready' } },
    { body: 'no json', json: undefined },
  ]);
});
