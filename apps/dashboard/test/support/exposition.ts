/** A metric of Prometheus' text format. */
export interface Metric {
  readonly name: string;
  readonly type: string;
  readonly help: string | undefined;
  readonly labelNames: readonly string[];
}

const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[^}]*\})? (\S+)$/;
const COMMENT = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/;

const linesOf = (text: string): string[] => text.split('\n').filter((line) => line !== '');

/** From series to value; throws on what is no metric line, and on a series or a type that is there twice. */
export function valuesIn(text: string): Map<string, number> {
  const values = new Map<string, number>();
  const typed = new Set<string>();
  for (const line of linesOf(text)) {
    const [, kind, name = ''] = COMMENT.exec(line) ?? [];
    if (kind === 'TYPE') {
      if (typed.has(name)) throw new Error(`${name} has two types`);
      typed.add(name);
    }
    if (kind) continue;
    const [, series, labels = '', value] = SAMPLE.exec(line) ?? [];
    if (series === undefined) throw new Error(`no line of a metric: ${line}`);
    if (values.has(series + labels)) throw new Error(`${series}${labels} is there twice`);
    values.set(series + labels, Number(value));
  }
  return values;
}

export function metricsIn(text: string): Metric[] {
  const helps = new Map<string, string>();
  const types = new Map<string, string>();
  const labels = new Map<string, Set<string>>();
  for (const line of linesOf(text)) {
    const [, kind, name = '', rest = ''] = COMMENT.exec(line) ?? [];
    if (kind === 'HELP') helps.set(name, rest);
    else if (kind === 'TYPE') types.set(name, rest);
    else {
      const [, series = '', pairs = ''] = SAMPLE.exec(line) ?? [];
      const of = types.has(series) ? series : series.replace(/_(?:bucket|sum|count)$/, '');
      const names = labels.get(of) ?? new Set();
      for (const [, label = ''] of pairs.matchAll(/([^{},=]+)="/g)) names.add(label);
      labels.set(of, names);
    }
  }
  return [...labels].map(([name, names]) => ({
    name,
    type: types.get(name) ?? 'untyped',
    help: helps.get(name),
    labelNames: [...names],
  }));
}

/** Labels whose values are few: vm-sync's own words. */
const BOUNDED = new Set([
  ...['queue', 'state', 'result', 'outcome', 'site', 'direction', 'role', 'severity', 'stance'],
  'le',
]);

const NO_BASE_UNIT =
  /_(?:milliseconds?|microseconds?|nanoseconds?|minutes?|hours?|days?|weeks?|kilobytes?|megabytes?|bits?|percent|celsius_degrees)(?:_|$)/;
const ABBREVIATION = /_(?:ms|us|ns|sec|secs|min|mins|hr|hrs|b|kb|mb|gb|kib|mib)(?:_total)?$/;

/** What `promtool check metrics` would say of vm-sync's own metrics, and that labels cannot grow without end. */
export function lint(text: string): string[] {
  const own = metricsIn(text).filter(({ name }) => name.startsWith('vmsync_'));
  return own.flatMap(({ name, type, help, labelNames }) => [
    ...says(!help, `${name} has no help`),
    ...says((type === 'counter') !== name.endsWith('_total'), `${name}: _total is for counters`),
    ...says(NO_BASE_UNIT.test(name), `${name}: use a base unit`),
    ...says(ABBREVIATION.test(name), `${name}: write the unit out`),
    ...says(
      /(?:^|_)(?:gauge|counter|histogram|summary)(?:_|$)/.test(name),
      `${name} says its type`,
    ),
    ...says(/_(?:bucket|count|sum)$/.test(name), `${name} ends as a part of a histogram does`),
    ...says(!/^[a-z][a-z0-9_]*$/.test(name), `${name} is not snake_case`),
    ...labelNames
      .filter((label) => !BOUNDED.has(label))
      .map((label) => `${name}: is the number of values of ${label} bounded?`),
  ]);
}

const says = (is: boolean, text: string): string[] => (is ? [text] : []);
