import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  makeSeries,
  selfSignedCertificate,
  startVictoriaMetrics,
  vmVersions,
} from '../src/index.ts';

describe.each(vmVersions)('VictoriaMetrics behind TLS and a login, %s', (version) => {
  test('lets in who knows the authority and the password', async () => {
    const tls = await selfSignedCertificate();
    const auth = { username: 'u', password: 'p' };
    const vm = await startVictoriaMetrics({ version, tls, auth, pathPrefix: '/vm' });
    onTestFinished(() => vm.stop());
    expect(vm.url).toMatch(/^https:.*\/vm$/);
    const now = Date.now();
    await vm.import(makeSeries({ count: 2, fromMs: now - 60_000, toMs: now, stepMs: 15_000 }));
    await vm.flush();
    expect((await vm.export()).size).toBe(2);
    await expect(vm.export({ auth: undefined })).rejects.toThrow('answered 401');
    await expect(vm.export({ ca: undefined })).rejects.toThrow(/certificate/);
  });
});

test('the client certificate is one of the same authority', async () => {
  const files = await selfSignedCertificate();
  const [ca, cert, key, clientCert, clientKey] = await Promise.all(
    [files.caCert, files.serverCert, files.serverKey, files.clientCert, files.clientKey].map(
      (file) => readFile(file),
    ),
  );
  const server = createServer({ ca, cert, key, requestCert: true }, (incoming, response) => {
    response.end((incoming.socket as TLSSocket).getPeerCertificate().subject.CN);
  }).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const asking = request({
    host: 'localhost',
    family: 4,
    port,
    ca,
    cert: clientCert,
    key: clientKey,
  });
  asking.end();
  const [answer] = await once(asking, 'response');
  const [body] = await once(answer, 'data');
  expect(String(body)).toBe('vm-sync test client');
});
