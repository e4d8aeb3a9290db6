import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { type Damage, damages, fuzz, mutate } from '@vm-sync/testkit';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { hearWitnesses } from '../src/index.ts';

const A = 1;
const CNAME = 5;
const TXT = 16;

/** What is answered to a question, before it is damaged. */
interface Answers {
  readonly addresses: readonly number[];
  readonly ttl: number;
  readonly texts: readonly string[];
  readonly how:
    | 'right'
    | 'wrong id'
    | 'other name'
    | 'loop'
    | 'truncated'
    | 'many'
    | 'garbage'
    | 'code';
  readonly damages: readonly Damage[];
}

const answers: fc.Arbitrary<Answers> = fc.record({
  addresses: fc.array(fc.constantFrom(1, 2, 3), { maxLength: 3 }),
  ttl: fc.oneof(fc.nat(600), fc.constantFrom(2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1)),
  texts: fc.array(
    fc.oneof(
      fc.constantFrom('owner=primary exp=1795660000', 'owner=dr', 'owner=dr exp=99999999999'),
      fc.string({ unit: 'binary', maxLength: 60 }),
    ),
    { maxLength: 3 },
  ),
  how: fc.constantFrom(
    ...(['right', 'right', 'right', 'wrong id', 'other name', 'loop'] as const),
    ...(['truncated', 'many', 'garbage', 'code'] as const),
  ),
  damages: fc.oneof(fc.constant([]), damages),
});

function answerTo(query: Buffer, given: Answers): Buffer {
  const { how, ttl } = given;
  const nameEnd = query.indexOf(0, 12) + 1;
  const type = query.readUInt16BE(nameEnd);
  const question = Buffer.from(query.subarray(12, nameEnd + 4));
  const head = Buffer.from(query.subarray(0, 12));
  head.writeUInt16BE(0x8180 | (how === 'truncated' ? 0x200 : 0) | (how === 'code' ? 5 : 0), 2);
  if (how === 'wrong id') head.writeUInt16BE(query.readUInt16BE(0) ^ 0xff, 0);
  if (how === 'other name') question.write('x', 1);
  const records = recordsFor(type, given).map(([kind, data]) => {
    const record = Buffer.alloc(12);
    record.writeUInt16BE(0xc00c, 0);
    record.writeUInt16BE(kind, 2);
    record.writeUInt16BE(1, 4);
    record.writeUInt32BE(ttl, 6);
    record.writeUInt16BE(data.length, 10);
    return Buffer.concat([record, data]);
  });
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(records.length, 6);
  head.fill(0, 8);
  const whole = Buffer.concat([head, question, ...records]);
  if (how === 'garbage') return Buffer.concat([head.subarray(0, 2), whole.subarray(20)]);
  // The id stays, or nobody would look at the rest.
  return Buffer.concat([whole.subarray(0, 2), mutate(whole.subarray(2), given.damages)]);
}

function recordsFor(type: number, { how, addresses, texts }: Answers): [number, Buffer][] {
  // A name that is its own alias.
  if (how === 'loop') return [[CNAME, Buffer.from([0xc0, 0x0c])]];
  const copies = how === 'many' ? 20 : 1;
  if (type === A) {
    const all = addresses.map((last): [number, Buffer] => [A, Buffer.from([192, 0, 2, last])]);
    return Array.from({ length: copies }, () => all).flat();
  }
  if (type !== TXT) return [];
  return texts.map((text) => {
    const bytes = Buffer.from(text).subarray(0, 255);
    return [TXT, Buffer.concat([Buffer.of(bytes.length), bytes])];
  });
}

/** Answers the name `<number>.test` with the answers of that number. */
async function startServer(all: readonly Answers[]): Promise<{ server: string; socket: Socket }> {
  const socket = createSocket('udp4');
  socket.on('message', (query, from) => {
    const number = Number(query.toString('latin1', 13, 13 + (query[12] ?? 0)));
    const given = all[number];
    if (given) socket.send(answerTo(query, given), from.port, from.address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return { server: `127.0.0.1:${(socket.address() as AddressInfo).port}`, socket };
}

/** Asked at once: whatever is no answer is waited for, for seconds. */
const AT_ONCE = 60;

test('answers of any kind name a site, or say why it is not known', async () => {
  // Smaller ones would take as long; what failed is told with its own answer.
  const batch = fc.noShrink(fc.array(answers, { minLength: AT_ONCE, maxLength: AT_ONCE }));
  const addressOf = { primary: '192.0.2.1', dr: '192.0.2.2' };
  await fuzz(`DNS answers (${AT_ONCE} at once)`, 1, batch, async (all) => {
    const { server, socket } = await startServer(all);
    onTestFinished(() => void socket.close());
    const heard = await Promise.all(
      all.map((_, number) => {
        const record = `${number}.test`;
        return hearWitnesses({ by: 'dns', record, server, addressOf, leaseRecord: record });
      }),
    );
    for (const [number, { named, ttlMs, lease }] of heard.entries()) {
      const given = all[number] as Answers;
      const seen = JSON.stringify({ given, named, ttlMs, lease });
      expect(['primary', 'dr', 'unknown'], seen).toContain(named.says);
      expect(Number.isSafeInteger(ttlMs) && ttlMs >= 0, seen).toBe(true);
      expect(['primary', 'dr', 'unknown', null], seen).toContain(lease?.says);
      expect(named.text.length + (lease?.text.length ?? 0), seen).toBeLessThan(500);
      if (given.damages.length > 0) continue;
      const sites = new Set(given.addresses);
      const answersRight = ['right', 'many'].includes(given.how);
      const isOne = answersRight && sites.size === 1 && !sites.has(3);
      const site = sites.has(1) ? 'primary' : 'dr';
      expect(named.says, seen).toBe(isOne ? site : 'unknown');
    }
  });
}, 120_000);
