import type { Context } from '../context.ts';
import { redisAnswers, redisIsAway } from '../http/require-redis.ts';
import type { Handler } from '../http/serve.ts';
import { NOTHING_KNOWN, processMetrics, renderMetrics, type Scrape } from '../metrics.ts';
import { countJobs } from '../overview.ts';

/** What a Prometheus reads; also answered while Redis is away, with `vmsync_redis_up 0` and `vmsync_ready 0`. */
export const metricsHandler = (context: Context): Handler => {
  const ofProcess = processMetrics();
  return async () => {
    const own = await renderMetrics(await scrape(context), Date.now());
    return {
      status: 200,
      body: `${own}\n${await ofProcess.metrics()}`,
      type: ofProcess.contentType,
    };
  };
};

async function scrape({ redis, store, queues }: Context): Promise<Scrape> {
  if (!(await redisAnswers(redis))) return NOTHING_KNOWN;
  try {
    const [status, jobs] = await Promise.all([store.loadStatus(), countJobs(queues)]);
    return { redisUp: true, status, jobs };
  } catch (error) {
    if (redisIsAway(error)) return NOTHING_KNOWN;
    throw error;
  }
}
