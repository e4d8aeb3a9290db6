import { describe, expect, test } from 'vitest';
import {
  formatFinding,
  formatKit,
  makeRepairKit,
  type RepairKit,
  type Site,
} from '../src/index.ts';

const kitOf = (text: string, site?: Site): RepairKit =>
  makeRepairKit(
    { text, site },
    {
      failedMs: 1_795_460_400_000,
      direction: { source: 'dr', destination: 'primary' },
      counts: {
        source: { samples: 3_600, why: null },
        destination: { samples: null, why: 'no answer within 5 s' },
      },
      commands: [{ what: 'count on dr', line: "curl -fsS 'http://dr:8428/…'" }],
      notes: ['a note'],
      places: { primary: 'REMOTE', dr: 'LOCAL' },
    },
  );

/** Sentences as the databases' answers make them (measured on 1.79.5 and 1.145), with what must be read from them. */
const FAILURES: [string, { cause: RegExp; advice: RegExp; flags: string[] }][] = [
  [
    'VM query error: dr (http://dr:8428) answered 422: error when executing query="count_over_time({__name__=\\"deadline_total\\"}[300s])": the number of matching timeseries exceeds 10; either narrow down the search or increase -search.max* command-line flag values; asked again in smaller parts, or raise the limit that it names',
    {
      cause: /^dr sets a limit: the chunk has more series than it lets a query read$/,
      advice: /^raise -search\.maxUniqueTimeseries on dr and restart it/,
      flags: ['-search.maxUniqueTimeseries'],
    },
  ],
  [
    'VM export error: dr (http://dr:8428) answered 400: cannot fetch data: the number of matching timeseries exceeds 10; asked again in smaller parts',
    { cause: /exports at once/, advice: /raise/, flags: ['-search.maxExportSeries'] },
  ],
  [
    'VM query error: dr (http://dr:8428) answered 422: cannot select more than -search.maxSamplesPerQuery=1000 samples; possible solutions: …; asked again in smaller parts',
    { cause: /more samples/, advice: /raise/, flags: ['-search.maxSamplesPerQuery'] },
  ],
  [
    'VM query error: dr (http://dr:8428) answered 422: timeout exceeded during query execution: 10.000 seconds (elapsed 11.2 seconds); asked again in smaller parts',
    { cause: /longer than it allows/, advice: /raise/, flags: ['-search.maxQueryDuration'] },
  ],
  [
    // The limit is ours: raising theirs would change nothing.
    'VM query error: dr (http://dr:8428) answered 422: timeout exceeded during query execution: 30.000 seconds (elapsed 31.2 seconds); asked again in smaller parts',
    { cause: /30 s that vm-sync gives/, advice: /busy/, flags: [] },
  ],
  [
    'VM query error: dr (http://dr:8428) answered 503: cannot handle more than 4 concurrent search requests during 10s; possible solutions: increase -search.maxQueueDuration, -search.maxQueryDuration or -search.maxConcurrentRequests; it is busy: tried again later',
    { cause: /no free slot/, advice: /calm/, flags: ['-search.maxConcurrentRequests'] },
  ],
  [
    'VM import error: primary (http://primary:8428) answered 400: too long line: more than 10485760 bytes; the request was refused: trying again will not help',
    { cause: /line of the import/, advice: /raise/, flags: ['-import.maxLineLen'] },
  ],
  [
    'repair dr → primary, …: primary (http://primary:8428) accepted the import, but 1800 samples are not there; its counters name the cause: too_many_labels 40 (series with more labels than -maxLabelsPerTimeseries are dropped: raise it there), big_timestamp 2 (samples more than two days (or -futureRetention) in the future are dropped: mend the clock that they came from); retry this job when that is mended',
    {
      cause: /^primary took the samples and dropped 1800 of them$/,
      advice: /^mend on primary what its counters name/,
      flags: ['-maxLabelsPerTimeseries'],
    },
  ],
  [
    'VM query error: primary (http://primary:8428) answered 401; login refused: check LOCAL_VM_… and REMOTE_VM_… USERNAME, PASSWORD and BEARER_TOKEN',
    { cause: /login/, advice: /mend REMOTE_VM_USERNAME and REMOTE_VM_PASSWORD/, flags: [] },
  ],
  [
    "VM export error: dr (https://dr:8428) shows a certificate that does not verify (DEPTH_ZERO_SELF_SIGNED_CERT): set …_VM_CA_FILE to the authority's certificate, and use the name in the certificate",
    { cause: /encrypted/, advice: /LOCAL_VM_CA_FILE/, flags: [] },
  ],
  [
    'VM import error: primary (http://primary:8428) refuses connections: is VictoriaMetrics running there, and does the firewall allow its port?',
    { cause: /^primary could not be reached$/, advice: /REMOTE_VM_URL/, flags: [] },
  ],
  [
    'the order dr → primary no longer holds: the direction has changed since it was given; nothing was written',
    { cause: /nothing was written/, advice: /next check plans anew/, flags: [] },
  ],
  [
    'VM export error: dr (http://dr:8428) exported fewer samples than it counts in …: the export was cut off; tried again',
    { cause: /ended before everything/, advice: /proxy/, flags: [] },
  ],
  ['something odd', { cause: /does not know/, advice: /log of the worker/, flags: [] }],
];

describe('a repair kit', () => {
  test.each(FAILURES)('of %s', (text, { cause, advice, flags }) => {
    const kit = kitOf(text);
    expect(kit.cause).toMatch(cause);
    expect(kit.advice).toMatch(advice);
    expect(kit.flags.map(({ name }) => name)).toEqual(flags);
  });

  test('believes the error about the site that answered, before its text', () => {
    const text = 'VM query error: dr (http://dr:8428) answered 422: too long query';
    expect(kitOf(text).flags).toEqual([{ site: 'dr', name: '-search.maxQueryLen' }]);
    expect(kitOf(text, 'primary').flags).toEqual([
      { site: 'primary', name: '-search.maxQueryLen' },
    ]);
  });

  test('is not misled by what a metric is called', () => {
    const said = 'answered 500: cannot read {__name__="login refused, too long query"}';
    const kit = kitOf(`VM query error: dr (http://dr:8428) ${said}; tried again later`);
    expect(kit.cause).toBe('dr failed at the request');
    expect(kit.flags).toEqual([]);
  });

  test('reads as lines of a log, what matters most first', () => {
    const kit = kitOf('VM query error: dr (http://dr:8428) answered 422: too long query');
    expect(formatKit(kit)).toEqual([
      'why: dr sets a limit: the text of a query is longer than it reads',
      'what to do: raise -search.maxQueryLen on dr and restart it, then retry this job',
      'flag on dr: -search.maxQueryLen',
      'counted when it failed: dr (source) 3,600 samples; primary (destination) could not be counted (no answer within 5 s)',
      'note: a note',
      'count on dr:',
      "curl -fsS 'http://dr:8428/…'",
    ]);
    expect(formatFinding(kit)).toEqual(formatKit(kit).slice(0, 4));
  });
});
