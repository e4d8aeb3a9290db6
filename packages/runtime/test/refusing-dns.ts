import { createSocket } from 'node:dgram';
import { once } from 'node:events';

const TYPES: Record<number, string> = { 1: 'A', 16: 'TXT', 28: 'AAAA' };

/** A name server that knows IPv4 addresses for any name, and answers all other questions with an error code. */
export async function startRefusingDns(
  known: { readonly A?: string },
  code: number,
): Promise<AsyncDisposable & { readonly server: string }> {
  const socket = createSocket('udp4');
  socket.on('message', (query, from) => {
    socket.send(answerTo(query, known, code), from.port, from.address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return {
    server: `127.0.0.1:${socket.address().port}`,
    async [Symbol.asyncDispose]() {
      socket.close();
      await once(socket, 'close');
    },
  };
}

function answerTo(query: Buffer, known: { readonly A?: string }, code: number): Buffer {
  const nameEnd = query.indexOf(0, 12) + 1;
  const question = query.subarray(12, nameEnd + 4);
  const address = TYPES[query.readUInt16BE(nameEnd)] === 'A' ? known.A : undefined;
  const head = Buffer.alloc(12);
  query.copy(head, 0, 0, 2);
  head.writeUInt16BE(0x8180 | (address === undefined ? code : 0), 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(address === undefined ? 0 : 1, 6);
  if (address === undefined) return Buffer.concat([head, question]);
  const found = Buffer.from([
    0xc0,
    12,
    0,
    1,
    0,
    1,
    0,
    0,
    0,
    30,
    0,
    4,
    ...address.split('.').map(Number),
  ]);
  return Buffer.concat([head, question, found]);
}
