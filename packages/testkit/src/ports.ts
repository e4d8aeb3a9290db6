import { once } from 'node:events';
import { createServer } from 'node:net';

// Below the range that the kernel hands to outgoing connections (32768 and up on Linux): a server that
// is started again on its port must not find it taken by some client's socket.
const lowest = 15_000;
const highest = 32_000;
// Test files run in processes of their own, side by side: each takes its ports from its own part of the range, so that
// none is given away twice between looking and listening.
const parts = 64;
const width = Math.floor((highest - lowest) / parts);
const ownLowest = lowest + (process.pid % parts) * width;
const handedOut = new Set<number>();

/** A TCP port of 127.0.0.1 that nothing listens on and that this process has not been given before. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = ownLowest + Math.floor(Math.random() * width);
    if (handedOut.has(port)) continue;
    // Before the look, or two that look at the same time are given the same port.
    handedOut.add(port);
    if (await canListen(port)) return port;
  }
}

async function canListen(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}
