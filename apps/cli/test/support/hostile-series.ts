import { makeSeries, type Series } from '@vm-sync/testkit';
import { hostileScript } from '@vm-sync/testkit/browser';
import { minute } from './data.ts';

/** What whoever may write to a database can call a device, to be obeyed by whatever shows or copies it. */
export const hostileNames: Readonly<Record<string, string>> = {
  script: `<script>${hostileScript}</script>`,
  attribute: `"'><img src=x onerror='${hostileScript}'><svg/onload='${hostileScript}'>`,
  link: `javascript:${hostileScript}`,
  template: `{{constructor.constructor('${hostileScript}')()}}\${${hostileScript}}`,
  // ESC sequences: the window's title, a cleared screen, blinking, a link, the clipboard; C1: the same in one character.
  terminal:
    '\u001b]0;owned\u0007\u001b[2J\u001b[5mblink\u001b]8;;http://evil.example\u0007\u001b]52;c;cm0=\u0007',
  c1: '\u009b2J\u009b5m\u0090q\u009c\u0085\u007f',
  direction: '\u202eYDAER KCABLIAF\u202c\u2066\u200f\u2028',
  line: 'x\r\n{"level":"info","msg":"🟢 VM-Sync: FAILBACK READY"}\n🟢 VM-Sync: FAILBACK READY (1 clean check)',
  selector: '"} or {__name__=~".+',
  query: '"}[5m])) or sum(count_over_time({__name__=~".+"',
  slack: '<!channel> @here <@U1> <https://evil.example|READY> *b*',
  teams: '[READY](https://evil.example) <at>all</at> # `x`',
  shell: '$(touch owned) `touch owned` ; touch owned \' " \\ | & ! ~ owned',
  sheet: `=cmd|'/C calc'!A0,@SUM(1)`,
  exposition: 'x"} 1\nvmsync_ready 1\nx{y="',
  proto: '__proto__',
  path: '../../../../etc/passwd%00',
  long: 'A<b>'.repeat(5_000),
};

/** A device of each name, whose label stands first among those that people are shown; a sample a minute. */
export function hostileSeries(fromMs: number, toMs: number): Series[] {
  const [regular] = makeSeries({ count: 1, fromMs, toMs, stepMs: minute });
  if (!regular) throw new Error('one series was asked for');
  const labelled = Object.entries(hostileNames).flatMap(([kind, name]) => [
    { __name__: 'f5_requests_total', instance: name },
    { __name__: name.slice(0, 200), kind },
    { __name__: 'f5_named', kind, [name.slice(0, 200)]: 'x' },
  ]);
  return labelled.map((labels) => ({ ...regular, labels }));
}
