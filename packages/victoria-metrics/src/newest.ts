import { z } from 'zod';
import type { Endpoint } from './endpoint.ts';
import { jsonOrNothing } from './json.ts';
import { readInstantMs } from './number.ts';
import { QUERY_TIMEOUT_MS, type SelectionRequest } from './query.ts';
import { duration, seconds } from './time.ts';

const Newest = z.object({
  status: z.literal('success'),
  isPartial: z.literal(false).optional(),
  data: z.object({
    resultType: z.literal('vector'),
    result: z.array(z.object({ value: z.tuple([z.number(), z.string()]) })),
  }),
});

/** When the newest sample of these series in the window was taken; null when there is none. */
export async function newestSample(
  endpoint: Endpoint,
  { selectors, window, signal }: SelectionRequest,
): Promise<number | null> {
  const lookBehind = duration(window.toMs - window.fromMs);
  let newestMs: number | null = null;
  for (const selector of selectors) {
    const text = await endpoint.text({
      act: 'query',
      method: 'POST',
      path: '/api/v1/query',
      form: new URLSearchParams({
        query: `max(tlast_over_time(${selector}[${lookBehind}]))`,
        time: seconds(window.toMs),
        nocache: '1',
        timeout: duration(QUERY_TIMEOUT_MS),
      }),
      signal,
    });
    const answer = Newest.safeParse(jsonOrNothing(text));
    if (!answer.success) throw endpoint.strange('query', 'something else than a newest time');
    for (const { value } of answer.data.data.result) {
      const atMs = readInstantMs(value[1]);
      if (atMs === undefined || atMs < window.fromMs || atMs > window.toMs) {
        throw endpoint.strange('query', 'a newest time outside of what was asked');
      }
      newestMs = Math.max(newestMs ?? 0, atMs);
    }
  }
  return newestMs;
}
