import { readFile } from 'node:fs/promises';
import { createServer as createTlsServer } from 'node:https';
import type { TlsOptions } from 'node:tls';
import {
  type Certificates,
  diffRaw,
  makeSeries,
  noDifference,
  selfSignedCertificate,
  startVictoriaMetrics,
  startVmauth,
  type VmOptions,
  type VmServer,
  vmVersions,
} from '@vm-sync/testkit';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { copyLines, type VictoriaMetrics } from '../src/index.ts';
import { listen, serve } from './http-server.ts';
import { client, errorOf, everything, hour, load, minute, topMs } from './support.ts';

const window = { fromMs: topMs - hour, toMs: topMs };
const series = makeSeries({ count: 3, ...window, stepMs: minute });
const queryAnswer =
  '{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"1"]}]}}';

let certificates: Certificates;
beforeAll(async () => {
  certificates = await selfSignedCertificate();
});

describe.each(vmVersions)('access, %s', (version) => {
  const start = async (options: VmOptions = {}) => {
    const vm = await startVictoriaMetrics({ version, ...options });
    onTestFinished(() => vm.stop());
    return vm;
  };
  let source: VmServer;
  beforeAll(async () => {
    source = await startVictoriaMetrics({ version });
    await load(source, series);
  });
  afterAll(() => source.stop());
  /** Reads and writes: both ways must know the login. */
  const copyOnto = (database: VictoriaMetrics) =>
    copyLines(client(source.url).endpoint, database.endpoint, { selectors: [everything], window });

  test('by user and password, given beside the URL or in it', async () => {
    const auth = { username: 'vmsync', password: 'pa:ss w@rd/%?' };
    const vm = await start({ auth });
    await copyOnto(client(vm.url, auth));
    await vm.flush();
    const inUrl = new URL(vm.url);
    inUrl.username = auth.username;
    inUrl.password = encodeURIComponent(auth.password);
    const database = client(inUrl.href);
    expect(await database.totalSamples({ selectors: [everything], window })).toBe(180);
    expect(database.url).toBe(vm.url);
  });

  test('a wrong password is final, names the variables, and does not show the password', async () => {
    const vm = await start({ auth: { username: 'vmsync', password: 'right' } });
    const wrong = client(vm.url, { username: 'vmsync', password: 'wrong-secret' });
    const calls = [
      () => wrong.observe(),
      () => wrong.totalSamples({ selectors: [everything], window }),
      () => wrong.timestamps({ selectors: [everything], window }),
      () => copyOnto(wrong),
    ];
    for (const call of calls) {
      const error = await errorOf(call());
      expect(error.kind).toBe('final');
      expect(error.message).toMatch(/LOCAL_VM_.*REMOTE_VM_.*USERNAME, PASSWORD and BEARER_TOKEN/);
      expect(error.message).not.toContain('wrong-secret');
      expect(error.message).not.toContain(Buffer.from('vmsync:wrong-secret').toString('base64'));
    }
  });

  test('a wrong login at vmauth is final as well', async () => {
    const vm = await start();
    const vmauth = await startVmauth({ version, target: vm.url });
    onTestFinished(() => vmauth.stop());
    const { username } = vmauth;
    const wrong = client(vmauth.url, { username, password: 'wrong-secret' });
    const nobody = client(vmauth.url);
    for (const database of [wrong, nobody]) {
      const error = await errorOf(database.observe());
      expect(error).toMatchObject({ kind: 'final' });
      expect(error.message).toContain('login refused');
      expect(error.message).not.toContain('wrong-secret');
    }
  });

  test('through vmauth, everything works that it routes', async () => {
    const vm = await start();
    const vmauth = await startVmauth({ version, target: vm.url });
    onTestFinished(() => vmauth.stop());
    const { username, password } = vmauth;
    const database = client(vmauth.url, { username, password });
    await copyOnto(database);
    await vm.flush();
    expect(await database.totalSamples({ selectors: [everything], window })).toBe(180);
  });

  test('below a path', async () => {
    const vm = await start({ pathPrefix: '/deep/vm' });
    for (const url of [vm.url, `${vm.url}/`]) {
      const database = client(url);
      await copyOnto(database);
      expect(await database.makeVisible()).toBe(true);
      expect(await database.observe()).toMatchObject({ url: vm.url, dedupMs: 0 });
    }
    const error = await errorOf(client(`http://127.0.0.1:${vm.port}`).observe());
    expect(error.kind).toBe('final');
    expect(error.message).toContain('path prefix');
  });

  test('with separate addresses for reading and writing', async () => {
    const vm = await start({ pathPrefix: '/vm' });
    const auth = { username: 'reader', password: 'only here' };
    const reading = await startVmauth({
      version,
      target: vm.url,
      paths: ['/api/v1/query', '/api/v1/query_range', '/api/v1/export'],
      ...auth,
    });
    const writing = await startVmauth({
      version,
      target: vm.url,
      paths: ['/api/v1/import'],
      ...auth,
    });
    onTestFinished(async () => void (await Promise.all([reading.stop(), writing.stop()])));
    const urls = { readUrl: reading.url, writeUrl: writing.url };
    const database = client('http://127.0.0.1:9/none', { ...urls, ...auth });
    await copyOnto(database);
    await vm.flush();
    expect(await database.totalSamples({ selectors: [everything], window })).toBe(180);

    const loginInUrl = (url: string) =>
      url.replace('://', `://${auth.username}:${encodeURIComponent(auth.password)}@`);
    const inUrls = client('http://127.0.0.1:9/none', {
      readUrl: loginInUrl(reading.url),
      writeUrl: loginInUrl(writing.url),
    });
    await copyOnto(inUrls);
    expect(await inUrls.totalSamples({ selectors: [everything], window })).toBe(180);
  });

  test('by TLS with the authority, and not without', async () => {
    const vm = await start({ tls: certificates });
    const database = client(vm.url, { ca: certificates.ca });
    await copyOnto(database);
    await vm.flush();
    const stored = await vm.export();
    expect(
      diffRaw(
        new Map(series.map((one) => [JSON.stringify(Object.entries(one.labels).sort()), one])),
        stored,
      ),
    ).toEqual(noDifference);
    expect(await database.observe()).toMatchObject({ dedupMs: 0 });

    const blind = client(vm.url);
    for (const call of [() => blind.observe(), () => copyOnto(blind)]) {
      const error = await errorOf(call());
      expect(error.kind).toBe('final');
      expect(error.message).toContain('CA_FILE');
    }
  });

  test('plain HTTP to a TLS port, and TLS to a plain one, end in an error', async () => {
    const [secure, plain] = [await start({ tls: certificates }), await start()];
    const toSecure = await errorOf(client(secure.url.replace('https', 'http')).observe());
    expect(toSecure.message).toContain(secure.url.replace('https', 'http'));
    const toPlain = await errorOf(client(plain.url.replace('http', 'https')).observe());
    expect(toPlain.message).toContain('speaks no TLS');
    expect(toPlain.kind).toBe('final');
  });
});

test('by bearer token', async () => {
  const seen: (string | undefined)[] = [];
  const url = await serve((request, response) => {
    seen.push(request.headers.authorization);
    if (request.url?.startsWith('/metrics')) response.writeHead(404);
    response.end(queryAnswer);
  });
  await client(url, { bearerToken: 'token-1' }).observe();
  expect(new Set(seen)).toEqual(new Set(['Bearer token-1']));
});

test('a login in the URL is not told anywhere', async () => {
  const url = await serve((_, response) => response.writeHead(500).end('oh'));
  const database = client(`${url.replace('://', '://user:s3cret@')}/?authKey=k3y`);
  expect(database.url).toBe(url);
  const error = await errorOf(database.observe());
  expect(error.message).not.toMatch(/s3cret|k3y/);
  expect(JSON.stringify(database)).not.toMatch(/s3cret|k3y/);
});

describe('a server that demands a client certificate', () => {
  const start = async (options: TlsOptions = {}) => {
    const server = createTlsServer(
      {
        ...options,
        requestCert: true,
        rejectUnauthorized: true,
        ca: certificates.ca,
        cert: await readFile(certificates.serverCert),
        key: await readFile(certificates.serverKey),
      },
      (request, response) => {
        if (request.url?.startsWith('/metrics')) response.writeHead(404);
        response.end(queryAnswer);
      },
    );
    return `https://localhost:${await listen(server)}`;
  };

  test('lets in who shows one', async () => {
    const cert = await readFile(certificates.clientCert, 'utf8');
    const key = await readFile(certificates.clientKey, 'utf8');
    const url = await start();
    expect(await client(url, { ca: certificates.ca, cert, key }).observe()).toMatchObject({ url });
  });

  test.each([
    ['TLSv1.3', 'retryable'],
    ['TLSv1.2', 'final'],
  ] as const)(
    'without one, by %s: the error says which settings give it',
    async (maxVersion, kind) => {
      const url = await start({ maxVersion });
      const error = await errorOf(client(url, { ca: certificates.ca }).observe());
      expect(error.message).toContain('set …_VM_CERT_FILE and …_VM_KEY_FILE');
      expect(error.kind).toBe(kind);
    },
  );
});
