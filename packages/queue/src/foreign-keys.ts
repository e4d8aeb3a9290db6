import type { connect } from './connection.ts';
import { PREFIX, QUEUE_NAMES, QUEUES } from './queues.ts';

type Client = ReturnType<typeof connect>;
type Kind = 'string' | 'hash' | 'list' | 'set' | 'zset' | 'stream';

/** Every key of a fixed name that vm-sync writes beside its queues, and what kind of value stands there. */
const OWN: Readonly<Record<string, Kind>> = {
  name: 'string',
  state: 'string',
  status: 'string',
  runs: 'hash',
  'runs-by-time': 'zset',
  events: 'list',
  rates: 'string',
  audit: 'list',
  checks: 'list',
  certificates: 'hash',
  duty: 'string',
  'duty-view': 'string',
  'gap-maps': 'string',
  pace: 'string',
  'pace-governed': 'string',
  'busy-answers': 'hash',
  'bytes-paid-until': 'string',
  'totals:checks': 'hash',
  'totals:chunks': 'hash',
};

/** The same of a queue, as BullMQ keeps it. */
const OF_QUEUE: Readonly<Record<string, Kind>> = {
  id: 'string',
  meta: 'hash',
  wait: 'list',
  paused: 'list',
  active: 'list',
  delayed: 'zset',
  prioritized: 'zset',
  completed: 'zset',
  failed: 'zset',
  'waiting-children': 'zset',
  repeat: 'zset',
  'repeat:check-gaps': 'hash',
  marker: 'zset',
  pc: 'string',
  limiter: 'string',
  stalled: 'set',
  'stalled-check': 'string',
  events: 'stream',
  'metrics:completed': 'hash',
  'metrics:completed:data': 'list',
  'metrics:failed': 'hash',
  'metrics:failed:data': 'list',
};

const keyOf = (queue: string, what: string): string =>
  `${PREFIX}:${QUEUES[queue as 'checks']}:${what}`;

const KINDS: readonly (readonly [string, Kind])[] = [
  ...Object.entries(OWN).map(([name, kind]) => [`${PREFIX}:${name}`, kind] as const),
  ...QUEUE_NAMES.flatMap((queue) =>
    Object.entries(OF_QUEUE).map(([name, kind]) => [keyOf(queue, name), kind] as const),
  ),
];

/** So many jobs are looked at on either end of a list: what stands in the way is among those that are next. */
const LOOKED_AT = 20;

/**
 * Sets aside, under another name, what another program (or a person) wrote where vm-sync or its queues keep something else:
 * every command on such a key fails, and with it whatever needs it, until somebody takes it away. A job whose data
 * cannot be read would be begun again and again before all others: it is made readable, so that it fails as its worker says.
 */
export async function setForeignAside(
  redis: Client,
  tell: (message: string) => void,
): Promise<void> {
  for (const [key, kind] of KINDS) {
    const found = await redis.type(key);
    if (found === 'none') continue;
    const isCounter = key.endsWith(':id');
    const isOurs = found === kind && !(isCounter && !/^\d+$/.test((await redis.get(key)) ?? ''));
    if (!isOurs) await setAside(redis, key, tell);
  }
  for (const queue of QUEUE_NAMES) await mendJobs(redis, queue, tell);
}

async function setAside(redis: Client, key: string, tell: (message: string) => void) {
  const aside = `${key}:damaged`;
  await redis.rename(key, aside);
  tell(`${key} in Redis is not what vm-sync keeps there, and is set aside as ${aside}`);
}

async function mendJobs(redis: Client, queue: string, tell: (message: string) => void) {
  const lists = ['active', 'wait'].map((name) => keyOf(queue, name));
  const found = await Promise.all(
    lists.flatMap((list) => [
      redis.lrange(list, 0, LOOKED_AT - 1),
      redis.lrange(list, -LOOKED_AT, -1),
    ]),
  );
  for (const id of new Set(found.flat())) {
    const key = keyOf(queue, id);
    const kind = await redis.type(key);
    if (kind === 'hash') await mendJob(redis, key, tell);
    else {
      if (kind !== 'none') await setAside(redis, key, tell);
      for (const list of lists) await redis.lrem(list, 0, id);
    }
  }
}

async function mendJob(redis: Client, key: string, tell: (message: string) => void) {
  const [data, options] = await redis.hmget(key, 'data', 'opts');
  const damaged = [data, options].filter((text) => !isJson(text ?? '{}'));
  // Between the two looks it may have ended, and be gone.
  if (damaged.length === 0 || (await redis.exists(key)) === 0) return;
  await redis.hset(key, { data: JSON.stringify({ damaged: data ?? null }) });
  if (!isJson(options ?? '{}')) await redis.hset(key, { opts: '{}' });
  tell(`the job ${key} in Redis cannot be read; it is made to fail, with what it held in its data`);
}

function isJson(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null;
  } catch {
    return false;
  }
}
