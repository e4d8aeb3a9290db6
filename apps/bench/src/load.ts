import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

/** What many requests took, in milliseconds. */
export interface Latencies {
  readonly requests: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly mostMs: number;
}

const CONNECTIONS = 50;
const TICK_MS = 5;

/** Asks as fast as so many connections are answered. */
export async function askFast(url: string, forMs: number): Promise<Latencies> {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  const tookMs: number[] = [];
  const startedMs = performance.now();
  const untilMs = startedMs + forMs;
  await Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
      while (performance.now() < untilMs) {
        const sentMs = performance.now();
        await ask(url, agent);
        tookMs.push(performance.now() - sentMs);
      }
    }),
  );
  agent.destroy();
  return summed(tookMs, performance.now() - startedMs);
}

/** Asks so many times a second; each is timed from when it was due, so that what waits for others is counted as waiting. */
export async function askSteadily(
  urls: readonly string[],
  perSecond: number,
  forMs: number,
): Promise<Latencies> {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  const startedMs = performance.now();
  const answers: Promise<number>[] = [];
  const total = Math.floor((forMs / 1_000) * perSecond);
  while (answers.length < total) {
    const due = Math.min(total, ((performance.now() - startedMs) / 1_000) * perSecond);
    while (answers.length < due) {
      const dueMs = startedMs + (answers.length / perSecond) * 1_000;
      const url = urls[answers.length % urls.length] as string;
      answers.push(ask(url, agent).then(() => performance.now() - dueMs));
    }
    await sleep(TICK_MS);
  }
  const tookMs = await Promise.all(answers);
  agent.destroy();
  return summed(tookMs, performance.now() - startedMs);
}

/** Status pages that are open until `signal`: each asks every 750 ms with the version that it has, as the page's script does. */
export async function openPages(url: string, pages: number, signal: AbortSignal): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: pages });
  await Promise.all(
    Array.from({ length: pages }, async (_, at) => {
      await sleep((at / pages) * 750, undefined, { signal }).catch(() => undefined);
      let etag = '"none"';
      while (!signal.aborted) {
        etag = (await ask(url, agent, { accept: 'text/html', 'if-none-match': etag })) ?? etag;
        await sleep(750, undefined, { signal }).catch(() => undefined);
      }
    }),
  );
  agent.destroy();
}

/** Answers with the ETag. Throws when the answer is neither of those that a dashboard in order gives. */
function ask(
  url: string,
  agent: Agent,
  headers: Readonly<Record<string, string>> = {},
): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    request(url, { agent, headers }, (response) => {
      const { statusCode = 0 } = response;
      response.resume();
      response.on('error', reject);
      response.on('end', () => {
        if (statusCode === 200 || statusCode === 304) resolve(response.headers.etag);
        else reject(new Error(`${url} answered ${statusCode}`));
      });
    })
      .on('error', reject)
      .end();
  });
}

function summed(tookMs: number[], allMs: number): Latencies {
  const sorted = tookMs.sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.floor((sorted.length - 1) * share)] ?? 0;
  return {
    requests: sorted.length,
    perSecond: sorted.length / (allMs / 1_000),
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    mostMs: at(1),
  };
}
