import { type Html, html, type Part } from './html.ts';
import { countText } from './text.ts';

export const card = (title: string, body: Part): Html =>
  html`<section class="card" data-key="${title}"><h2>${title}</h2>${body}</section>`;

export const facts = (rows: readonly (readonly [string, Part])[]): Html =>
  html`<dl>${rows.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;

export const nothing = (sentence: string): Html => html`<p class="muted">${sentence}</p>`;

export const badge = (style: 'good' | 'bad' | 'busy' | 'idle', word: string): Html =>
  html`<span class="badge ${style}">${word}</span>`;

/** A table that may be wider than the page: it can be scrolled by keyboard too. */
export const tableBox = (name: string, rows: Html): Html =>
  html`<div class="wide" role="region" aria-label="${name}" tabindex="0"><table>${rows}</table></div>`;
/** The first of a list's items, and how many more there are. */
export const bounded = (items: readonly Html[], most: number, total = items.length): Part => {
  const more = total - Math.min(most, items.length);
  return [
    items.slice(0, most),
    more > 0 && html`<li class="muted">and ${countText(more)} more</li>`,
  ];
};

/** A smaller line below. */
export const detail = (text: string): Html => html`<span class="detail">${text}</span>`;
