import type { Site, Window } from '@vm-sync/core';
import { type EndpointOptions, shown } from './endpoint.ts';
import { unionOf } from './query.ts';
import { duration, exportForm, rangeBounds } from './time.ts';

/** A site as it is reached by hand: secrets stay in variables whose names begin with `place`. */
export interface CurlSide {
  readonly site: Site;
  readonly place: 'LOCAL' | 'REMOTE';
  readonly vm: Omit<EndpointOptions, 'site'>;
}

export interface CurlLines {
  /** To be used in this order, in a shell such as bash. */
  readonly commands: readonly { readonly what: string; readonly line: string }[];
  readonly notes: readonly string[];
}

/** Selectors of so many characters stand in a line: enough for most chunks, and short enough for a job's log. */
const SELECTORS_MOST = 2_000;

/** What a person needs to look at a chunk, and to copy it by hand. No line holds a login. */
export function curlLines(
  chunk: { readonly selectors: readonly string[]; readonly window: Window },
  source: CurlSide,
  destination: CurlSide,
): CurlLines {
  const { window } = chunk;
  const selectors = firstOf(chunk.selectors);
  const file = `chunk-${window.toMs / 1000}.jsonl`;
  const lines = [source, destination].map((side) => ({
    what: `count on ${side.site}`,
    line: countLine(selectors, window, side),
  }));
  return {
    commands: [
      ...lines,
      { what: `export from ${source.site}`, line: exportLine(selectors, window, source, file) },
      { what: `import into ${destination.site}`, line: importLine(destination, file) },
    ],
    notes: [
      ...loginNotes([source, destination]),
      ...(selectors.length < chunk.selectors.length
        ? [
            `the lines name the first ${selectors.length} of ${chunk.selectors.length} selectors; the job's data has all`,
          ]
        : []),
      `import by hand only where ${destination.site} counts nothing, or deduplicates: elsewhere it would hold samples twice`,
    ],
  };
}

function firstOf(selectors: readonly string[]): string[] {
  const first: string[] = [];
  let length = 0;
  for (const selector of selectors) {
    length += selector.length;
    if (first.length > 0 && length > SELECTORS_MOST) break;
    first.push(selector);
  }
  return first;
}

/** A chunk may have thousands of series: one number is asked for. */
function countLine(selectors: readonly string[], window: Window, side: CurlSide): string {
  const lengthMs = window.toMs - window.fromMs;
  const sums = selectors.map((one) => `sum(count_over_time(${one}[${duration(lengthMs)}]))`);
  const marked = sums.map((sum, at) => `label_set(${sum},"selector","${at}")`);
  const query = sums.length === 1 ? (sums[0] as string) : `sum(${unionOf(marked)})`;
  const form = new URLSearchParams({ query, ...rangeBounds(window, lengthMs), nocache: '1' });
  return curl(side, 'read', '/api/v1/query_range', formArguments(form));
}

const exportLine = (
  selectors: readonly string[],
  window: Window,
  side: CurlSide,
  file: string,
): string =>
  curl(side, 'read', '/api/v1/export', [
    ...formArguments(exportForm({ selectors, window })),
    `-o ${file}`,
  ]);

const importLine = (side: CurlSide, file: string): string =>
  curl(side, 'write', '/api/v1/import', [`-T ${file} -X POST`]);

const formArguments = (form: URLSearchParams): string[] =>
  [...form].map(([name, value]) => `--data-urlencode ${quoted(`${name}=${value}`)}`);

function curl(
  { place, vm }: CurlSide,
  base: 'read' | 'write',
  path: string,
  rest: readonly string[],
): string {
  const url = new URL((base === 'read' ? vm.readUrl : vm.writeUrl) ?? vm.url);
  return ['curl -fsS', ...access(place, vm, url), quoted(`${shown(url)}${path}`), ...rest].join(
    ' ',
  );
}

/** As `Endpoint` logs in, with the names of variables in the place of secrets. */
function access(place: string, vm: CurlSide['vm'], url: URL): string[] {
  const variable = (name: string) => `$${place}_VM_${name}`;
  const given: string[] = [];
  if (vm.bearerToken !== undefined) {
    given.push(`-H "Authorization: Bearer ${variable('BEARER_TOKEN')}"`);
  } else if (vm.username !== undefined || vm.password !== undefined || hasLogin(url, vm)) {
    given.push(`-u "${variable('USERNAME')}:${variable('PASSWORD')}"`);
  }
  if (vm.ca !== undefined) given.push(`--cacert "${variable('CA_FILE')}"`);
  if (vm.cert !== undefined) given.push(`--cert "${variable('CERT_FILE')}"`);
  if (vm.key !== undefined) given.push(`--key "${variable('KEY_FILE')}"`);
  return given;
}

const hasLogin = (url: URL, vm: CurlSide['vm']): boolean =>
  [url, new URL(vm.url)].some(({ username, password }) => username !== '' || password !== '');

function loginNotes(sides: readonly CurlSide[]): string[] {
  const notes: string[] = [];
  for (const { place, vm } of sides) {
    const urls = [vm.url, vm.readUrl, vm.writeUrl].flatMap((url) => url ?? []);
    const inUrl = urls.some((url) => hasLogin(new URL(url), vm));
    if (vm.bearerToken !== undefined)
      notes.push(`set ${place}_VM_BEARER_TOKEN in your shell first`);
    else if (inUrl || vm.username !== undefined || vm.password !== undefined) {
      const where = inUrl ? ` (they stand in ${place}_VM_URL)` : '';
      notes.push(`set ${place}_VM_USERNAME and ${place}_VM_PASSWORD in your shell first${where}`);
    }
  }
  return notes;
}

/** For a shell; control characters by their codes, so that a pasted line does nothing unseen. */
function quoted(text: string): string {
  if (!/\p{Cc}/u.test(text)) return `'${text.replaceAll("'", "'\\''")}'`;
  const escaped = text
    .replaceAll(/[\\']/g, '\\$&')
    .replaceAll(/\p{Cc}/gu, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return `$'${escaped}'`;
}
