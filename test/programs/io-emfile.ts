// A server that runs out of descriptors: started with few of them. A client comes when there is one left, which is its own end;
// then others leave, and the one that stood in line is served. On the portable driver Node does not let it stand there but hangs up, and
// the next one is served.

import { closeSync, openSync } from 'node:fs';
import { openConnection, run, runServer, spawn, tcpServerSocket } from 'curio';
import type { Socket } from 'curio/io';

/** Takes all descriptors there are. */
function takeAll(): number[] {
  const taken: number[] = [];
  try {
    for (;;) taken.push(openSync('/dev/null', 'r'));
  } catch (error) {
    console.log((error as NodeJS.ErrnoException).code);
  }
  return taken;
}

async function answers(client: Socket, text: string): Promise<string> {
  await client.sendall(text);
  return String(await client.recv(100));
}

await run(async () => {
  const sock = tcpServerSocket('127.0.0.1', 0);
  await sock.ready();
  const [, port] = sock.getsockname() as [string, number];
  const server = await spawn(runServer, sock, async (client: Socket) => {
    for (let data = await client.recv(100); data.length > 0; data = await client.recv(100))
      await client.sendall(data);
  });
  const early: Socket[] = [];
  for (let i = 0; i < 10; i++) {
    const client = await openConnection('127.0.0.1', port);
    await answers(client, 'early');
    early.push(client);
  }
  const taken = takeAll();
  closeSync(taken.pop() as number);
  const late = await openConnection('127.0.0.1', port);
  // The server has looked at its door more than once by then.
  for (const client of early) console.assert((await answers(client, 'still')) === 'still');
  // The server has what these free; the client's own half would do for it too.
  for (const client of early) await client.close();
  const answer = await answers(late, 'served at last').catch((error) => error.code as string);
  if (/^$|EPIPE|ECONNRESET/.test(answer)) {
    console.log('hung up');
    const next = await openConnection('127.0.0.1', port);
    console.log(await answers(next, 'served at last'));
    await next.close();
  } else console.log(answer);
  console.log(server.terminated ? 'the server has ended' : 'the server goes on');
  for (const fd of taken) closeSync(fd);
  await late.close();
  await server.cancel();
});
