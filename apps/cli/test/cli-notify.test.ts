import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Env, runVmSync } from '@vm-sync/fault-bench';
import { freePort, startWebhook, temporaryFolder, type Webhook } from '@vm-sync/testkit';
import { describe, expect, onTestFinished, test } from 'vitest';

/** Nothing listens there: neither Redis nor a database is asked. */
const good: Env = {
  ROLE: 'dr',
  ACTIVE_SITE: 'primary',
  LOCAL_VM_URL: 'http://127.0.0.1:9',
  REMOTE_VM_URL: 'http://127.0.0.1:10',
  REDIS_URL: 'redis://127.0.0.1:9',
};

const run = (args: readonly string[], env: Env) =>
  runVmSync(args, temporaryFolder('cli'), { ...good, ...env });

async function receiver(): Promise<Webhook> {
  const webhook = await startWebhook();
  onTestFinished(() => webhook.stop());
  return webhook;
}

/** The check that the guide gives to people, as they would run it. */
async function checkOfTheGuide() {
  const guide = await readFile(
    new URL('../../../docs/guides/notifications.md', import.meta.url),
    'utf8',
  );
  const [, code = ''] = /```js\n(.*?)```/s.exec(guide) ?? [];
  const file = join(temporaryFolder('guide'), 'check.mjs');
  await writeFile(file, code);
  const { isFromVmSync } = await import(file);
  return (...given: unknown[]): boolean => isFromVmSync(...given);
}

describe('vm-sync notify --test', () => {
  test('sends one message to every target, and says what each answered', async () => {
    const [slack, json] = [await receiver(), await receiver()];
    json.setStatus(202);
    const env = {
      NOTIFY_WEBHOOK: `${slack.url}/s3cret`,
      NOTIFY_MIN_SEVERITY: 'error',
      NOTIFY_WEBHOOK_2: `${json.url}/s3cret`,
      NOTIFY_FORMAT_2: 'json',
      NOTIFY_SECRET_2: 'signing s3cret',
    };
    const { code, stdout, stderr } = await run(['notify', '--test'], env);
    expect([code, stderr]).toEqual([0, '']);
    const hostOf = ({ url }: Webhook) => new URL(url).host;
    expect(stdout).toBe(
      `1 slack ${hostOf(slack)}  delivered (200)\n2 json ${hostOf(json)}   delivered (202)\n`,
    );
    expect(slack.messages).toMatchObject([
      { json: { text: '🧪 VM-Sync: Test message: messages arrive here' } },
    ]);
    const [message] = json.messages;
    expect(json.messages).toHaveLength(1);
    expect(message?.json).toMatchObject({ event: 'test', role: 'dr', late: false });
    const isFromVmSync = await checkOfTheGuide();
    const { headers, body } = message ?? {};
    expect(isFromVmSync('signing s3cret', headers, body)).toBe(true);
    expect(isFromVmSync('another', headers, body)).toBe(false);
    expect(isFromVmSync('signing s3cret', headers, `${body} `)).toBe(false);
    const old = { ...headers, 'x-vm-sync-timestamp': '1790000000' };
    expect(isFromVmSync('signing s3cret', old, body)).toBe(false);
    expect(isFromVmSync('signing s3cret', {}, body)).toBe(false);
  });

  test('fails when one target did not take it, and names the others all the same', async () => {
    const [refusing, alive] = [await receiver(), await receiver()];
    refusing.setStatus(403);
    const env = {
      NOTIFY_WEBHOOK: `${refusing.url}/s3cret`,
      NOTIFY_WEBHOOK_2: `http://127.0.0.1:${await freePort()}/s3cret`,
      NOTIFY_WEBHOOK_3: alive.url,
    };
    const { code, stdout, stderr } = await run(['notify', '--test', '--json'], env);
    expect([code, stderr]).toEqual([1, '']);
    expect(stdout).not.toContain('s3cret');
    expect(JSON.parse(stdout)).toMatchObject([
      {
        target: '1',
        delivered: false,
        answer: expect.stringMatching(
          /\(NOTIFY_WEBHOOK\) answered 403; check the URL and NOTIFY_FORMAT$/,
        ),
      },
      {
        target: '2',
        delivered: false,
        answer: expect.stringMatching(/\(NOTIFY_WEBHOOK_2\): ECONNREFUSED$/),
      },
      { target: '3', format: 'slack', delivered: true, answer: 'delivered (200)' },
    ]);
  });

  test.each([
    [['notify', '--test'], {}, /^nobody is told anything: set NOTIFY_WEBHOOK/],
    [['notify'], {}, /required option '--test' not specified/],
  ] as const)('cannot do %j with %j', async (args, env, words) => {
    const { code, stdout, stderr } = await run(args, env);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(words);
  });
});
