import type { Person } from '../http/person.ts';
import { type Html, html } from './html.ts';

/** What stands around a page. */
export interface Frame {
  /** The site that it stands at. */
  readonly place?: string | undefined;
  /** Whoever came in by the login page is named and may log out. */
  readonly person?: Person | undefined;
  /** Not for pages with fields: renewing them would empty these. */
  readonly live?: boolean;
}

/**
 * The frame of every page. page.js asks for a live one again every second and takes over its title and what has changed of
 * `main`; what has an `id` or a `data-key` is known again by it, and the inside of `data-keep` is left alone.
 */
export const shell = (
  title: string,
  main: Html,
  { place, person, live = true }: Frame = {},
): string =>
  html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<link rel="icon" href="/assets/icon.svg">
<link rel="stylesheet" href="/assets/page.css">
<link rel="stylesheet" href="/assets/actions.css">
<link rel="stylesheet" href="/assets/print.css" media="print">
${live && html`<script src="/assets/page.js" defer></script>`}
</head>
<body>
<header>
<a class="brand" href="/">vm-sync${place !== undefined && html` <span class="place">${place}</span>`}</a>
<nav aria-label="Pages"><a href="/runs">Runs</a><a href="/actions">Actions</a><a href="/audit">Audit</a><a href="/queues">Board</a><a href="/certificate">Certificate</a><a href="/metrics">Metrics</a><a href="/api/status">Status as JSON</a></nav>${person?.session && personLine(person)}
</header>
<p id="connection" role="status" hidden></p>
<p id="spoken" class="unseen" role="status"></p>
${main}
</body>
</html>
`.toString();

const personLine = ({ name, role }: Person): Html =>
  html`
<form class="person" method="post" action="/logout">${name} (${role}) <button>Log out</button></form>`;
