import type { Logger } from './logger.ts';

interface Client {
  readonly status: string;
  on(event: 'ready', listener: () => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

type Complaining = { on(event: 'error', listener: (error: Error) => void): unknown };

/**
 * Redis being away is an event, not a crash: clients reconnect by themselves, and repeat meanwhile many times a second
 * that they cannot. It is told once, and once more when it is over, whoever noticed it first. Answers with a function
 * that listens to one more part with a connection of its own.
 */
export function watchRedis(client: Client, log: Logger): (part: Complaining) => void {
  let away = false;
  const hear = (error: Error): void => {
    // What a part says late about an outage that is over, of something else, or at our own end, is no outage.
    if (away || client.status === 'ready' || client.status === 'end') {
      log.debug({ err: error }, 'a Redis client complains');
      return;
    }
    away = true;
    log.warn({ err: error }, 'Redis cannot be reached; trying again until it can');
  };
  client.on('error', hear);
  client.on('ready', () => {
    if (!away) return;
    away = false;
    log.info('Redis answers again');
  });
  return (part) => void part.on('error', hear);
}
