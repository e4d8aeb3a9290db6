import { once } from 'node:events';
import { cpSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  startVictoriaMetrics,
  temporaryFolder,
  until,
  type VmServer,
  type VmVersion,
} from '@vm-sync/testkit';

/** Everything but what vm-sync writes about itself, as the yardsticks name it. */
export const EVERYTHING = '{__name__!="",__name__!~"vmsync_.+"}';

/** A stretch of time as people say it, both ends in milliseconds. */
export interface Range {
  readonly fromMs: number;
  readonly toMs: number;
}

const startEmpty = (version: VmVersion): Promise<VmServer> =>
  startVictoriaMetrics({ version, retention: '90d', dedup: '1ms' });

/** A server that has been started for a contender; ended, and its data removed, with `ends`. */
export async function startSite(
  ends: AsyncDisposableStack,
  version: VmVersion,
  folder?: string,
): Promise<VmServer> {
  const server = await startEmpty(version);
  ends.defer(async () => {
    await server.kill();
    rmSync(server.dataDir, { recursive: true, force: true, maxRetries: 5 });
  });
  if (folder !== undefined) {
    await server.stop();
    rmSync(server.dataDir, { recursive: true });
    cpSync(folder, server.dataDir, { recursive: true });
    await server.start();
  }
  return server;
}

/**
 * Has a server written full, merged and stopped; answers with a folder of its data, from which as many servers as are
 * wanted start alike.
 */
export async function makeFolder(
  version: VmVersion,
  fill: (server: VmServer) => Promise<void>,
): Promise<string> {
  await using ends = new AsyncDisposableStack();
  const server = await startSite(ends, version);
  await fill(server);
  await server.flush();
  await merge(server);
  await server.stop();
  const folder = temporaryFolder('bench-data');
  cpSync(server.dataDir, folder, { recursive: true });
  return folder;
}

/** Merges everything, or the server would do so in the middle of a measurement. */
async function merge({ url }: VmServer): Promise<void> {
  await textOf(`${url}/internal/force_merge`);
  await until(
    'the merge to end',
    async () => /^vm_active_force_merges 0$/m.test(await textOf(`${url}/metrics`)),
    {
      deadlineMs: 600_000,
    },
  );
}

/** Streams lines into a server, in one request. */
export async function importStream({ url }: VmServer, lines: Iterable<Buffer>): Promise<void> {
  const sending = request(`${url}/api/v1/import`, { method: 'POST' });
  const answered = once(sending, 'response');
  const parts = Readable.from(lines, { highWaterMark: 2 });
  const [[answer]] = await Promise.all([answered, pipeline(parts, sending)]);
  answer.resume();
  if (answer.statusCode !== 204)
    throw new Error(`import into ${url} answered ${answer.statusCode}`);
}

/** How many samples a server holds, made visible first. */
export async function countSamples(server: VmServer, { fromMs, toMs }: Range): Promise<number> {
  await server.flush();
  const query = new URLSearchParams({
    query: `sum(count_over_time(${EVERYTHING}[${toMs - fromMs}ms]))`,
    time: String(toMs / 1000),
    nocache: '1',
    timeout: '60s',
  });
  const answer = JSON.parse(await textOf(`${server.url}/api/v1/query?${query}`));
  return Number(answer.data.result[0]?.value[1] ?? 0);
}

/** Throws when a contender has lost something: then its time says nothing. */
export async function assertComplete(
  who: string,
  server: VmServer,
  range: Range,
  wanted: number,
): Promise<void> {
  const found = await countSamples(server, range);
  if (found !== wanted) throw new Error(`${who} left ${found} samples where ${wanted} are wanted`);
}

async function textOf(url: string): Promise<string> {
  const answer = await fetch(url);
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}: ${text.slice(0, 500)}`);
  return text;
}
