import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { makeRepairKit, type VmSyncError } from '@vm-sync/core';
import {
  type Fault,
  freePort,
  makeSeries,
  startFaultProxy,
  startVictoriaMetrics,
  type VmServer,
  vmVersions,
} from '@vm-sync/testkit';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { copyLines, type SeriesPrint, type VictoriaMetrics } from '../src/index.ts';
import { serve } from './http-server.ts';
import { client, collect, errorOf, everything, hour, load, minute, topMs } from './support.ts';

const window = { fromMs: topMs - hour, toMs: topMs };
const tallyRequest = { selector: everything, window, stepMs: 5 * minute };

/** Everything that asks the server something, each of which must fail when the answer is bad. */
const calls: Record<string, (database: VictoriaMetrics, signal?: AbortSignal) => Promise<unknown>> =
  {
    observe: (database) => database.observe(),
    tally: (database, signal) => collect(database.tally({ ...tallyRequest, signal })),
    prints: (database, signal) =>
      collect(database.prints({ ...tallyRequest, slotMs: minute, signal })),
    counts: (database, signal) => database.counts({ selectors: [everything], window, signal }),
    totalSamples: (database, signal) =>
      database.totalSamples({ selectors: [everything], window, signal }),
    timestamps: (database, signal) =>
      database.timestamps({ selectors: [everything], window, signal }),
  };
const named = Object.entries(calls);

describe.each<
  [
    string,
    { status: number; headers?: Record<string, string>; body: string },
    Partial<VmSyncError>,
    RegExp,
  ]
>([
  [
    'a web page',
    { status: 200, headers: { 'content-type': 'text/html' }, body: '<!doctype html><p>Sign in' },
    { kind: 'retryable' },
    /check that the URL leads to a VictoriaMetrics/,
  ],
  [
    'a bad gateway',
    { status: 502, headers: { 'content-type': 'text/html' }, body: '<html><b>502</b>' },
    { kind: 'retryable' },
    /answered 502 with a web page; tried again later/,
  ],
  [
    'a service that is unavailable',
    { status: 503, body: 'starting' },
    { kind: 'busy' },
    /answered 503: starting; it is busy/,
  ],
  [
    'too many requests',
    { status: 429, headers: { 'retry-after': '7' }, body: 'slow down' },
    { kind: 'busy', retryAfterMs: 7_000 },
    /answered 429: slow down/,
  ],
  [
    'a date to come back',
    { status: 429, headers: { 'retry-after': 'Mon, 01 Jan 2035 00:00:00 GMT' }, body: '' },
    { kind: 'busy', retryAfterMs: undefined },
    /429; it is busy/,
  ],
  [
    'a very long wait',
    { status: 503, headers: { 'retry-after': '86400' }, body: '' },
    { kind: 'busy', retryAfterMs: 300_000 },
    /503; it is busy/,
  ],
  [
    'a full disk',
    { status: 503, body: 'the storage is in read-only mode; check -storage.minFreeDiskSpaceBytes' },
    { kind: 'busy' },
    /disk is full/,
  ],
  ['too large a request', { status: 413, body: '' }, { kind: 'too-big' }, /smaller parts/],
  [
    'too long a query',
    {
      status: 422,
      body: '{"status":"error","errorType":"422","error":"timeout exceeded during query execution: 30.000 seconds (elapsed 31.2 seconds)"}',
    },
    { kind: 'too-big' },
    /answered 422: timeout exceeded during .*smaller parts/,
  ],
  ['an unknown path', { status: 404, body: 'not found' }, { kind: 'final' }, /not served there/],
  ['no login', { status: 401, body: '' }, { kind: 'final' }, /login refused/],
  ['a forbidden path', { status: 403, body: 'Forbidden' }, { kind: 'final' }, /login refused/],
  [
    'a redirection',
    { status: 302, headers: { location: 'https://elsewhere/' }, body: '' },
    { kind: 'final' },
    /answered 302/,
  ],
  [
    'an error inside',
    { status: 500, body: 'panic\nat line 2\nat line 3' },
    { kind: 'retryable' },
    /answered 500: panic; tried again later/,
  ],
  [
    'a bad request',
    { status: 400, body: 'cannot parse matches[]={' },
    { kind: 'final' },
    /the request was refused/,
  ],
  [
    'an endless error',
    { status: 500, body: 'x'.repeat(1_000_000) },
    { kind: 'retryable' },
    /^.{0,700}$/s,
  ],
])('%s', (_, answer, expected, words) => {
  test.each(named)('%s', async (_name, call) => {
    const url = await serve((request, response) => {
      request.resume();
      response.writeHead(answer.status, answer.headers).end(answer.body);
    });
    const error = await errorOf(call(client(url)));
    expect(error).toMatchObject(expected);
    expect(error.message).toMatch(words);
    expect(error.message).toContain(`primary (${url})`);
  });
});

describe.each(named)('%s', (name, call) => {
  test('connection refused', async () => {
    const error = await errorOf(call(client(`http://127.0.0.1:${await freePort()}`)));
    expect(error.kind).toBe('retryable');
    expect(error.message).toContain('is VictoriaMetrics running there');
  });

  test('a name that does not resolve', async () => {
    const error = await errorOf(call(client('http://nobody.invalid:8428')));
    expect(error.kind).toBe('retryable');
    expect(error.message).toMatch(/host name that (does not resolve|cannot be resolved)/);
  });

  test('a connection that is reset', async () => {
    const url = await listenRaw((socket) => socket.once('data', () => socket.resetAndDestroy()));
    const error = await errorOf(call(client(url)));
    expect(error).toMatchObject({ kind: 'retryable' });
    expect(error.message).toContain('broke the connection off');
  });

  test('something that is no HTTP', async () => {
    const url = await listenRaw((socket) => socket.end('SSH-2.0-OpenSSH\r\n'));
    expect(await errorOf(call(client(url)))).toMatchObject({ kind: 'retryable' });
  });

  if (name !== 'observe') {
    test('a black hole, left when the signal says so', async () => {
      const url = await listenRaw(() => {});
      const stop = new AbortController();
      const pending = errorOf(call(client(url), stop.signal));
      stop.abort();
      const error = await pending;
      expect(error.kind).toBe('retryable');
      expect(error.message).toContain('stopped before it was done');
    });
  }
});

test.each([
  ['labels that are no texts', '{"a":1,"b":"c"}', ({ labels }: SeriesPrint) => labels],
  ['labels that are none', '{"a":"b",x,"b":"c"}', ({ labels }: SeriesPrint) => labels],
  ['points that are none', '{"a":"b"}', ({ print }: SeriesPrint) => print],
])('%s are an error of the server for whoever asks for them', async (_, metric, ask) => {
  const answer = (rollup: string, point: string) =>
    `{"metric":${metric.slice(0, -1)},"rollup":"${rollup}_over_time"},"values":[${point}]}`;
  const count = answer('count', `[${topMs / 1000},"1"]`);
  const url = await serve((request, response) => {
    request.resume();
    response.end(
      `{"status":"success","data":{"resultType":"matrix","result":[${count},${answer('sum', '[1,"x"]')}]}}`,
    );
  });
  const prints = await collect(client(url).prints({ ...tallyRequest, slotMs: minute }));
  expect(prints).toHaveLength(1);
  const error = await errorOf(Promise.resolve().then(() => ask(prints[0] as SeriesPrint)));
  expect(error.kind).toBe('retryable');
  expect(error.message).toContain(`primary (${url})`);
});

test('a print whose other half never comes has zeros there; one of no kind is an error', async () => {
  let rollup = 'count_over_time';
  const url = await serve((request, response) => {
    request.resume();
    response.end(
      `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"rollup":"${rollup}"},"values":[[${topMs / 1000},"7"]]}]}}`,
    );
  });
  const ask = () => collect(client(url).prints({ ...tallyRequest, slotMs: minute }));
  const zeros = new Array(12).fill(0);
  const found = async () =>
    (await ask()).map(({ metric, occupied, print }) => [metric, [...occupied], [...print]]);
  expect(await found()).toEqual([['{}', zeros.with(11, 7), zeros]]);
  rollup = 'sum_over_time';
  expect(await found()).toEqual([['{}', zeros, zeros.with(11, 7)]]);
  rollup = 'max_over_time';
  expect((await errorOf(ask())).message).toContain('a series without its rollup');
});

test('a server that falls silent is given up', async () => {
  const url = await listenRaw(() => {});
  const { endpoint } = client(url);
  const error = await errorOf(
    endpoint.text({ act: 'query', method: 'GET', path: '/', silenceMs: 200 }),
  );
  expect(error).toMatchObject({ kind: 'retryable' });
  expect(error.message).toContain('did not answer in time');

  const half = client(await serve((_, response) => void response.write('{"status":')));
  const inTheMiddle = await errorOf(
    half.endpoint.text({ act: 'query', method: 'GET', path: '/', silenceMs: 200 }),
  );
  expect(inTheMiddle.message).toContain('fell silent in the middle of its answer');
});

describe.each(vmVersions)('behind a proxy that goes wrong, %s', (version) => {
  let vm: VmServer;
  beforeAll(async () => {
    vm = await startVictoriaMetrics({ version });
    await load(vm, makeSeries({ count: 50, ...window, stepMs: 15_000 }));
  });
  afterAll(() => vm.stop());

  const through = async (fault: Fault | null): Promise<VictoriaMetrics> => {
    const proxy = await startFaultProxy({ target: vm.url });
    onTestFinished(() => proxy.stop());
    proxy.setFault(fault);
    return client(proxy.url);
  };
  const streaming = named.filter(([name]) => name !== 'observe' && name !== 'timestamps');

  test.each(streaming)('%s: an answer that ends too early is an error', async (_, call) => {
    const proxy = await startFaultProxy({ target: vm.url });
    onTestFinished(() => proxy.stop());
    const database = client(proxy.url);
    await call(database);
    const bytes = proxy.requests[0]?.bytes ?? 0;
    expect(bytes).toBeGreaterThan(100);
    for (let part = 0; part < 20; part++) {
      const afterBytes = Math.floor((bytes * part) / 20);
      proxy.setFault({ kind: 'cut', afterBytes, end: part % 2 ? 'reset' : 'clean' });
      expect(await errorOf(call(database))).toMatchObject({ kind: 'retryable' });
    }
  });

  test('an export that ends in mid-line or is reset is an error', async () => {
    const onto = await startVictoriaMetrics({ version });
    onTestFinished(() => onto.stop());
    for (const end of ['clean', 'reset'] as const) {
      for (const afterBytes of [1, 100, 5_000, 100_001]) {
        const database = await through({ kind: 'cut', path: '/api/v1/export', afterBytes, end });
        const error = await errorOf(database.timestamps({ selectors: [everything], window }));
        expect(error.kind).toBe('retryable');
        const copied = await errorOf(
          copyLines(database.endpoint, client(onto.url).endpoint, {
            selectors: [everything],
            window,
          }),
        );
        expect(copied.message).toContain('VM export error');
      }
    }
  });

  test('an export that ends between two lines shows in nothing but its count', async () => {
    const request = { selectors: [everything], window };
    const whole = await client(vm.url).timestamps(request);
    // All lines are of nearly the same length here: look for the end of one of them.
    const text = await (
      await fetch(
        `${vm.url}/api/v1/export?match[]=${encodeURIComponent(everything)}&start=${window.fromMs / 1000}`,
      )
    ).text();
    const lines = text.split('\n');
    const database = client(
      await serve((request, response) => {
        request.resume();
        response.end(`${lines.slice(0, 20).join('\n')}\n`);
      }),
    );
    expect(whole.size).toBe(50);
    expect((await database.timestamps(request)).size).toBe(20);
  });

  test('an error text behind good lines is an error, as 1.79 appends it', async () => {
    const text = await (
      await fetch(
        `${vm.url}/api/v1/export?match[]=${encodeURIComponent(everything)}&start=${window.fromMs / 1000}`,
      )
    ).text();
    for (const appended of [
      'timeout exceeded',
      'remoteAddr: "1.2.3.4:5"; error {"a":"]}"}\n',
      '\n\n{"',
    ]) {
      const database = client(
        await serve((request, response) => {
          request.resume();
          response.end(text + appended);
        }),
      );
      const error = await errorOf(database.timestamps({ selectors: [everything], window }));
      expect(error.kind).toBe('retryable');
      expect(error.message).toContain('a line that cannot be read');
    }
  });
});

describe.each(vmVersions)('the limits of a real server, %s', (version) => {
  const start = async (flags: readonly string[] = [], count = 20): Promise<VmServer> => {
    const vm = await startVictoriaMetrics({ version, flags });
    onTestFinished(() => vm.stop());
    await load(vm, [
      ...makeSeries({ count, names: ['http_unauthorized_total'], ...window, stepMs: 15_000 }),
      { labels: { __name__: 'one', auth_token: 'deadline' }, timestamps: [topMs], values: [1] },
    ]);
    return vm;
  };
  const selector = '{__name__=~"http_unauthorized_total|one",authKey!="auth token"}';

  test.each([
    ['series of a query', '-search.maxUniqueTimeseries', 10],
    ['samples of a query', '-search.maxSamplesPerQuery', 1000],
    ['samples of a series', '-search.maxSamplesPerSeries', 100],
  ])('%s: to be asked in parts, or raised', async (_, flag, most) => {
    const database = client((await start([`${flag}=${most}`])).url);
    // The server repeats the query in full before it names the limit.
    const selector = `{__name__=~"http_unauthorized_total|one|${'\\"'.repeat(2_000)}",authKey!="auth token"}`;
    const error = await errorOf(collect(database.tally({ ...tallyRequest, selector })));
    expect(error.kind).toBe('too-big');
    expect(flagsToRaise(error)).toEqual([flag]);
    expect(
      await errorOf(collect(database.prints({ ...tallyRequest, selector, slotMs: minute }))),
    ).toMatchObject({
      kind: 'too-big',
    });
  });

  test('series of an export: to be asked in parts', async () => {
    const database = client((await start(['-search.maxExportSeries=10'])).url);
    const error = await errorOf(database.timestamps({ selectors: [selector], window }));
    expect(error.kind).toBe('too-big');
    expect(flagsToRaise(error)).toEqual(['-search.maxExportSeries']);
  });

  test('points and text of a query: to be asked in parts', async () => {
    const database = client((await start()).url);
    const long = { fromMs: topMs - 31_000 * 1_000, toMs: topMs };
    expect(
      await errorOf(collect(database.tally({ selector, window: long, stepMs: 1_000 }))),
    ).toMatchObject({ kind: 'too-big' });
    const wordy = `{__name__=~"${'x'.repeat(17_000)}"}`;
    const error = await errorOf(collect(database.tally({ ...tallyRequest, selector: wordy })));
    expect(error.kind).toBe('too-big');
    expect(error.message).toContain('too long query');
    expect(flagsToRaise(error)).toEqual(['-search.maxQueryLen']);
  });

  test('too many requests at once: to be asked later, not in parts', async () => {
    const vm = await start(
      ['-search.maxConcurrentRequests=1', '-search.maxQueueDuration=1ms'],
      300,
    );
    const database = client(vm.url);
    const one = () => collect(database.prints({ ...tallyRequest, selector, slotMs: 1_000 }));
    const outcomes = await Promise.allSettled(Array.from({ length: 16 }, one));
    const errors = outcomes.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
    expect(errors.length).toBeGreaterThan(0);
    expect(errors.map(({ kind }: VmSyncError) => kind)).toEqual(errors.map(() => 'busy'));
    if (version === 'newest') expect(errors[0].retryAfterMs).toBe(10_000);
    expect(flagsToRaise(errors[0])).toEqual(['-search.maxConcurrentRequests']);
  });

  test('a selector that cannot be read is final, whatever words it contains', async () => {
    const database = client((await start()).url);
    const broken = '{__name__="deadline unauthorized authKey read-only mode missing route"';
    for (const call of [
      () => database.totalSamples({ selectors: [broken], window }),
      () => database.timestamps({ selectors: [broken], window }),
    ]) {
      const error = await errorOf(call());
      expect(error.kind).toBe('final');
      expect(error.message).toContain('the request was refused');
      expect(flagsToRaise(error)).toEqual([]);
    }
  });
});

/** What a repair kit names for this error. */
function flagsToRaise({ message, site }: VmSyncError): string[] {
  const kit = makeRepairKit(
    { text: message, site },
    {
      failedMs: 0,
      direction: { source: 'primary', destination: 'dr' },
      counts: { source: { samples: 1, why: null }, destination: { samples: 0, why: null } },
      commands: [],
      notes: [],
      places: { primary: 'LOCAL', dr: 'REMOTE' },
    },
  );
  return kit.flags.map(({ name }) => name);
}

/** A server that speaks no HTTP by itself; ended, with its connections, at the end of the test. */
async function listenRaw(onSocket: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server: Server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    onSocket(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
