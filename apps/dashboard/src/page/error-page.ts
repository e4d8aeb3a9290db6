import type { Person } from '../http/person.ts';
import { html } from './html.ts';
import { shell } from './shell.ts';
import { capitalised } from './text.ts';

/** A page that says one thing; like the status page it renews itself, so it goes away with its cause. */
export const errorPage = (sentence: string, person?: Person): string =>
  shell(
    'vm-sync',
    html`<main><section class="verdict unknown"><span class="sign" aria-hidden="true">?</span><div><h1><span class="word">No answer</span> <span class="why">${capitalised(sentence)}.</span></h1></div></section></main>`,
    { person },
  );
