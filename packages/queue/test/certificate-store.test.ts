import {
  type Certificate,
  EMPTY_STATE,
  type KnownReport,
  makeCertificate,
  NOTHING_TALLIED,
} from '@vm-sync/core';
import { type RedisServer, startRedis } from '@vm-sync/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CertificateStore, certificateDigest, connect } from '../src/index.ts';

let redis: RedisServer;
let client: ReturnType<typeof connect>;
beforeAll(async () => {
  redis = await startRedis();
  client = connect(redis.url, 'brief');
});
afterAll(async () => {
  client.disconnect();
  await redis.stop();
});

const mark = { sinceMs: 1_000, throughMs: 2_000, unproven: [], earlier: [] };

const report: KnownReport = {
  outcome: 'clean',
  atMs: 3_000,
  tookMs: 10,
  active: {
    site: 'dr',
    reason: 'Ümlaut → dr',
    witnesses: [{ name: 'lease', says: null, text: 'no lease' }],
    mayWrite: true,
    whyNoWriting: null,
    epoch: 1,
  },
  sites: { primary: undefined, dr: undefined },
  direction: { source: 'dr', destination: 'primary' },
  horizonMs: 2_000,
  forward: { proven: [], damaged: [] },
  backward: { proven: [], damaged: [] },
  backfills: [],
  tallied: NOTHING_TALLIED,
  leftOut: false,
  history: { begunMs: 1, surveyedFromMs: 0, passDone: true, complete: true, differing: [] },
  setAside: [],
};

const certificateOf = (id: string): Certificate =>
  makeCertificate(
    { ...EMPTY_STATE, marks: { 'dr-to-primary': mark, 'primary-to-dr': null } },
    report,
    {
      id,
      issuedBy: 'dr',
      issuedMs: 3_000,
      validUntilMs: 4_000,
      cleanWanted: 3,
      threshold: 0.9,
      settings: {
        selectors: ['{a="b"}'],
        queryStepMs: 60_000,
        queryWindowMs: 3_600_000,
        settleMs: 60_000,
        syncDirection: 'both',
      },
      repaired: { sinceMs: null, byDirection: [] },
      devices: { atMs: 3_000, window: null, table: null, reason: 'nobody looked' },
    },
  );

test('the newest twenty documents are kept, to the letter', async () => {
  const certificates = new CertificateStore(client);
  const ids = Array.from({ length: 22 }, (_, at) => `202611${String(at + 10)}-030000-aaaaaa`);
  for (const id of ids) await certificates.keep(certificateOf(id));
  const known = await Promise.all(ids.map((id) => certificates.load(id)));
  expect(known.map((one) => one?.id)).toEqual([undefined, undefined, ...ids.slice(2)]);
  const last = certificateOf(ids.at(-1) ?? '');
  expect(known.at(-1)).toEqual(last);
  expect(certificateDigest(known.at(-1) as Certificate)).toBe(certificateDigest(last));
});

test.each([
  ['not JSON', '{'],
  ['another document', '{"format":"vm-sync parity certificate 2"}'],
  ['more than is known', JSON.stringify({ ...certificateOf('a'), also: 1 })],
])('what cannot be read is no certificate: %s', async (_, text) => {
  await client.hset('{vmsync}:certificates', 'a', text);
  expect(await new CertificateStore(client).load('a')).toBeUndefined();
});
