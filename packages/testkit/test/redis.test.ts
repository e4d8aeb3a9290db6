import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { startRedis } from '../src/index.ts';

async function ask(port: number, command: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(`${command}\r\n`);
  const [answer] = await once(socket, 'data', { signal: AbortSignal.timeout(2000) });
  socket.destroy();
  return String(answer).trim();
}

test('keeps its data over kill and start when told to', async () => {
  const redis = await startRedis({ appendonly: true });
  onTestFinished(() => redis.stop());
  expect(redis.url).toBe(`redis://127.0.0.1:${redis.port}`);
  expect(await ask(redis.port, 'SET a 1')).toBe('+OK');
  await redis.kill();
  await expect(ask(redis.port, 'GET a')).rejects.toThrow('ECONNREFUSED');
  await redis.start();
  expect(await ask(redis.port, 'EXISTS a')).toBe(':1');
  await redis.flushAll();
  expect(await ask(redis.port, 'EXISTS a')).toBe(':0');
});

test('comes back empty otherwise, and evicts nothing', async () => {
  const redis = await startRedis();
  onTestFinished(() => redis.stop());
  await ask(redis.port, 'SET a 1');
  await redis.restart();
  expect(await ask(redis.port, 'EXISTS a')).toBe(':0');
  expect(await ask(redis.port, 'CONFIG GET maxmemory-policy')).toContain('noeviction');
});
