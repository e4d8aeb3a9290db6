import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import { type Logger, watchRedis } from '../src/index.ts';

test('an outage is told once, whoever notices it, and so is its end', () => {
  const said: string[] = [];
  const note = (level: string) => (_: unknown, text?: string) =>
    void said.push(`${level} ${text ?? _}`);
  const log = { debug: note('debug'), info: note('info'), warn: note('warn') };
  const client = Object.assign(new EventEmitter(), { status: 'connecting' });
  const queue = new EventEmitter();
  watchRedis(client, log as unknown as Logger)(queue);
  const become = (status: string) => {
    client.status = status;
    if (status === 'ready') client.emit('ready');
  };

  become('ready');
  queue.emit('error', new Error('something else'));
  become('reconnecting');
  for (const part of [client, queue, client]) part.emit('error', new Error('ECONNREFUSED'));
  become('ready');
  queue.emit('error', new Error('late'));
  become('reconnecting');
  queue.emit('error', new Error('ECONNREFUSED'));
  become('ready');
  become('end');
  queue.emit('error', new Error('Connection is closed.'));
  const away = 'warn Redis cannot be reached; trying again until it can';
  const back = 'info Redis answers again';
  expect(said.filter((line) => !line.startsWith('debug'))).toEqual([away, back, away, back]);
});
