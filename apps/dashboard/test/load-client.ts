import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';

/** What a client in a thread of its own is to ask, and how often. */
export interface Asked {
  readonly url: string;
  readonly paths: readonly string[];
  readonly perSecond: number;
  readonly connections: number;
}

/** One answer, or what went wrong; times by the machine's steady clock, the same in every thread. */
export interface Answered {
  readonly path: string;
  readonly status: number | string;
  readonly body: string;
  readonly sentNs: bigint;
  readonly answeredNs: bigint;
}

const TICK_MS = 10;

/** Asks until it is told to end, so many a second as long as it is answered in time; then hands over every answer. */
async function askAndAsk({ url, paths, perSecond, connections }: Asked): Promise<Answered[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const answers: Promise<Answered>[] = [];
  const startedMs = performance.now();
  let ended = false;
  let onTheWay = 0;
  parentPort?.once('message', () => {
    ended = true;
  });
  while (!ended) {
    const due = ((performance.now() - startedMs) / 1_000) * perSecond;
    while (answers.length < due && onTheWay < 2 * connections) {
      const path = paths[answers.length % paths.length] as string;
      onTheWay += 1;
      const answer = askOnce(`${url}${path}`, path, agent);
      answers.push(answer.finally(() => (onTheWay -= 1)));
    }
    await sleep(TICK_MS);
  }
  const all = await Promise.all(answers);
  agent.destroy();
  return all;
}

function askOnce(url: string, path: string, agent: Agent): Promise<Answered> {
  // Before it has a connection: what it waits for one makes it no newer.
  const sentNs = process.hrtime.bigint();
  return new Promise((resolve) => {
    const done = (status: number | string, body: string) =>
      resolve({ path, status, body, sentNs, answeredNs: process.hrtime.bigint() });
    request(url, { agent }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (part) => {
        body += part;
      });
      response.on('end', () => done(response.statusCode ?? 0, body));
      response.on('error', (error) => done(error.message, body));
    })
      .on('error', (error) => done(error.message, ''))
      .end();
  });
}

if (parentPort) {
  parentPort.postMessage(await askAndAsk(workerData as Asked));
}
