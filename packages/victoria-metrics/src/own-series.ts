import type { Heartbeat, Marker, OwnSamples } from '@vm-sync/core';
import { z } from 'zod';
import type { Endpoint } from './endpoint.ts';
import { jsonOrNothing } from './json.ts';
import { readInstantMs, readNumber } from './number.ts';
import { duration, seconds } from './time.ts';

/**
 * A mark in the address of every request for vm-sync's own series, so that logs and proxies can tell them from the
 * data's. Servers ignore it.
 */
const OWN = '?own=vmsync';

const DAY_MS = 86_400_000;

/** Clocks of writers may differ from ours: samples that are this far ahead are found. */
const AHEAD_MS = DAY_MS;
const HEARTBEATS_BACK_MS = DAY_MS;
/** Markers are renewed every hour; but a vm-sync may have been away for long. */
const MARKERS_BACK_MS = 400 * DAY_MS;

/** Small questions: a server that does not answer them soon is taken for one that does not answer. */
const SILENCE_MS = 10_000;

const site = z.enum(['primary', 'dr']);
const result = z.object({
  metric: z.record(z.string(), z.string()),
  value: z.tuple([z.number(), z.string()]),
});
const Answer = z.object({
  status: z.literal('success'),
  // What is left out of a partial answer may be the very marker, or the other site's heartbeat.
  isPartial: z.literal(false).optional(),
  data: z.object({ resultType: z.literal('vector'), result: z.array(result) }),
});
const MarkerLabels = z.object({ site, pair: z.string().min(1) });
const HeartbeatLabels = z.object({ site });

/** Reads the newest markers and heartbeats; what is not vm-sync's way of writing them is left out. */
export async function readOwn(
  endpoint: Endpoint,
  retentionMs: number | undefined,
  signal?: AbortSignal,
): Promise<OwnSamples> {
  // Some servers refuse to look beyond their retention.
  const most = retentionMs === undefined ? MARKERS_BACK_MS : Math.max(retentionMs - DAY_MS, DAY_MS);
  const [markers, heartbeats] = await Promise.all([
    newest(endpoint, 'vmsync_identity', Math.min(MARKERS_BACK_MS, most), signal),
    newest(endpoint, 'vmsync_heartbeat', HEARTBEATS_BACK_MS, signal),
  ]);
  return {
    markers: markers.flatMap(({ labels, atMs }): Marker[] => {
      const read = MarkerLabels.safeParse(labels);
      return read.success ? [{ ...read.data, atMs }] : [];
    }),
    heartbeats: heartbeats.flatMap(({ labels, atMs, value }): Heartbeat[] => {
      const read = HeartbeatLabels.safeParse(labels);
      return read.success ? [{ ...read.data, onDuty: value > 0, atMs }] : [];
    }),
  };
}

interface Newest {
  readonly labels: Readonly<Record<string, string>>;
  readonly atMs: number;
  readonly value: number;
}

/** The last sample of every series of this name, with its own time. */
async function newest(
  endpoint: Endpoint,
  name: string,
  backMs: number,
  signal: AbortSignal | undefined,
): Promise<Newest[]> {
  const behind = duration(backMs + AHEAD_MS);
  const text = await endpoint.text({
    act: 'query',
    method: 'POST',
    path: `/api/v1/query${OWN}`,
    form: new URLSearchParams({
      query: `aggr_over_time(("tlast_over_time","last_over_time"),${name}[${behind}])`,
      time: seconds(Date.now() + AHEAD_MS),
      nocache: '1',
      timeout: '8s',
    }),
    signal,
    silenceMs: SILENCE_MS,
  });
  const answer = Answer.safeParse(jsonOrNothing(text));
  if (!answer.success) throw endpoint.strange('query', 'something else than a query result');
  const found = new Map<string, { labels: Newest['labels']; atMs?: number; value?: number }>();
  for (const { metric, value } of answer.data.data.result) {
    const { rollup, __name__: _, ...labels } = metric;
    const key = JSON.stringify(Object.entries(labels).sort());
    const one = found.get(key) ?? { labels };
    found.set(key, one);
    if (rollup === 'tlast_over_time') one.atMs = readInstantMs(value[1]) ?? unreadable(endpoint);
    if (rollup === 'last_over_time') one.value = readNumber(value[1]) ?? unreadable(endpoint);
  }
  return [...found.values()].flatMap(({ labels, atMs, value }) =>
    atMs === undefined || value === undefined ? [] : [{ labels, atMs, value }],
  );
}

function unreadable(endpoint: Endpoint): never {
  throw endpoint.strange('query', 'a time or a value that cannot be read');
}

export const writeMarker = (
  endpoint: Endpoint,
  { site: of, pair, atMs }: Marker,
  signal?: AbortSignal,
): Promise<void> =>
  write(endpoint, { __name__: 'vmsync_identity', site: of, pair }, 1, atMs, signal);

export const writeHeartbeat = (
  endpoint: Endpoint,
  { site: of, onDuty, atMs }: Heartbeat,
  signal?: AbortSignal,
): Promise<void> =>
  write(endpoint, { __name__: 'vmsync_heartbeat', site: of }, onDuty ? 1 : 0, atMs, signal);

async function write(
  endpoint: Endpoint,
  metric: Readonly<Record<string, string>>,
  value: number,
  atMs: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const line = JSON.stringify({ metric, values: [value], timestamps: [atMs] });
  await endpoint.text({
    act: 'import',
    method: 'POST',
    base: 'write',
    path: `/api/v1/import${OWN}`,
    body: Buffer.from(`${line}\n`),
    signal,
    silenceMs: SILENCE_MS,
  });
}
