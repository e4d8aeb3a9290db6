import type { Site } from '@vm-sync/core';
import { type Html, html } from './html.ts';

interface LoginView {
  readonly role: Site;
  readonly next: string;
  /** What was typed before. */
  readonly user?: string;
  /** Why it was refused. */
  readonly refusal?: string;
}

/** Not in the frame of the other pages: it must not renew itself while somebody types. */
export const loginPage = ({ role, next, user, refusal }: LoginView): string =>
  page(
    html`<title>Log in · vm-sync ${role}</title>`,
    html`<main id="login">
<h1>vm-sync <span class="place">${role}</span></h1>
${refusal !== undefined && html`<p class="refusal" role="alert">${refusal}</p>`}
<form method="post" action="/login">
<input type="hidden" name="next" value="${next}">
<label for="user">User</label>
<input id="user" name="user" value="${user}" autocomplete="username" autocapitalize="none" spellcheck="false" required ${user === undefined && 'autofocus'}>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required ${user !== undefined && 'autofocus'}>
<button>Log in</button>
</form>
</main>`,
  );

/**
 * Goes on by itself to the login. After a link on another site browsers keep strict cookies back, also from where they
 * are redirected to; the step from this page is one of this site, so who has logged in is not asked again.
 */
export const onwardsPage = (path: string): string =>
  page(
    html`<title>vm-sync</title>
<meta http-equiv="refresh" content="0; url=${path}">`,
    html`<main id="login"><p><a href="${path}">Go on</a></p></main>`,
  );

const page = (head: Html, main: Html): string =>
  html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
${head}
<link rel="icon" href="/assets/icon.svg">
<link rel="stylesheet" href="/assets/page.css">
<link rel="stylesheet" href="/assets/login.css">
</head>
<body>
${main}
</body>
</html>
`.toString();
