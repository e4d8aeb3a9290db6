import {
  type ClockReading,
  LIMIT_FLAGS,
  parseDurationMs,
  REWRITING_FLAGS,
  type SiteObservation,
  VmSyncError,
} from '@vm-sync/core';
import { z } from 'zod';
import type { Endpoint } from './endpoint.ts';
import { jsonOrNothing } from './json.ts';
import { readInstantMs, readNumber } from './number.ts';

const Scalar = z.object({
  status: z.literal('success'),
  data: z.object({ resultType: z.string(), result: z.array(z.unknown()).min(1) }),
});

const Now = z.object({ value: z.tuple([z.number(), z.string()]) });

/** Health is asked often and must not wait for what hangs. */
const HEALTH_SILENCE_MS = 10_000;

/**
 * Proves that a VictoriaMetrics answers queries at the endpoint, and reads what it says of itself. `/health` is not
 * asked: it answers 200 also where queries do not work, and proxies often do not route it. Throws when the site
 * cannot answer a query. The query is for its clock: `now()` is exact to less than a millisecond, where the time of the
 * answer and its `Date` header are whole seconds, and `time()` may be half a minute old (measured).
 */
export async function observe(endpoint: Endpoint, signal?: AbortSignal): Promise<SiteObservation> {
  const askedAt = performance.now();
  const text = await endpoint.text({
    act: 'query',
    method: 'POST',
    path: '/api/v1/query',
    form: new URLSearchParams({ query: 'now()', nocache: '1', timeout: '5s' }),
    signal,
    silenceMs: HEALTH_SILENCE_MS,
  });
  const tookMs = performance.now() - askedAt;
  const answeredMs = Date.now();
  const answer = Scalar.safeParse(jsonOrNothing(text));
  if (!answer.success) {
    const what = text.trimStart().startsWith('<')
      ? 'a web page'
      : 'something else than a query result';
    throw endpoint.strange('query', what);
  }
  const metrics = await readMetrics(endpoint, signal);
  const flag = (name: string) => metrics?.get(`flag ${name}`);
  /** What a site does not say is not known; what it says must be readable: a wrong reading would be acted upon. */
  const said = <T>(text: string | undefined, read: (text: string) => T | undefined) =>
    text === undefined ? undefined : (read(text) ?? unreadable(endpoint, text));
  const readOnly = metricNumber(endpoint, metrics, 'vm_storage_is_read_only');
  return {
    site: endpoint.site,
    url: endpoint.url,
    startedMs: said(metrics?.get('process_start_time_seconds'), readInstantMs),
    dedupMs: said(flag('dedup.minScrapeInterval'), parseDurationMs),
    retentionMs: said(flag('retentionPeriod'), parseRetentionMs),
    // 0, the default, stands for the whole retention.
    maxBackfillAgeMs: said(flag('maxBackfillAge'), parseRetentionMs) || undefined,
    readOnly: readOnly === undefined ? undefined : readOnly > 0,
    clock: readClock(answer.data.data.result[0], { tookMs, answeredMs }),
    version: metrics?.get('version'),
    limits: metrics && limitsOf(flag),
    rewrites: metrics && REWRITING_FLAGS.filter((name) => isSet(flag(name))),
  };
}

/** The server looked at its clock while it was asked: in the middle, give or take half of that time. */
function readClock(
  result: unknown,
  asked: { readonly tookMs: number; readonly answeredMs: number },
): ClockReading | undefined {
  const now = Now.safeParse(result).data?.value[1] ?? '';
  const seconds = readNumber(now);
  if (seconds === undefined || readInstantMs(now) === undefined) return undefined;
  const uncertaintyMs = asked.tookMs / 2;
  return {
    offsetMs: Math.round(seconds * 1000 - (asked.answeredMs - uncertaintyMs)),
    uncertaintyMs: Math.ceil(uncertaintyMs),
  };
}

function limitsOf(flag: (name: string) => string | undefined): SiteObservation['limits'] {
  const known = LIMIT_FLAGS.map((name) => [name, readNumber(flag(name) ?? '')] as const);
  return Object.fromEntries(known.filter(([, most]) => most !== undefined));
}

function unreadable(endpoint: Endpoint, text: string): never {
  throw endpoint.strange(
    'metrics',
    `a number that cannot be read: ${JSON.stringify(text.slice(0, 100))}`,
  );
}

const isSet = (value: string | undefined): boolean =>
  value !== undefined && value !== '' && value !== 'false';

/**
 * The samples of `/metrics` that vm-sync uses: `name` for a plain metric (summed over its labels), `flag NAME` for the
 * value of a flag, `version` where one is named. Undefined where the page is not served (proxies, cluster version).
 */
export async function readMetrics(
  endpoint: Endpoint,
  signal?: AbortSignal,
): Promise<Map<string, string> | undefined> {
  let page: string;
  try {
    page = await endpoint.text({
      act: 'metrics',
      method: 'GET',
      path: '/metrics',
      signal,
      silenceMs: HEALTH_SILENCE_MS,
    });
  } catch (error) {
    if (error instanceof VmSyncError && error.kind === 'final') return undefined;
    throw error;
  }
  const metrics = new Map<string, string>();
  // Flags stand last: without its end a page would say that there are none.
  const isWhole = page.endsWith('\n');
  for (const line of page.split('\n')) {
    if (line.startsWith('flag{')) addFlag(metrics, line);
    else if (line.startsWith('vm_app_version{')) addVersion(metrics, line);
    else if (line.startsWith('vm_') || line.startsWith('process_')) addSample(metrics, line);
  }
  // Some other program's page says nothing about this VictoriaMetrics.
  if (!metrics.has('flag retentionPeriod') && !metrics.has('vm_rows')) return undefined;
  if (!isWhole) throw endpoint.strange('metrics', 'a page that breaks off');
  return metrics;
}

/** The number of a metric; undefined where the page has none of this name. */
export function metricNumber(
  endpoint: Endpoint,
  metrics: ReadonlyMap<string, string> | undefined,
  name: string,
): number | undefined {
  const text = metrics?.get(name);
  return text === undefined ? undefined : (readNumber(text) ?? unreadable(endpoint, text));
}

function addFlag(metrics: Map<string, string>, line: string): void {
  const flag = /name="([^"]*)", ?value="((?:[^"\\]|\\.)*)"/.exec(line);
  if (flag) metrics.set(`flag ${flag[1]}`, flag[2] ?? '');
}

function addVersion(metrics: Map<string, string>, line: string): void {
  const [, version] = /short_version="([^"]+)"/.exec(line) ?? [];
  if (version !== undefined) metrics.set('version', version);
}

/** By hand: a page has a thousand lines and more, is read before every copy, and little of it is used. */
function addSample(metrics: Map<string, string>, line: string): void {
  const valueAt = line.lastIndexOf(' ') + 1;
  const labelsAt = line.indexOf('{');
  const series = line.slice(0, valueAt - 1);
  const name = labelsAt < 0 ? series : line.slice(0, labelsAt);
  const value = line.slice(valueAt);
  const before = metrics.get(name);
  metrics.set(name, before === undefined ? value : String(Number(before) + Number(value)));
  if (line.includes('reason=', name.length)) metrics.set(series, value);
}

/** `-retentionPeriod` counts months (of 31 days) where it has no unit; newer versions also write `1M`. */
function parseRetentionMs(text: string): number | undefined {
  const [, months] = /^([\d.]+)M?$/.exec(text) ?? [];
  const count = months === undefined ? undefined : readNumber(months);
  return count === undefined ? parseDurationMs(text) : count * 31 * 86_400_000;
}
