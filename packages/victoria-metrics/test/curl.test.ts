import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { formatSelector, selectorOf } from '@vm-sync/core';
import {
  makeSeries,
  type Series,
  startVictoriaMetrics,
  startVmauth,
  temporaryFolder,
  vmVersions,
} from '@vm-sync/testkit';
import { expect, onTestFinished, test } from 'vitest';
import { type CurlSide, curlLines } from '../src/index.ts';
import { hour, load, topMs } from './support.ts';

const window = { fromMs: topMs - hour, toMs: topMs };
const secret = "let 'me' in $HOME";

/** Names and values that a shell would read in a way of its own. */
const odd: Series = {
  labels: { __name__: 'odd.name', path: `a'b"c\\d $(id) \`x\`; \n!`, control: 'x\u0001y\u001by' },
  timestamps: [topMs - 1_000, topMs],
  values: [1, 2],
};
const regular = makeSeries({ count: 4, ...window, stepMs: 60_000 });
const beyond: Series = {
  labels: { __name__: 'testkit_samples', instance: 'host-0000' },
  timestamps: [window.fromMs, topMs + 1],
  values: [1, 1],
};

async function bash(line: string, cwd: string, env: Record<string, string>): Promise<string> {
  const { stdout } = await promisify(execFile)('bash', ['-c', line], {
    cwd,
    env: { ...process.env, ...env },
  });
  return stdout;
}

test.each(vmVersions)('the lines count, export and import in a shell, %s', async (version) => {
  const source = await startVictoriaMetrics({ version });
  const destination = await startVictoriaMetrics({ version });
  onTestFinished(async () => {
    await Promise.all([source.stop(), destination.stop()]);
  });
  await load(source, [...regular, odd, beyond]);
  const gate = await startVmauth({ target: source.url, username: 'reader', password: secret });
  onTestFinished(() => gate.stop());
  const sides: [CurlSide, CurlSide] = [
    {
      site: 'dr',
      place: 'LOCAL',
      vm: { url: gate.url, username: 'reader', password: secret },
    },
    { site: 'primary', place: 'REMOTE', vm: { url: destination.url } },
  ];
  const selectors = ['{__name__="testkit_samples"}', formatSelector(selectorOf(odd.labels))];
  const { commands, notes } = curlLines({ selectors, window }, ...sides);
  expect(JSON.stringify({ commands, notes })).not.toMatch(/let |reader/);
  const cwd = temporaryFolder('curl');
  const run = async (what: string) => {
    const line = commands.find((command) => command.what === what)?.line ?? '';
    return bash(line, cwd, { LOCAL_VM_USERNAME: 'reader', LOCAL_VM_PASSWORD: secret });
  };
  const counted = async (what: string) => {
    const answer = JSON.parse(await run(what)) as { data: { result: { values: unknown[][] }[] } };
    return answer.data.result.map(({ values }) => values[0]?.[1]);
  };
  expect(await counted('count on dr')).toEqual(['242']);
  expect(await counted('count on primary')).toEqual([]);
  await run('export from dr');
  await run('import into primary');
  await destination.flush();
  expect(await counted('count on primary')).toEqual(['242']);
});

test('no line holds a login, wherever it stands; each side has variables of its own', () => {
  const chunk = { selectors: ['{a="b"}'], window };
  const { commands, notes } = curlLines(
    chunk,
    {
      site: 'dr',
      place: 'LOCAL',
      vm: {
        url: 'https://me:secret-1@vm:8427/prefix/?authKey=secret-2',
        readUrl: 'https://me:secret-3@select/0',
        ca: 'secret-4',
        cert: 'secret-5',
        key: 'secret-6',
      },
    },
    { site: 'primary', place: 'REMOTE', vm: { url: 'http://b', bearerToken: 'secret-7' } },
  );
  const text = JSON.stringify({ commands, notes });
  expect(text).not.toMatch(/secret|me:/);
  const [count, , exported, imported] = commands.map(({ line }) => line);
  expect(count).toMatch(
    /^curl -fsS -u "\$LOCAL_VM_USERNAME:\$LOCAL_VM_PASSWORD" --cacert "\$LOCAL_VM_CA_FILE" --cert "\$LOCAL_VM_CERT_FILE" --key "\$LOCAL_VM_KEY_FILE" 'https:\/\/select\/0\/api\/v1\/query_range' /,
  );
  expect(exported).toContain("'https://select/0/api/v1/export'");
  expect(imported).toMatch(
    /^curl -fsS -H "Authorization: Bearer \$REMOTE_VM_BEARER_TOKEN" 'http:\/\/b\/api\/v1\/import' /,
  );
  expect(notes).toEqual([
    'set LOCAL_VM_USERNAME and LOCAL_VM_PASSWORD in your shell first (they stand in LOCAL_VM_URL)',
    'set REMOTE_VM_BEARER_TOKEN in your shell first',
    expect.stringContaining('import by hand only where primary counts nothing'),
  ]);
});

test('many selectors: the lines stay short, and say that there are more', () => {
  const selectors = Array.from({ length: 200 }, (_, at) => `{__name__="metric_${at}",n="${at}"}`);
  const side = (site: 'primary' | 'dr') => ({
    site,
    place: 'LOCAL' as const,
    vm: { url: 'http://vm:8428' },
  });
  const { commands, notes } = curlLines({ selectors, window }, side('dr'), side('primary'));
  for (const { line } of commands) expect(line.length).toBeLessThan(8_000);
  expect(notes[0]).toMatch(/^the lines name the first \d\d of 200 selectors/);
});
