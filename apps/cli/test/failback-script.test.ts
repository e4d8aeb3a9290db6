import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { freePort } from '@vm-sync/testkit';
import { expect, onTestFinished, test } from 'vitest';
import { failback } from './support/failback.ts';

interface Gate {
  readonly url: string;
  readonly asked: { readonly path: string; readonly login: string | undefined }[];
  status: number;
}

/** Answers `/parity/…` as a dashboard does. */
async function startGate(status: number): Promise<Gate> {
  const asked: Gate['asked'] = [];
  const server = createServer((request, response) => {
    asked.push({ path: request.url ?? '', login: request.headers.authorization });
    response.writeHead(gate.status, gate.status === 302 ? { location: '/login' } : {});
    response.end(gate.status === 200 ? 'yes\n' : 'primary is not proven complete: 3 gaps\n');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const gate: Gate = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    status,
  };
  return gate;
}

const echo = ['--', 'echo', 'failed', 'back'];

test('runs the command when every dashboard says yes, with its arguments and its exit code', async () => {
  const [one, two] = [await startGate(200), await startGate(200)];
  const ran = await failback(['primary', `${one.url}/,${two.url}`, ...echo]);
  expect(ran).toMatchObject({ code: 0, stdout: 'failed back\n' });
  expect([one.asked, two.asked]).toEqual([
    [{ path: '/parity/primary', login: undefined }],
    [{ path: '/parity/primary', login: undefined }],
  ]);
  expect((await failback(['dr', one.url, '--', 'sh', '-c', 'exit 7'])).code).toBe(7);
  expect(one.asked[1]?.path).toBe('/parity/dr');
});

test('runs nothing when one of them says no, and says why', async () => {
  const [one, two] = [await startGate(200), await startGate(503)];
  const ran = await failback(['primary', `${one.url},${two.url}`, ...echo]);
  expect(ran).toEqual({
    code: 1,
    stdout: '',
    stderr: `failback: not run: ${two.url}: primary is not proven complete: 3 gaps\n`,
  });
});

test('runs nothing when it cannot find out: no answer, a redirection to a login, a refusal', async () => {
  const nobody = `http://127.0.0.1:${await freePort()}`;
  expect(await failback(['primary', nobody, ...echo])).toMatchObject({ code: 2, stdout: '' });
  for (const status of [302, 401, 404, 500, 204]) {
    const gate = await startGate(status);
    const ran = await failback(['primary', gate.url, ...echo]);
    expect(ran, String(status)).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining(`(HTTP ${status})`),
    });
  }
});

test('goes on asking for as long as it is told, and sends the token', async () => {
  const gate = await startGate(503);
  const running = failback(['-w', '60', 'primary', gate.url, ...echo], {
    VMSYNC_TOKEN: 'secret-1',
  });
  await expect.poll(() => gate.asked.length, { timeout: 20_000 }).toBeGreaterThan(0);
  gate.status = 200;
  expect(await running).toMatchObject({ code: 0, stdout: 'failed back\n' });
  expect(gate.asked[0]?.login).toBe('Bearer secret-1');
});

test.each([
  [[]],
  [['primary']],
  [['primary', 'http://127.0.0.1:1', 'echo']],
  [['elsewhere', 'http://127.0.0.1:1', ...echo]],
  [['-w', 'soon', 'primary', 'http://127.0.0.1:1', ...echo]],
  [['primary', 'http://127.0.0.1:1', '--']],
])('refuses %j', async (args) => {
  const ran = await failback(args);
  expect(ran).toMatchObject({ code: 2, stdout: '' });
  expect(ran.stderr).toMatch(/^usage: /);
});
