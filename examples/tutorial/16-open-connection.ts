// Making a connection.
//
// `openConnection` looks up the name, tries its addresses, and gives a connected socket. The rest is the protocol's
// business: Curio has no HTTP, it is what an HTTP library would be built on. You see the answer's headers, and (today)
// that the site would rather be asked for with https.
//
// Another host and port may be given as arguments.

import { openConnection, run } from 'curio';

async function main(host: string, port: number) {
  await using sock = await openConnection(host, port);
  await sock.sendall(`GET / HTTP/1.0\r\nHost: ${host}\r\n\r\n`);
  const chunks: Buffer[] = [];
  while (true) {
    const chunk = await sock.recv(10000);
    if (chunk.length === 0) break;
    chunks.push(chunk);
  }
  const response = Buffer.concat(chunks);
  console.log(response.toString('latin1'));
}

const [host = 'www.python.org', port = '80'] = process.argv.slice(2);
await run(main, host, Number(port));
