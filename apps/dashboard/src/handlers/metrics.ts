import { pinAt, shownPace } from '@vm-sync/core';
import { collectDefaultMetrics, Registry } from 'prom-client';
import type { Context } from '../context.ts';
import { redisAnswers, redisIsAway } from '../http/require-redis.ts';
import type { Handler } from '../http/serve.ts';
import { NOTHING_KNOWN, renderMetrics, type Scrape } from '../metrics/metrics.ts';
import { loadQueues, type Work } from '../metrics/work.ts';

/** What a Prometheus reads; also answered while Redis is away, with `vmsync_redis_up 0` and `vmsync_ready 0`. */
export const metricsHandler = (context: Context): Handler => {
  // CPU, memory and event loop of this process.
  const ofProcess = new Registry();
  collectDefaultMetrics({ register: ofProcess });
  return async () => {
    const nowMs = Date.now();
    const own = await renderMetrics(await scrape(context, nowMs), nowMs);
    return {
      status: 200,
      body: `${own}\n${await ofProcess.metrics()}`,
      type: ofProcess.contentType,
    };
  };
};

async function scrape(context: Context, nowMs: number): Promise<Scrape> {
  const { redis, store, totals } = context;
  if (!(await redisAnswers(redis))) return NOTHING_KNOWN;
  try {
    const [status, work, counted] = await Promise.all([
      store.loadStatus(),
      loadWork(context, nowMs),
      totals.load(),
    ]);
    return { redisUp: true, status, work, totals: counted };
  } catch (error) {
    if (redisIsAway(error)) return NOTHING_KNOWN;
    throw error;
  }
}

async function loadWork(context: Context, nowMs: number): Promise<Work> {
  const { queues, store, paces, dutyStore, config } = context;
  const [ofQueues, pace, duty, state] = await Promise.all([
    loadQueues(queues),
    paces.current(config.paceLimits),
    dutyStore.loadView(),
    store.loadState(),
  ]);
  return { ...ofQueues, pace: shownPace(pace), duty, pin: pinAt(state?.pin ?? null, nowMs) };
}
