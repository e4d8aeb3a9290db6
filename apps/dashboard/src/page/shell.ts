import { type Html, html } from './html.ts';

/**
 * The frame of every page. page.js fetches the page again every few seconds and takes over its title and `main`. `place` is the site
 * that it stands at.
 */
export const shell = (
  title: string,
  main: Html,
  place?: string,
  /** Not for pages with fields: renewing them would empty these. */
  { live = true }: { readonly live?: boolean } = {},
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
${live && html`<script src="/assets/page.js" defer></script>`}
</head>
<body>
<header>
<a class="brand" href="/">vm-sync${place !== undefined && html` <span class="place">${place}</span>`}</a>
<nav aria-label="Pages"><a href="/runs">Runs</a><a href="/actions">Actions</a><a href="/audit">Audit</a><a href="/queues">Board</a><a href="/metrics">Metrics</a><a href="/api/status">Status as JSON</a></nav>
</header>
<p id="connection" role="status" hidden></p>
${main}
</body>
</html>
`.toString();
