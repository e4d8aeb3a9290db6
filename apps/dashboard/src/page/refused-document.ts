import { html } from './html.ts';
import { type Frame, shell } from './shell.ts';
import { capitalised } from './text.ts';

/** What came of a form that was refused. It stays as it is: nothing about it changes by itself. */
export const refusedDocument = (sentence: string, frame: Frame): string =>
  shell(
    'Not done · vm-sync',
    html`<main class="narrow"><section class="card" role="alert"><h1>Not done</h1><p>${capitalised(sentence)}.</p>
<p><a class="button plain" href="/actions">Back to the actions</a></p></section></main>`,
    { ...frame, live: false },
  );
