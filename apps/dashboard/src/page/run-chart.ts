import { formatDuration } from '@vm-sync/core';
import type { RunDetail } from '../run-detail.ts';
import { type Html, html } from './html.ts';
import { nothing } from './parts.ts';
import { countText } from './text.ts';

const WIDTH = 600;
const HEIGHT = 140;
/** More points than pixels show nothing more. */
const POINTS_MOST = 300;

/** Planned samples of finished chunks over time, from the run's begin until now or its end. */
export function progressChart({ run, finished, nowMs }: RunDetail): Html {
  const title = html`<h2>Samples done <span class="muted">over time</span></h2>`;
  if (finished.length === 0) {
    const why =
      run.settledMs === null ? 'No chunk is done yet.' : 'Its chunks are not remembered any more.';
    return html`<section>${title}${nothing(why)}</section>`;
  }
  const untilMs = Math.max(run.settledMs ?? nowMs, finished.at(-1)?.atMs ?? 0, run.createdMs + 1);
  const spanMs = untilMs - run.createdMs;
  const doneAt = cumulative(finished);
  const done = doneAt.at(-1)?.done ?? 0;
  const most = Math.max(run.samplesPlanned, done, 1);
  const x = (atMs: number) => round(((atMs - run.createdMs) / spanMs) * WIDTH);
  const y = (samples: number) => round(HEIGHT - (samples / most) * HEIGHT);
  // A chunk counts when it is done: steps, not slopes.
  const line = [
    `M0 ${HEIGHT}`,
    ...thinned(doneAt).map((at) => `H${x(Math.max(at.atMs, run.createdMs))}V${y(at.done)}`),
    `H${WIDTH}`,
  ].join('');
  const told = `${countText(done)} of ${countText(run.samplesPlanned)} samples done after ${formatDuration(spanMs)}`;
  return html`<section>${title}<figure class="run-chart">
<p class="ends"><span>${countText(most)} samples</span></p>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label="${told}">
<path class="under" d="${line}V${HEIGHT}Z"/><path class="edge" d="${line}"/></svg>
<p class="ends"><span>0s</span><span>${formatDuration(spanMs)}</span></p>
<figcaption>${told}</figcaption>
</figure></section>`;
}

interface Point {
  readonly atMs: number;
  readonly done: number;
}

function cumulative(finished: RunDetail['finished']): Point[] {
  let done = 0;
  return finished.map(({ atMs, planned }) => {
    done += planned;
    return { atMs, done };
  });
}

/** Every so manieth point, and always the last. */
function thinned(points: readonly Point[]): Point[] {
  const every = Math.ceil(points.length / POINTS_MOST);
  return points.filter((_, at) => at % every === 0 || at === points.length - 1);
}

const round = (value: number): number => Math.round(value * 10) / 10;
