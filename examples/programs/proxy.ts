// A proxy: whoever connects here talks to another server, through this one.
//
//     npx tsx examples/programs/proxy.ts 8080 www.python.org 80
//
// A connection has two directions, and each is copied on its own. They end one by one, as TCP has it: when one side has said all, the
// other is told so (`shutdown`), and may go on for as long as it likes. If one direction fails, `gather` cancels the other, and
// both sockets are closed at the end of their blocks.

import { CancelledError, gather, openConnection, run, tcpServer, timeoutAfter } from 'curio';
import { type Address, SHUT_WR, type Socket } from 'curio/socket';

/** How long the server behind may take to let us in, in seconds. */
const PATIENCE = 10;

/** Copies what comes until there is no more, and gives the number of bytes. */
async function copy(from: Socket, to: Socket): Promise<number> {
  let size = 0;
  while (true) {
    const data = await from.recv(65536);
    if (data.length === 0) break;
    await to.sendall(data);
    size += data.length;
  }
  await to.shutdown(SHUT_WR);
  return size;
}

async function main(port: number, host: string, portBehind: number) {
  await tcpServer('', port, async (client: Socket, address: Address) => {
    try {
      await using server = await timeoutAfter(PATIENCE, openConnection, host, portBehind);
      const [up, down] = await gather([() => copy(client, server), () => copy(server, client)]);
      console.log(address[0], `has sent ${up} bytes, and received ${down}`);
    } catch (error) {
      if (error instanceof CancelledError) throw error;
      console.log(address[0], 'was cut off:', (error as Error).message);
    }
  });
}

const [port = '8080', host = 'www.python.org', portBehind = '80'] = process.argv.slice(2);
await run(main, Number(port), host, Number(portBehind));
