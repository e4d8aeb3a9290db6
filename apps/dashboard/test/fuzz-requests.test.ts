import { connect } from 'node:net';
import { BackfillRefusedError } from '@vm-sync/core';
import { openQueue } from '@vm-sync/queue';
import { damages, fuzz, mutate, mutateValue, valueDamages } from '@vm-sync/testkit';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { chunkOrder, gapsStatus, openRun, startBench } from './setup.ts';

const SCRIPT = '<script>alert(1)</script>';

const PATHS = [
  ...['/', '/healthz', '/readyz', '/parity/primary', '/parity/dr', '/metrics', '/certificate'],
  ...['/api/status', '/api/certificate', '/api/certificate/x', '/certificate/x', '/api/gap-map'],
  ...['/api/checks', '/api/runs', '/api/runs/run-1', '/api/jobs/1/repair-kit', '/api/backfills'],
  ...[
    '/api/stuck',
    '/api/audit',
    '/runs',
    '/runs/run-1',
    '/actions',
    '/actions/backfill',
    '/audit',
  ],
  ...['/api/pause', '/api/resume', '/api/runs/run-1/cancel', '/api/chunks/retry', '/api/reconcile'],
  ...['/api/backfills/b/pause', '/api/backfills/b/resume', '/api/backfills/b/cancel', '/api/pin'],
  ...[
    '/api/reconcile/cancel',
    '/api/unpin',
    '/api/acknowledge',
    '/api/accept',
    '/login',
    '/logout',
  ],
  ...['/assets/page.js', '/assets/../src/app.ts', '/assets/%2e%2e/package.json', '/nowhere', '//'],
  ...[
    '/queues',
    '/queues/',
    '/queues/api/queues',
    '/queues/api/queues/repairs/1',
    '/queues/static/x',
  ],
  ...[
    '/queues/api/queues/repairs/1/retry',
    '/queues/api/queues/checks/add',
    '/queues/queue/checks',
  ],
  ...['/queues/api/queues/repairs/1/logs', '/queues/api/queues/repairs/clean/failed'],
  ...['/queues/api/queues/repairs/retry/failed', '/queues/api/redis/stats', '/queues/api/flows'],
  ...[
    'http://[',
    '*',
    'http://localhost/',
    '/api/runs/__proto__',
    '/actions/__proto__',
    '/runs/%zz',
  ],
];

const WORDS = [
  ...[
    '__proto__',
    'constructor',
    'toString',
    '%00',
    '%zz',
    '%ff',
    '..%2f..%2fetc%2fpasswd',
    SCRIPT,
  ],
  ...[
    'a'.repeat(3_000),
    '[]',
    '%5B%5D',
    '1e999',
    '-1',
    '0',
    '9'.repeat(30),
    'null',
    "'",
    '"',
    '*',
    '?',
  ],
];

const word = fc.oneof(fc.constantFrom(...WORDS), fc.string({ maxLength: 10 }));
const name = fc.constantFrom(
  ...[
    'next',
    'page',
    'status',
    'activeQueue',
    'jobsPerPage',
    'from',
    'to',
    'match',
    'dryRun',
    'site',
  ],
  ...[
    'for',
    'run',
    'gap',
    'error',
    'direction',
    '__proto__',
    'a[b]',
    'from[]',
    'who',
    'limit',
    'id',
  ],
);

const BODIES: readonly unknown[] = [
  { from: '2h', to: '1h', match: ['{a="b"}'], dryRun: true },
  { from: '2026-11-01', to: '2026-11-02', dryRun: false },
  { dryRun: '1' },
  { site: 'primary', for: '1h' },
  { gap: 'all' },
  { run: 'run-1', direction: 'dr-to-primary', error: 'x' },
  { user: 'operator', password: 'x', next: '/actions' },
  { name: 'check-gaps', data: { cause: 'operator' }, options: {} },
];

const body = fc.oneof(
  fc.constant(''),
  fc
    .tuple(fc.constantFrom(...BODIES), valueDamages)
    .map(([value, some]) => JSON.stringify(mutateValue(value, some))),
  fc
    .tuple(fc.constantFrom(...BODIES), damages)
    .map(([value, some]) => mutate(Buffer.from(JSON.stringify(value)), some).toString()),
  fc
    .array(fc.tuple(name, word), { maxLength: 5 })
    .map((pairs) => pairs.map((pair) => pair.join('=')).join('&')),
  fc.constantFrom(
    '['.repeat(30_000),
    `{"from":"${'x'.repeat(70_000)}"}`,
    '{"__proto__":{"polluted":true}}',
    'a&'.repeat(2_000),
  ),
);

const request = fc.record({
  method: fc.constantFrom(
    'GET',
    'GET',
    'GET',
    'POST',
    'POST',
    'POST',
    'PUT',
    'PATCH',
    'DELETE',
    'HEAD',
    'OPTIONS',
    'TRACE',
    'get',
  ),
  path: fc.constantFrom(...PATHS),
  more: fc.oneof(
    fc.constant(''),
    word.map((one) => `/${encodeURI(one.replace(/[\ud800-\udfff]/g, ''))}`),
    fc.constantFrom('/', '//', '%', '%00', ';a', '/..', '/.%2e/'),
  ),
  query: fc.array(fc.tuple(name, word), { maxLength: 4 }),
  headers: fc.array(
    fc.constantFrom(
      ...[
        'accept: text/html',
        'accept: */*;q=x',
        'if-none-match: *',
        'content-encoding: gzip',
        'expect: 100-continue',
      ],
      ...[
        'authorization: Basic b3BlcmF0b3I6',
        'authorization: Basic \xff',
        'authorization: Bearer x',
        'authorization: Digest a="b',
      ],
      ...[
        'cookie: vmsync-dr=x; vmsync-dr=y; __proto__=z',
        'cookie: ;;;=;',
        `cookie: vmsync-dr=${'A'.repeat(43)}`,
      ],
      ...[
        'origin: null',
        'origin: http://[',
        'sec-fetch-site: cross-site',
        'sec-fetch-site: same-origin',
        'x-forwarded-for: 1, 2, x',
      ],
      ...[
        'x-forwarded-proto: https',
        'transfer-encoding: chunked',
        'user-agent: Mozilla/5.0',
        `x: ${'y'.repeat(9_000)}`,
        'range: bytes=0-1,-5',
      ],
      ...[
        'content-type: application/json; charset=utf-7',
        'content-type: multipart/form-data',
        'content-type: text/plain',
        'x-http-method-override: PUT',
      ],
    ),
    { maxLength: 4 },
  ),
  type: fc.constantFrom(
    'application/json',
    'application/x-www-form-urlencoded',
    'application/json; charset=utf-16',
    'a/b',
  ),
  host: fc.constantFrom(
    'localhost',
    '127.0.0.1',
    '[::1]:3000',
    'localhost',
    'localhost',
    'evil.example',
    '',
  ),
  body,
  lengthOff: fc.constantFrom(0, 0, 0, 0, -1, 5),
  damages: fc.oneof({ weight: 4, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: damages }),
});
type Asked = typeof request extends fc.Arbitrary<infer T> ? T : never;

function bytesOf({
  method,
  path,
  more,
  query,
  headers,
  type,
  host,
  body: text,
  lengthOff,
  damages: some,
}: Asked): Buffer {
  const queryText = query
    .map((pair) => pair.map((one) => encodeURI(one.replace(/[\ud800-\udfff]/g, ''))).join('='))
    .join('&');
  const content = Buffer.from(text);
  const lines = [
    `${method} ${path}${more}${queryText === '' ? '' : `?${queryText}`} HTTP/1.1`,
    `host: ${host}`,
    'connection: close',
    ...(method === 'GET'
      ? []
      : [`content-type: ${type}`, `content-length: ${Math.max(0, content.length + lengthOff)}`]),
    ...headers,
    '',
    '',
  ];
  const head = Buffer.from(lines.join('\r\n'), 'latin1');
  return mutate(Buffer.concat([head, method === 'GET' ? Buffer.alloc(0) : content]), some);
}

/** The whole answer to these bytes, after which nothing more is sent; empty where the server only hung up. */
async function answerTo(port: number, bytes: Buffer): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  let answer = '';
  socket.setEncoding('latin1').on('data', (part: string) => {
    answer += part;
  });
  // A server may hang up on what it does not like to read to its end.
  socket.on('error', () => undefined);
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.on('end', () => socket.destroy());
  socket.end(bytes);
  await closed;
  return answer;
}

describe.each([
  ['without a login', undefined],
  ['with a login', { user: 'operator', password: 'a right one' }],
])('requests of any kind, %s', (how, login) => {
  test('are answered, and never by a failure of ours', async () => {
    const refused = async (): Promise<never> => {
      throw new BackfillRefusedError(undefined, 'not now');
    };
    const { dashboard, redis, store } = await startBench({
      ...(login ? { login } : {}),
      forecast: refused,
      forecastReconcile: refused,
    });
    await store.saveStatus(gapsStatus(['a gap']));
    await store.saveState(gapsStatus(['a gap']).state);
    await store.saveRun(openRun('run-1'));
    const queue = openQueue('repairs', { url: redis.url });
    await queue.add('repair-chunk', chunkOrder('run-1'), { jobId: '1x' });
    await queue.close();
    const port = Number(new URL(dashboard.url).port);
    const statuses = new Set<string>();
    await fuzz(`HTTP requests, ${how}`, 500, request, async (asked) => {
      const answer = await answerTo(port, bytesOf(asked));
      if (answer === '') return;
      const status = answer.slice(9, 12);
      statuses.add(status);
      expect(status).toMatch(/^[1234]\d\d|^50[13]/);
      if (/^content-type: text\/html/im.test(answer)) expect(answer).not.toContain(SCRIPT);
      expect(answer).not.toMatch(/node_modules|\n {4}at |root:x:/);
    });
    const seen = ['200', '400', '404', ...(login ? ['401'] : ['403'])];
    expect([...statuses]).toEqual(expect.arrayContaining(seen));
    expect((await fetch(`${dashboard.url}/healthz`)).status).toBe(200);
  }, 60_000);
});
