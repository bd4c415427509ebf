// A peer that pushes far more than a server's task reads: it is stopped, and the server's memory stays flat. The server is a process
// of its own, so that its memory is.

import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { expect, onTestFinished, test } from 'vitest';
import { drivers } from '../kit/drivers.ts';
import { Program } from '../kit/program.ts';
import { pem, pemText } from '../kit/tls.ts';

const ALL = 300_000_000;
/** More than systems hold between two sockets, and far less than all. */
const LITTLE = 60_000_000;

/** A wrapped socket of Node's is the same on every driver. */
const servers = [
  ...drivers.flatMap((driver) => [['TCP', driver] as const, ['TLS', driver] as const]),
  ['wrapped TCP', drivers[0]!] as const,
  ['wrapped TLS', drivers[0]!] as const,
];

test.each(servers)(
  'a task that does not read stops its peer, and memory stays flat: %s (%s driver)',
  async (kind, driver) => {
    const server = new Program('test/programs/io-flood.ts', {
      args: [kind, pem('localhost'), pem('localhost-key')],
      env: { CURIO_DRIVER: driver },
      fast: false,
    });
    const port = await server.port();
    const secure = kind.endsWith('TLS');
    const client = secure
      ? connectTls({ port, host: '127.0.0.1', ca: pemText('ca'), servername: 'localhost' })
      : connect(port, '127.0.0.1');
    onTestFinished(() => void client.destroy());
    const broken = new Promise<never>((_, reject) => client.once('error', reject));
    broken.catch(() => {});

    const piece = Buffer.alloc(1_000_000);
    let taken = 0;
    const push = () => {
      if (taken === ALL) return void client.end();
      client.write(piece, () => {
        taken += piece.length;
        push();
      });
    };
    push();
    await server.prints('first byte\n');
    for (let before = -1; before !== taken; ) {
      before = taken;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    expect(taken).toBeLessThan(LITTLE);

    server.signal('SIGHUP');
    const { stdout, stderr, code } = await Promise.race([server.ended, broken]);
    expect(stderr).toBe('');
    const [, heap, whole, received] = /^first byte\nheap (-?\d+) process (-?\d+)\nreceived (\d+)\n$/
      .exec(stdout)!
      .map(Number) as number[];
    expect(heap).toBeLessThan(LITTLE);
    expect(whole).toBeLessThan(LITTLE);
    expect(received).toBe(ALL);
    expect(code).toBe(0);
  },
);
