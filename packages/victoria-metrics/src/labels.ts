import { errorKind, type Window } from '@vm-sync/core';
import { z } from 'zod';
import type { Endpoint } from './endpoint.ts';
import { jsonOrNothing } from './json.ts';
import { endToAskFor, seconds } from './time.ts';

const List = z.object({ status: z.literal('success'), data: z.array(z.string()) });

interface Request {
  readonly selector: string;
  readonly window: Window;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Values of a label, or names of labels. Servers round the window to whole days and cut long lists silently, so such a
 * list may serve to divide work, never to say what exists.
 */
export const labelValues = (
  endpoint: Endpoint,
  label: string,
  request: Request,
): Promise<string[]> =>
  list(endpoint, `/api/v1/label/${encodeURIComponent(label)}/values`, request);

export const labelNames = (endpoint: Endpoint, request: Request): Promise<string[]> =>
  list(endpoint, '/api/v1/labels', request);

/** Names of all metrics on the days of a window: cheap, because no series are looked at. */
export const metricNames = (
  endpoint: Endpoint,
  window: Window,
  signal?: AbortSignal,
): Promise<string[]> =>
  ask(endpoint, '/api/v1/label/__name__/values', { selector: '', window, signal }, false);

async function list(endpoint: Endpoint, path: string, request: Request): Promise<string[]> {
  try {
    return await ask(endpoint, path, request, true);
  } catch (error) {
    // Looking for the selector's own values can be as much too big as what is to be divided.
    if (errorKind(error) !== 'too-big') throw error;
    return await ask(endpoint, path, request, false);
  }
}

async function ask(
  endpoint: Endpoint,
  path: string,
  { selector, window, signal }: Request,
  matching: boolean,
): Promise<string[]> {
  const text = await endpoint.text({
    act: 'query',
    method: 'POST',
    path,
    form: new URLSearchParams({
      ...(matching ? { 'match[]': selector } : {}),
      start: seconds(window.fromMs + 1),
      end: seconds(endToAskFor(window.toMs)),
    }),
    signal,
  });
  const parsed = List.safeParse(jsonOrNothing(text));
  if (!parsed.success) throw endpoint.strange('query', 'something else than a list of labels');
  return parsed.data.data;
}
