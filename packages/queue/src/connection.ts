import { Cluster, Redis } from 'ioredis';

/** How a connection is used: workers wait for Redis as long as it takes, people get an error within seconds. */
export type Patience = 'endless' | 'brief';

const PATIENCE = {
  endless: { maxRetriesPerRequest: null },
  brief: {
    maxRetriesPerRequest: 1,
    commandTimeout: 5_000,
    connectTimeout: 3_000,
    // A Redis that is silent costs the connection too, or the client would collect what it is asked without end.
    socketTimeout: 5_500,
    // Whoever asked has been told that it failed: it must not be done behind his back, nor twice.
    autoResendUnfulfilledCommands: false,
  },
} as const;

/**
 * Opens a connection for `redis://`, `rediss://`, Sentinel
 * (`redis-sentinel://[user:password@]host:port,host:port/master-name[/db]`) or Cluster
 * (`redis-cluster://[user:password@]host:port,host:port`).
 */
export function connect(redisUrl: string, patience: Patience): Redis | Cluster {
  const options = PATIENCE[patience];
  const target = parseRedisUrl(redisUrl);
  if (target.kind === 'single') return new Redis(redisUrl, options);
  const login = {
    ...(target.username === '' ? {} : { username: target.username }),
    ...(target.password === '' ? {} : { password: target.password }),
  };
  if (target.kind === 'sentinel') {
    const { hosts, master, db } = target;
    return new Redis({ ...options, ...login, sentinels: hosts, name: master, db });
  }
  return new Cluster(target.hosts, { redisOptions: { ...options, ...login } });
}

type RedisTarget =
  | { readonly kind: 'single' }
  | {
      readonly kind: 'sentinel' | 'cluster';
      readonly hosts: { host: string; port: number }[];
      readonly username: string;
      readonly password: string;
      readonly master: string;
      readonly db: number;
    };

/** Reads a Redis URL; throws a sentence (without the URL, which may carry a password). */
export function parseRedisUrl(text: string): RedisTarget {
  if (/^rediss?:\/\//.test(text)) {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    // What stands behind the host is the number of the database.
    if (!url || !/^(?:\/\d*)?$/.test(url.pathname)) {
      throw new Error(
        'expected redis://host:port or rediss://host:port, with /number for a database',
      );
    }
    decoded(url.username + url.password);
    return { kind: 'single' };
  }
  const found =
    /^redis-(sentinel|cluster):\/\/(?:([^:@/]*)(?::([^@/]*))?@)?([^@/]+)(?:\/([^/]+))?(?:\/(\d+))?$/.exec(
      text,
    );
  if (!found) {
    throw new Error(
      'expected redis://…, rediss://…, redis-sentinel://host:port,host:port/master or redis-cluster://host:port,host:port',
    );
  }
  const [, kind, username = '', password = '', hostList = '', master = '', db = '0'] = found;
  const standardPort = kind === 'sentinel' ? 26379 : 6379;
  const hosts = hostList.split(',').map((one) => {
    const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d+))?$/.exec(one) ?? [];
    return { host: bracketed ?? plain ?? '', port: Number(port ?? standardPort) };
  });
  if (hosts.some(({ host, port }) => host === '' || port < 1 || port > 65_535)) {
    throw new Error('expected host:port,host:port');
  }
  if (kind === 'sentinel' && master === '') throw new Error('expected the name of the master');
  return {
    kind: kind as 'sentinel' | 'cluster',
    hosts,
    username: decoded(username),
    password: decoded(password),
    master,
    db: Number(db),
  };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Error('expected %25 for a percent sign in user or password');
  }
}
