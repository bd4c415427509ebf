// A closed connection of Node's that still has something to send, to a peer that takes nothing.

import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { expect, onTestFinished, test, vi } from 'vitest';
import { destroySoon } from '../../../src/io/portable/handle.ts';

const MUCH = Buffer.alloc(20_000_000, 'x');

/** A connection with much to send, and the end of it that has not begun to read. */
async function stuck(): Promise<[Socket, Socket]> {
  const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as { port: number }).port, '127.0.0.1');
  const [peer] = (await once(server, 'connection')) as [Socket];
  onTestFinished(() => {
    server.close();
    peer.destroy();
    vi.useRealTimers();
  });
  client.write(MUCH);
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  return [client, peer];
}

test('it is given up after a while, as it would keep the process alive', async () => {
  const [client] = await stuck();
  destroySoon(client);
  vi.advanceTimersByTime(9_999);
  expect(client.destroyed).toBe(false);
  vi.advanceTimersByTime(1);
  expect(client.destroyed).toBe(true);
});

test('until then all of it arrives if the peer takes it', async () => {
  const [client, peer] = await stuck();
  destroySoon(client);
  let received = 0;
  peer.on('data', (data) => {
    received += data.length;
  });
  peer.resume();
  await once(peer, 'end');
  expect(received).toBe(MUCH.length);
  await (client.closed || once(client, 'close'));
  expect(vi.getTimerCount()).toBe(0);
});
