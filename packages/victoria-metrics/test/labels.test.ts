import { formatSelector, type Labels, selectorOf, seriesKey } from '@vm-sync/core';
import {
  diffRaw,
  noDifference,
  type Series,
  startVictoriaMetrics,
  type VmServer,
  vmVersions,
} from '@vm-sync/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { copyMissing } from '../src/index.ts';
import { client, collect, hour, load, minute, topMs, versionPairs } from './support.ts';

const window = { fromMs: topMs - hour, toMs: topMs };
const stepMs = 5 * minute;

/** Label values that some parser between here and there could stumble over. */
const values = [
  'plain',
  'with "quotes"',
  "with 'single' quotes",
  'back\\slash and \\n that is none',
  'ends with a backslash\\',
  'line\nbreak',
  'carriage\rreturn',
  'tab\tbed',
  'nul\u0000byte and \u0001 and \u007f',
  'line\u2028and paragraph\u2029separators',
  'ünï©ødé 日本語 🙂',
  ' leading and trailing ',
  '.*+?^$(){}[]|',
  '","values":[1,2],"timestamps":[3,4]}',
  ']]}',
  '"},"values":[[1,"2"]]},{"metric":{',
  ',{"metric":{',
  '{"status":"success"}',
  'null NaN Inf "Infinity"',
  '#comment, {a="b"} or {c="d"}',
  '%0A%22 $HOME `ls`',
  'x'.repeat(3_000),
];

/** Metric and label names outside of Prometheus' own grammar. */
const names = [
  'plain:name_1',
  'k8s.pod-name',
  'with space',
  'a/b\\c',
  '0leading digit',
  '9',
  'ключ',
  '日本',
  'sum',
  'by',
  'offset',
  'keep_metric_names',
  'quo"te',
  'bra{ce}',
  'comma,name',
  'emoji 🙂',
  'x41', // behind a backslash this would be an escape
  'u0041',
  'tab\there',
  'new\nline',
  'nul\u0000',
  'rollup',
  'constructor',
  '__proto__',
];

const labelSets: Labels[] = [
  ...values.map((value) => ({ __name__: 'hostile_value', value })),
  ...names.map((name) => ({ __name__: 'hostile_label', [name]: 'x' })),
  ...names.map((name) => ({ __name__: name, kind: 'hostile name' })),
  { __name__: 'rolled', rollup: 'count_over_time' },
  { __name__: 'rolled', rollup: 'sum_over_time' },
  { __name__: 'rolled' },
  { unnamed: 'series' },
  { __name__: 'subset' },
  { __name__: 'subset', more: '1' },
  { __name__: 'subset', more: '1', most: '2' },
];

const fixtures: Series[] = labelSets.map((labels, index) => ({
  labels: { ...labels },
  timestamps: Array.from({ length: 20 }, (_, at) => topMs - at * 60_000 - index).reverse(),
  values: Array.from({ length: 20 }, (_, at) => at),
}));

describe('hostile labels', () => {
  const sources: VmServer[] = [];
  beforeAll(async () => {
    for (const version of vmVersions) {
      const vm = await startVictoriaMetrics({ version });
      sources.push(vm);
      await load(vm, fixtures);
    }
  });
  afterAll(() => Promise.all(sources.map((vm) => vm.stop())));

  test.each(versionPairs)(
    'come through counting, selecting and copying, %s to %s',
    async (from, to) => {
      const source = sources[vmVersions.indexOf(from)] as VmServer;
      const vm = await startVictoriaMetrics({ version: to });
      try {
        const [there, here] = [client(source.url), client(vm.url)];
        const tallied = [
          ...(await collect(there.tally({ selector: '{__name__!=""}', window, stepMs }))),
          ...(await collect(there.tally({ selector: '{__name__=""}', window, stepMs }))),
        ];
        expect(new Set(tallied.map(({ labels }) => seriesKey(labels)))).toEqual(
          new Set(labelSets.map(seriesKey)),
        );
        // One by one: a selector that cannot be read must not hide behind the others.
        for (const { metric, labels, samples } of tallied) {
          const selectors = [formatSelector(selectorOf(labels))];
          const rows = await there.timestamps({ selectors, window });
          const found = rows.get(seriesKey(labels));
          expect(found?.length, selectors[0]).toBe(samples.reduce((sum, count) => sum + count, 0));
          await copyMissing(there.endpoint, here.endpoint, new Map(), 0, { selectors, window });
          const request = { selector: selectors[0] ?? '', window, stepMs, slotMs: minute };
          const prints = await collect(there.prints(request));
          const own = prints.filter((print) => print.metric === metric);
          const keys = own.map((print) => seriesKey(print.labels));
          // The same text of the same series, wherever among its labels the print's own label stood.
          expect(keys, selectors[0]).toEqual(
            Object.hasOwn(labels, 'rollup') ? [] : [seriesKey(labels)],
          );
        }
        await vm.flush();
        const difference = diffRaw(await source.export(), await vm.export());
        // A selector also meets the series with further labels: these came more than once.
        expect(difference).toEqual({ ...noDifference, duplicatesB: 20 * 5 });
      } finally {
        await vm.stop();
      }
    },
  );

  describe.each(vmVersions)('lists, %s', (version) => {
    const database = () => client((sources[vmVersions.indexOf(version)] as VmServer).url);

    test.each(names)('values of a label named %j', async (name) => {
      const selector = formatSelector([
        { label: '__name__', operator: '=', value: 'hostile_label' },
        { label: name, operator: '!=', value: '' },
      ]);
      expect(await database().labelValues(name, { selector, window })).toEqual(['x']);
    });

    test('values and names of a selection', async () => {
      const selector = '{__name__="hostile_value"}';
      const found = await database().labelValues('value', { selector, window });
      expect(found.sort()).toEqual([...values].sort());
      expect((await database().labelNames({ selector, window })).sort()).toEqual([
        '__name__',
        'value',
      ]);
      const nobody = { selector: '{__name__="nobody"}', window };
      expect(await database().labelValues('value', nobody)).toEqual([]);
    });
  });

  test('two versions know the same series by the same key', async () => {
    const keys = await Promise.all(
      sources.map(async (vm) => {
        const rows = await client(vm.url).timestamps({ selectors: ['{__name__!=""}'], window });
        return [...rows.keys()].sort();
      }),
    );
    expect(keys[0]).toEqual(keys[1]);
  });
});
