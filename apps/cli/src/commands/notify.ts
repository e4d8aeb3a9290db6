import { randomUUID } from 'node:crypto';
import { errorText, type Notice, VmSyncError } from '@vm-sync/core';
import { type Config, type NotifyTarget, postWebhook } from '@vm-sync/runtime';
import { answer, EXIT, type ExitCode, type Json, table } from '../output.ts';

/** What came of the test message for one target. */
interface Answer {
  readonly target: string;
  readonly format: NotifyTarget['format'];
  /** The address itself is a secret. */
  readonly host: string;
  readonly delivered: boolean;
  readonly answer: string;
}

/** Sends a test message to every target, whatever its least severity, and says what each answered. Needs no Redis. */
export async function notify(config: Config, options: Json): Promise<ExitCode> {
  if (config.notify.length === 0) {
    throw new VmSyncError(
      'final',
      'nobody is told anything: set NOTIFY_WEBHOOK (docs/guides/notifications.md)',
    );
  }
  const answers = await Promise.all(config.notify.map((target) => ask(config, target)));
  const rows = answers.map(({ target, format, host, answer }): [string, string] => [
    `${target} ${format} ${host}`,
    answer,
  ]);
  answer(options, answers, table(rows));
  return answers.every(({ delivered }) => delivered) ? EXIT.fine : EXIT.found;
}

async function ask({ role }: Config, target: NotifyTarget): Promise<Answer> {
  const { name, format, url } = target;
  const common = { target: name, format, host: new URL(url).host };
  try {
    const nowMs = Date.now();
    const message = { id: `test-${randomUUID()}`, role, notice: testNotice(nowMs), nowMs };
    const status = await postWebhook(target, message);
    return { ...common, delivered: true, answer: `delivered (${status})` };
  } catch (error) {
    return { ...common, delivered: false, answer: errorText(error) };
  }
}

const testNotice = (atMs: number): Notice => ({
  kind: 'test',
  severity: 'info',
  text: '🧪 VM-Sync: Test message: messages arrive here',
  todo: 'Nothing.',
  atMs,
  details: {},
});
