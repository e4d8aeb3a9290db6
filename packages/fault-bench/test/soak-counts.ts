import { readdir, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { connect } from '@vm-sync/queue';
import { until } from '@vm-sync/testkit';
import type { VmSyncProcess } from '../src/index.ts';

type Client = ReturnType<typeof connect>;

/** Numbers by what they are of. */
export type Counts = Readonly<Record<string, number>>;

/** Looks into a running process, which must have been started with `--inspect`. */
export interface Inspector extends Disposable {
  /** Its memory after a full collection, its open files, and what keeps its event loop alive, by kind. */
  counts(): Promise<Counts>;
}

/** Opens the process' own inspector. */
export async function inspect(process: VmSyncProcess): Promise<Inspector> {
  const { msg } = await process.untilLog(/^Debugger listening on ws:/);
  const socket = new WebSocket(msg.replace('Debugger listening on ', ''));
  const answers = new Map<number, (answer: Reply) => void>();
  socket.addEventListener('message', ({ data }) => {
    const answer: Reply = JSON.parse(String(data));
    answers.get(answer.id)?.(answer);
    answers.delete(answer.id);
  });
  await until('the inspector', () => socket.readyState === WebSocket.OPEN, { everyMs: 10 });
  let asked = 0;
  const ask = (method: string, params: object = {}): Promise<Reply> =>
    new Promise((resolve) => {
      asked += 1;
      answers.set(asked, resolve);
      socket.send(JSON.stringify({ id: asked, method, params }));
    });
  return {
    async counts() {
      await ask('HeapProfiler.collectGarbage');
      const { result } = await ask('Runtime.evaluate', {
        expression:
          'JSON.stringify({ memory: process.memoryUsage(), resources: process.getActiveResourcesInfo() })',
      });
      const seen: Seen = JSON.parse(result?.result?.value ?? '');
      return {
        'heap MiB': mebibytes(seen.memory.heapUsed),
        'external MiB': mebibytes(seen.memory.external),
        'rss MiB': mebibytes(seen.memory.rss),
        'open files': (await readdir(`/proc/${process.pid}/fd`)).length,
        ...countBy(seen.resources, (kind) => kind),
      };
    },
    [Symbol.dispose]: () => socket.close(),
  };
}

type Reply = { id: number; result?: { result?: { value?: string } } };

type Seen = {
  memory: { heapUsed: number; external: number; rss: number };
  resources: string[];
};

const mebibytes = (bytes: number): number => Math.round((bytes / 2 ** 20) * 10) / 10;

const LOOKS = 8;
const LOOK_EVERY_MS = 350;

/** The least of several looks: what is in hand at one moment is no growth. */
export async function atRest(look: () => Promise<Counts>): Promise<Counts> {
  const seen: Counts[] = [];
  for (let at = 0; at < LOOKS; at++) {
    seen.push(await look());
    await sleep(LOOK_EVERY_MS);
  }
  const kinds = new Set(seen.flatMap((one) => Object.keys(one)));
  return Object.fromEntries(
    [...kinds].map((kind) => [kind, Math.min(...seen.map((one) => one[kind] ?? 0))]),
  );
}

const QUEUES = ['checks', 'repairs', 'notifications'] as const;

/** Keys by their first name, the length of what is a list in some way, connections, and memory. */
export async function countRedis(redis: Client): Promise<Counts> {
  const keys = await redis.keys('*');
  const ofQueues = await Promise.all(
    QUEUES.map(async (queue) => ({
      [`${queue}: events`]: await redis.xlen(`{vmsync}:${queue}:events`),
      [`${queue}: completed`]: await redis.zcard(`{vmsync}:${queue}:completed`),
      [`${queue}: failed`]: await redis.zcard(`{vmsync}:${queue}:failed`),
      [`${queue}: minutes counted`]: await redis.llen(`{vmsync}:${queue}:metrics:completed:data`),
    })),
  );
  const clients = String(await redis.client('LIST'));
  const used = /^used_memory:(\d+)/m.exec(await redis.info('memory'))?.[1];
  return {
    ...countBy(keys, (key) => `keys ${nameOf(key)}`),
    ...Object.assign({}, ...ofQueues),
    'events told': await redis.llen('{vmsync}:events'),
    'checks remembered': await redis.llen('{vmsync}:checks'),
    'runs remembered': await redis.hlen('{vmsync}:runs'),
    connections: clients.trim().split('\n').length,
    'state bytes': await redis.strlen('{vmsync}:state'),
    'used MiB': mebibytes(Number(used)),
  };
}

/** `{vmsync}:checks:412:logs` is of `checks`. */
const nameOf = (key: string): string => key.split(':')[1] ?? key;

function countBy<T>(all: readonly T[], name: (one: T) => string): Counts {
  const counts: Record<string, number> = {};
  for (const one of all) counts[name(one)] = (counts[name(one)] ?? 0) + 1;
  return counts;
}

export const fileBytes = async (path: string): Promise<number> => (await stat(path)).size;
