import type { Labels } from './selector.ts';

/** Labels that say whose samples they are, as F5's AST, Prometheus and OpenTelemetry call them, the most telling first. */
const WHOSE = ['device', 'device_name', 'instance', 'host', 'hostname', 'host_name', 'host.name'];

/** One job may stand for a whole site, so a metric's name says more. */
const TELLING = [...WHOSE, 'node', '__name__', 'job'];

/** Longer names are cut: they stand in titles. */
export const ABOUT_MOST = 60;

/**
 * What series have in common, in one short name: `bigip-07`, or the name of their metric. Undefined where they share
 * nothing that a person would call them by.
 */
export function aboutSeries(series: readonly Labels[]): string | undefined {
  for (const label of TELLING) {
    const about = asTitle(sharedValue(series, label));
    if (about !== '') return about;
  }
  return undefined;
}

function sharedValue([first, ...others]: readonly Labels[], label: string): string {
  const value = valueIn(first, label);
  return value !== '' && others.every((labels) => valueIn(labels, label) === value) ? value : '';
}

const valueIn = (labels: Labels | undefined, label: string): string =>
  (labels && Object.hasOwn(labels, label) && labels[label]) || '';

/** Without control characters and what turns the direction of writing: a device's name must not rewrite the title around it. */
export function asTitle(value: string): string {
  const characters = [...value.replaceAll(/[\p{C}\p{Z}]+/gu, ' ').trim()];
  if (characters.length <= ABOUT_MOST) return characters.join('');
  return `${characters.slice(0, ABOUT_MOST - 1).join('')}…`;
}
