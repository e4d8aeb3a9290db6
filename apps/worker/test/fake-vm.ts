import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';

export interface FakeVm {
  readonly url: string;
  /** Samples that it counts; an import adds to them. */
  held: number;
  /** How often it was asked for anything. */
  requests: number;
  /** What it answers to an import, of which it is given the login; undefined lets it in. */
  refusal: ((authorization: string) => { status: number; body: string }) | undefined;
}

/** As much of a VictoriaMetrics as one chunk of one series needs, ended with the test. */
export async function startFakeVm(held: number): Promise<FakeVm> {
  const vm = { url: '', held, requests: 0, refusal: undefined as FakeVm['refusal'] };
  const server = createServer(async (request, response) => {
    vm.requests += 1;
    const { status, body } = await answerOf(request, vm);
    response.writeHead(status, { 'content-type': 'text/plain' }).end(body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  });
  vm.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return vm;
}

async function answerOf(
  request: IncomingMessage,
  vm: FakeVm,
): Promise<{ status: number; body: string }> {
  const body = await text(request);
  const path = request.url ?? '';
  if (path.endsWith('/query_range')) return { status: 200, body: countedAnswer(body, vm.held) };
  if (path.endsWith('/export')) return { status: 200, body: exported(body, vm.held) };
  if (!path.endsWith('/import')) return { status: 200, body: '' };
  if (vm.refusal) return { ...vm.refusal(request.headers.authorization ?? '') };
  for (const line of body.split('\n').filter(Boolean)) vm.held += JSON.parse(line).values.length;
  return { status: 204, body: '' };
}

function countedAnswer(form: string, held: number): string {
  const atS = Number(new URLSearchParams(form).get('start'));
  const series = { metric: { selector: '0' }, values: [[atS, String(held)]] };
  const result = held === 0 ? [] : [series];
  return JSON.stringify({ status: 'success', data: { resultType: 'matrix', result } });
}

function exported(form: string, held: number): string {
  const fromMs = Math.round(Number(new URLSearchParams(form).get('start')) * 1_000);
  const timestamps = Array.from({ length: held }, (_, at) => fromMs + at * 1_000);
  const values = timestamps.map(() => 1);
  return `${JSON.stringify({ metric: { __name__: 'up' }, values, timestamps })}\n`;
}
