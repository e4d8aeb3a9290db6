import { styleText } from 'node:util';
import type { Command } from 'commander';
import { tableLines } from './terminal.ts';

type Example = readonly [command: string, what: string];

/** What people type, by the name of the command; the empty name is the program itself. */
const EXAMPLES: Readonly<Record<string, readonly Example[]>> = {
  '': [
    ['vm-sync doctor', 'is everything set up well? what is to be mended?'],
    ['vm-sync status --watch', 'what goes on, until Ctrl-C'],
    ['vm-sync ready --site primary && ./fail-back.sh', 'fail back only when that is safe'],
  ],
  up: [['vm-sync up', 'everything that one site needs, until Ctrl-C']],
  scheduler: [['vm-sync scheduler', 'one on each site']],
  worker: [['WORKER_CONCURRENCY=4 vm-sync worker', 'four chunks at a time']],
  dashboard: [['DASHBOARD_PORT=8080 vm-sync dashboard', 'at http://127.0.0.1:8080']],
  check: [
    ['vm-sync check', 'compare what is due; exit code 1 when there are gaps'],
    ['vm-sync check --json | jq .tallied', 'the counts only'],
  ],
  plan: [
    ['vm-sync plan', 'every chunk that a repair would copy'],
    ["vm-sync plan --json | jq '[.chunks[].samples] | add'", 'how many samples that is'],
  ],
  status: [
    ['vm-sync status', 'READY or not, why, and what is being done'],
    ['vm-sync status --watch', 'redrawn every 2 s, until Ctrl-C'],
    ['vm-sync status --watch --json', 'a document a line, whenever something changes'],
  ],
  ready: [
    ['vm-sync ready && ./fail-back.sh', 'fail back only when parity is proven'],
    ['vm-sync ready --site primary', 'does primary hold everything?'],
  ],
  certificate: [
    ['vm-sync certificate', 'what is proven, by what, and until when'],
    ['vm-sync certificate --json > parity.json', 'to be kept with the record of a failback'],
  ],
  runs: [['vm-sync runs', 'the last repairs, newest first']],
  backfill: [
    ['vm-sync backfill --from 72h --to 1h --dry-run', 'what it would copy, and how long it takes'],
    ['vm-sync backfill --from 72h --to 1h --watch', 'begin it, and see how it goes'],
    ['vm-sync backfill list', 'all of them, with their ids'],
    ['vm-sync backfill start --help', 'every option'],
  ],
  'backfill start': [
    ['vm-sync backfill --from 2026-11-01T00:00:00Z --to 2026-11-04T00:00:00Z', 'three days'],
    [`vm-sync backfill --from 30d --to 1h --match '{job="node"}'`, 'only these series'],
  ],
  'backfill list': [['vm-sync backfill list --json', 'with every window that is not proven yet']],
  'backfill watch': [['vm-sync backfill watch ID', 'exit code 0 when it is done, 1 when not']],
  'backfill pause': [['vm-sync backfill pause ID', 'chunks under way are finished']],
  'backfill resume': [['vm-sync backfill resume ID', 'goes on where it was']],
  'backfill cancel': [['vm-sync backfill cancel ID', 'what was copied stays']],
  reconcile: [
    ['vm-sync reconcile --dry-run', 'what only the passive site has'],
    ['vm-sync reconcile', 'copy it to the active site, once'],
  ],
  'reconcile start': [['vm-sync reconcile start', 'the same as vm-sync reconcile']],
  'reconcile cancel': [['vm-sync reconcile cancel', 'what was copied stays']],
  pause: [['vm-sync pause', 'during a maintenance of a database, for example']],
  resume: [['vm-sync resume', 'what is missing is repaired again']],
  pin: [['vm-sync pin dr --for 2h', 'dr is the active site for two hours, whatever DNS says']],
  notify: [['vm-sync notify --test', 'does a message reach everybody who is to be told?']],
  unpin: [['vm-sync unpin', 'DNS or ACTIVE_SITE decides again']],
  accept: [['vm-sync accept --site dr', 'it was restored from a backup of the other site, say']],
  doctor: [
    ['vm-sync doctor', 'exit code 1 when something has to be mended'],
    ['vm-sync doctor | grep -v ^ok', 'only what is not well'],
  ],
};

const EXIT_CODES =
  'Exit codes: 0 fine, 1 found something (gaps, not ready), 2 could not find out, or wrong usage.';

const bold = (text: string): string => styleText('bold', text, { validateStream: false });
const cyan = (text: string): string => styleText('cyan', text, { validateStream: false });
const dim = (text: string): string => styleText('dim', text, { validateStream: false });

/** commander takes the colours out again where they are not wanted. */
export function explain(command: Command, name: string): Command {
  const examples = EXAMPLES[name] ?? [];
  const style = (text: string, column: number) => (column === 0 ? cyan(text) : dim(text));
  const lines = ['', bold('Examples:'), ...tableLines(examples, { indent: '  ', style })];
  const end = name === '' ? ['', EXIT_CODES] : [];
  command.configureHelp({
    showGlobalOptions: true,
    styleTitle: bold,
    styleCommandText: cyan,
    styleOptionTerm: cyan,
  });
  return examples.length === 0
    ? command
    : command.addHelpText('after', [...lines, ...end].join('\n'));
}
