import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { makeSeries, startFaultProxy, startVictoriaMetrics, vmVersions } from '@vm-sync/testkit';
import { describe, expect, onTestFinished, test } from 'vitest';
import { copyLines, copyMissing, copyNative } from '../src/index.ts';
import { serve } from './http-server.ts';
import { client, errorOf, everything, hour, load, minute, topMs } from './support.ts';

const window = { fromMs: topMs - hour, toMs: topMs };
const request = { selectors: [everything], window };
const line = (at: number) =>
  `{"metric":{"__name__":"m","n":"${at}"},"values":[${new Array(1_000).fill(1)}],"timestamps":[${Array.from({ length: 1_000 }, (_, index) => window.fromMs + 1 + index)}]}\n`;

/** A source that writes lines for as long as anyone reads them; tells when its reader has gone. */
async function endlessSource(): Promise<{
  url: string;
  left: Promise<unknown>;
  written: () => number;
}> {
  const gone = Promise.withResolvers<void>();
  let written = 0;
  const url = await serve(async (request, response) => {
    request.resume();
    response.once('close', () => gone.resolve());
    for (let at = 0; !response.destroyed; at++) {
      const text = line(at);
      written += text.length;
      if (!response.write(text)) await Promise.race([once(response, 'drain'), gone.promise]);
    }
  });
  return { url, left: gone.promise, written: () => written };
}

/** Answers after so many bytes of the upload, while more of it is coming. */
const answerAfter =
  (bytes: number, status: number, body: string) =>
  (request: IncomingMessage, response: ServerResponse) => {
    let seen = 0;
    request.on('data', (part: Buffer) => {
      seen += part.length;
      if (seen >= bytes && !response.headersSent) response.writeHead(status).end(body);
    });
  };

describe.each([
  ['lines', copyLines],
  ['native blocks', copyNative],
  [
    'missing samples',
    (...[source, destination, request]: Parameters<typeof copyLines>) =>
      copyMissing(source, destination, new Map(), 0, request),
  ],
] as const)('%s', (_, copy) => {
  test.each([
    [0, 400, 'final'],
    [1_000_000, 400, 'final'],
    [500_000, 503, 'busy'],
    [1_000_000, 500, 'retryable'],
  ])(
    'after %i bytes the destination answers %i: its error is told, and the source is let go',
    async (bytes, status, kind) => {
      const source = await endlessSource();
      const destination = await serve(answerAfter(bytes, status, 'too long line: no more of this'));
      const error = await errorOf(
        copy(client(source.url).endpoint, client(destination, { site: 'dr' }).endpoint, request),
      );
      expect(error.kind).toBe(kind);
      expect(error.message).toContain(
        `VM import error: dr (${destination}) answered ${status}: too long line`,
      );
      await source.left;
    },
  );

  test('a success that is answered before everything was read is none', async () => {
    const source = await endlessSource();
    const destination = await serve(answerAfter(1_000_000, 204, ''));
    const error = await errorOf(
      copy(client(source.url).endpoint, client(destination, { site: 'dr' }).endpoint, request),
    );
    expect(error.kind).toBe('retryable');
    expect(error.message).toContain(
      `VM import error: dr (${destination}) answered before it had read everything`,
    );
    await source.left;
  });

  test('the destination breaks the connection off: its error is told, and the source is let go', async () => {
    const source = await endlessSource();
    const destination = await serve((request) => {
      request.once('data', () => request.socket.resetAndDestroy());
    });
    const error = await errorOf(
      copy(client(source.url).endpoint, client(destination, { site: 'dr' }).endpoint, request),
    );
    expect(error.kind).toBe('retryable');
    expect(error.message).toContain('VM import error: dr');
    expect(error.message).toContain('broke the connection off');
    await source.left;
  });

  test('the source refuses: its error is told', async () => {
    const source = await serve((_, response) => response.writeHead(503).end('not now'));
    const destination = await serve((request, response) => {
      request.resume().once('end', () => response.writeHead(204).end());
    });
    const error = await errorOf(
      copy(client(source).endpoint, client(destination, { site: 'dr' }).endpoint, request),
    );
    expect(error.message).toContain('VM export error: primary');
    expect(error.kind).toBe('busy');
  });

  test('the source dies in the middle: its error is told, not the broken upload', async () => {
    const source = await serve((request, response) => {
      request.resume();
      response.write(line(1));
      response.write(line(2), () => setImmediate(() => response.destroy()));
    });
    const destination = await serve((request, response) => {
      request.resume().once('end', () => response.writeHead(204).end());
    });
    const error = await errorOf(
      copy(client(source).endpoint, client(destination, { site: 'dr' }).endpoint, request),
    );
    expect(error.message).toContain('VM export error: primary');
    expect(error.kind).toBe('retryable');
  });

  test('a signal stops both ends', async () => {
    const source = await endlessSource();
    const uploading = Promise.withResolvers<void>();
    const hungUp = Promise.withResolvers<void>();
    const destination = await serve((request) => {
      request.resume().once('data', () => uploading.resolve());
      request.once('close', () => hungUp.resolve());
    });
    const stop = new AbortController();
    const copying = errorOf(
      copy(client(source.url).endpoint, client(destination).endpoint, {
        ...request,
        signal: stop.signal,
      }),
    );
    await uploading.promise;
    stop.abort();
    expect((await copying).message).toContain('stopped before it was done');
    await Promise.all([source.left, hungUp.promise]);
  });

  test('whoever counts the bytes may stop it', async () => {
    const source = await endlessSource();
    const destination = await serve((request, response) => {
      request.resume().once('end', () => response.writeHead(204).end());
    });
    let bytes = 0;
    const copying = copy(client(source.url).endpoint, client(destination).endpoint, {
      ...request,
      onBytes: (more) => {
        bytes += more;
        if (bytes > 2_000_000) throw new RangeError('enough');
      },
    });
    await expect(copying).rejects.toThrow('enough');
    await source.left;
  });

  test('no byte is sent before whoever counts the bytes has let it go', async () => {
    const source = await serve((request, response) => {
      request.resume();
      for (let at = 0; at < 200; at++) response.write(line(at));
      response.end();
    });
    let allowed = 0;
    let seen = 0;
    const tooEarly: number[] = [];
    const destination = await serve((request, response) => {
      request.on('data', (part: Buffer) => {
        seen += part.length;
        if (seen > allowed) tooEarly.push(seen - allowed);
      });
      request.once('end', () => response.writeHead(204).end());
    });
    let waiting = 0;
    const moved = await copy(client(source).endpoint, client(destination).endpoint, {
      ...request,
      onBytes: async (bytes) => {
        waiting += 1;
        expect(waiting).toBe(1);
        await new Promise((resolve) => setTimeout(resolve, 2));
        waiting -= 1;
        allowed += bytes;
      },
    });
    expect(tooEarly).toEqual([]);
    expect(seen).toBe(allowed);
    expect(moved.bytes).toBe(seen);
    expect(seen).toBe(
      Array.from({ length: 200 }, (_, at) => line(at).length).reduce((a, b) => a + b),
    );
  });

  test('a destination that does not read holds the source back', async () => {
    const source = await endlessSource();
    const destination = await serve((request) => void request.pause());
    const stop = new AbortController();
    const copying = errorOf(
      copy(client(source.url).endpoint, client(destination).endpoint, {
        ...request,
        signal: stop.signal,
      }),
    );
    // Where nothing holds it back, it writes far more than that while we look.
    let before = -1;
    while (before !== source.written() || before === 0) {
      before = source.written();
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    expect(source.written()).toBeLessThan(64_000_000);
    stop.abort();
    await copying;
    await source.left;
  });
});

describe.each(vmVersions)('real servers, %s', (version) => {
  test('a line that the destination refuses stops the copy', async () => {
    const source = await endlessSource();
    const vm = await startVictoriaMetrics({ version, flags: ['-import.maxLineLen=1000'] });
    onTestFinished(() => vm.stop());
    const error = await errorOf(
      copyLines(client(source.url).endpoint, client(vm.url, { site: 'dr' }).endpoint, request),
    );
    // The server closes without reading the rest: at times the reset overtakes its answer on the way to us.
    expect(error.message).toMatch(/VM import error: dr .*(too long line|broke the connection off)/);
    await source.left;
  });

  test('a source that is killed in the middle fails the copy', async () => {
    const from = await startVictoriaMetrics({ version });
    const vm = await startVictoriaMetrics({ version });
    onTestFinished(async () => void (await Promise.all([from.stop(), vm.stop()])));
    await load(from, makeSeries({ count: 300, ...window, stepMs: 2_000 }));
    const proxy = await startFaultProxy({ target: vm.url });
    onTestFinished(() => proxy.stop());
    let killed: Promise<void> | undefined;
    const { endpoint } = client(from.url);
    const copying = copyMissing(endpoint, client(proxy.url).endpoint, new Map(), 0, {
      selectors: [everything],
      window,
      onBytes: () => {
        killed ??= from.kill();
      },
    });
    const error = await errorOf(copying);
    await killed;
    expect(error.message).toContain('VM export error');
    expect(error.kind).toBe('retryable');
  });
});

test('the connection of a failed copy does not spoil the next one', async () => {
  const vm = await startVictoriaMetrics();
  onTestFinished(() => vm.stop());
  const other = await startVictoriaMetrics();
  onTestFinished(() => other.stop());
  await load(other, makeSeries({ count: 2, ...window, stepMs: minute }));
  const [source, destination] = [client(other.url), client(vm.url)];
  for (let round = 0; round < 12; round++) {
    const stop = new AbortController();
    stop.abort();
    await errorOf(
      copyLines(source.endpoint, destination.endpoint, { ...request, signal: stop.signal }),
    );
    const bad = { ...request, selectors: ['{nothing'] };
    await errorOf(copyLines(source.endpoint, destination.endpoint, bad));
  }
  await copyLines(source.endpoint, destination.endpoint, request);
  await vm.flush();
  expect(await destination.totalSamples(request)).toBe(120);
});
