import { freePort, startRedis, until } from '@vm-sync/testkit';
import { describe, expect, onTestFinished, test } from 'vitest';
import { connect, parseRedisUrl } from '../src/index.ts';

describe('a Redis URL', () => {
  test.each([
    'redis://127.0.0.1:6379',
    'redis://:secret@redis/2',
    'rediss://user:p%40ss@redis.example:6380',
    'redis://[::1]:6379',
  ])('%s is one server', (url) => {
    expect(parseRedisUrl(url)).toEqual({ kind: 'single' });
  });

  const nobody = { username: '', password: '', db: 0 };
  test.each([
    [
      'redis-sentinel://a:1,b/main',
      {
        kind: 'sentinel',
        hosts: [
          { host: 'a', port: 1 },
          { host: 'b', port: 26379 },
        ],
        master: 'main',
        ...nobody,
      },
    ],
    [
      'redis-sentinel://user:p%40s%2Fs@a/main/3',
      {
        kind: 'sentinel',
        hosts: [{ host: 'a', port: 26379 }],
        master: 'main',
        username: 'user',
        password: 'p@s/s',
        db: 3,
      },
    ],
    [
      'redis-cluster://a:7000,b:7001',
      {
        kind: 'cluster',
        hosts: [
          { host: 'a', port: 7000 },
          { host: 'b', port: 7001 },
        ],
        master: '',
        ...nobody,
      },
    ],
    [
      'redis-cluster://:secret@a',
      {
        kind: 'cluster',
        hosts: [{ host: 'a', port: 6379 }],
        master: '',
        ...nobody,
        password: 'secret',
      },
    ],
    [
      'redis-cluster://user@a',
      {
        kind: 'cluster',
        hosts: [{ host: 'a', port: 6379 }],
        master: '',
        ...nobody,
        username: 'user',
      },
    ],
    [
      'redis-cluster://[::1]:7000,[2001:db8::1]',
      {
        kind: 'cluster',
        hosts: [
          { host: '::1', port: 7000 },
          { host: '2001:db8::1', port: 6379 },
        ],
        master: '',
        ...nobody,
      },
    ],
  ])('%s is read', (url, target) => {
    expect(parseRedisUrl(url)).toEqual(target);
  });

  test.each([
    'localhost:6379',
    'http://user:s3cret@redis',
    'redis://user:s3cret@redis:99999',
    'redis-sentinel://user:s3cret@a:1',
    'redis-sentinel://user:s3cret@a:99999/main',
    'redis-cluster://user:s3cret@a:b',
    'redis-cluster://user:s3cret@a,,b',
    'redis-cluster://user:s3cret@::1:7000',
    'redis-cluster://user:s3cret%@a',
    'redis-cluster://',
    '',
  ])('%s is refused with a sentence that does not repeat it', (url) => {
    expect(() => parseRedisUrl(url)).toThrow(/^expected (?!.*s3cret)/);
  });
});

test('people get an error within seconds where no Redis is', async () => {
  const redis = connect(`redis://127.0.0.1:${await freePort()}`, 'brief');
  redis.on('error', () => {});
  onTestFinished(() => redis.disconnect());
  await expect(redis.get('x')).rejects.toThrow();
});

test('a connection works against a real server', async () => {
  const server = await startRedis();
  onTestFinished(() => server.stop());
  for (const patience of ['brief', 'endless'] as const) {
    const redis = connect(`${server.url}/1`, patience);
    onTestFinished(() => redis.disconnect());
    expect(await redis.set('x', patience)).toBe('OK');
    expect(await redis.get('x')).toBe(patience);
  }
});

test('a Redis that is silent: what people ask fails, is not kept, and is not done twice when it speaks again', async () => {
  const server = await startRedis();
  onTestFinished(() => server.stop());
  const redis = connect(server.url, 'brief');
  redis.on('error', () => {});
  onTestFinished(() => redis.disconnect());
  await redis.ping();
  server.pause();
  const asked = await Promise.allSettled(Array.from({ length: 100 }, () => redis.incr('x')));
  expect(new Set(asked.map(({ status }) => status))).toEqual(new Set(['rejected']));
  await until('the connection to be given up', () => redis.status !== 'ready');
  server.resume();
  await until('Redis to answer', () => redis.ping());
  // What had reached it before is done; nothing is sent again.
  expect(Number(await redis.get('x'))).toBeLessThanOrEqual(100);
});
