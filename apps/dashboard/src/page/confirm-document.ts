import type { Confirmation } from '../confirm/confirmation.ts';
import { html } from './html.ts';
import { type Frame, shell } from './shell.ts';

/** Says what will happen, then asks. Works without script, and stays as it is while it is read. */
export const confirmDocument = (
  { title, says, post, fields = [], button }: Confirmation,
  frame: Frame,
): string =>
  shell(
    `${title} · vm-sync`,
    html`<main class="narrow"><section class="card"><h1>${title}</h1>
<div class="says">${says.filter(Boolean).map((part) => html`<div>${part}</div>`)}</div>
<form method="post" action="${post}" class="answer">${fields.map(
      ([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`,
    )}<button type="submit">${button}</button> <a class="button plain" href="/actions">No, back</a></form>
</section></main>`,
    { ...frame, live: false },
  );
