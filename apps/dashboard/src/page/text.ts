import { formatDuration, type Window } from '@vm-sync/core';
import { type Html, html } from './html.ts';

const WHOLE = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

export const countText = (amount: number): string => WHOLE.format(amount);

/** A sentence's beginning, as it stands behind a colon elsewhere. */
export const capitalised = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

export function bytesText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const at = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  const amount = bytes / 1024 ** at;
  return `${amount < 10 && at > 0 ? amount.toFixed(1) : Math.round(amount)} ${units[at]}`;
}

/** `2026-11-20`, in UTC like every time that is shown: operators of two sites share one clock. */
const dayText = (atMs: number): string => new Date(atMs).toISOString().slice(0, 10);

/** `13:04`, with seconds where there are any. */
const timeText = (atMs: number): string =>
  new Date(atMs).toISOString().slice(11, atMs % 60_000 < 1_000 ? 16 : 19);

/** `2026-11-20 13:04 UTC` */
const instantText = (atMs: number): string =>
  `${new Date(atMs).toISOString().slice(0, 16).replace('T', ' ')} UTC`;

/** `13:00–14:00` of the day of `nowMs`, `2026-11-20 13:00–14:00` of another one; over midnight both days are named. */
export function spanText({ fromMs, toMs }: Window, nowMs: number): string {
  const [from, to] = [dayText(fromMs), dayText(toMs)];
  if (from !== to) return `${from} ${timeText(fromMs)} – ${to} ${timeText(toMs)}`;
  const span = `${timeText(fromMs)}–${timeText(toMs)}`;
  return from === dayText(nowMs) ? span : `${from} ${span}`;
}

/** `13:04` of the day of `nowMs`, `11-20 13:04` of another one: for axes. */
export const clockText = (atMs: number, nowMs: number): string =>
  dayText(atMs) === dayText(nowMs) ? timeText(atMs) : `${dayText(atMs).slice(5)} ${timeText(atMs)}`;

/** The same with the day in every case, for what is printed and kept. */
export const datedSpanText = (window: Window): string => spanText(window, 0);

function agoText(atMs: number, nowMs: number): string {
  const ageMs = nowMs - atMs;
  return ageMs < 1_000 ? 'just now' : `${formatDuration(Math.floor(ageMs / 1e3) * 1e3)} ago`;
}

/** An instant as its age, with the instant itself to hover over. page.js goes on counting it. */
export const ago = (atMs: number, nowMs: number): Html =>
  html`<time datetime="${new Date(atMs).toISOString()}" title="${instantText(atMs)}" data-age="ago">${agoText(atMs, nowMs)}</time>`;

/** How far an instant is behind now. */
export const behind = (atMs: number, nowMs: number): Html =>
  html`<time datetime="${new Date(atMs).toISOString()}" data-age="behind now">${formatDuration(Math.max(0, Math.floor((nowMs - atMs) / 1e3) * 1e3))} behind now</time>`;

/** An instant as itself; of the day of `nowMs` only its time. */
export const instant = (atMs: number, nowMs: number): Html =>
  html`<time datetime="${new Date(atMs).toISOString()}" title="${instantText(atMs)}">${clockText(atMs, nowMs)} UTC</time>`;

/** An instant to the second, for what follows closely upon another. */
export const moment = (atMs: number, nowMs: number): Html =>
  html`<time datetime="${new Date(atMs).toISOString()}" title="${agoText(atMs, nowMs)}">${dayText(atMs)} ${new Date(atMs).toISOString().slice(11, 19)} UTC</time>`;
