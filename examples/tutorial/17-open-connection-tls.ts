// Making a connection that nobody can listen in on.
//
// With `ssl: true` the connection speaks TLS. The server has to show a certificate that somebody whom this machine trusts has
// signed, and that is about the very host: unless you say otherwise, `serverHostname` is the host you connect to. If
// anything is wrong with it there is an `SSLError` that says what, and no byte of yours has been sent.
//
// Another host and port may be given as arguments.

import { openConnection, run } from 'curio';
import { SSLError } from 'curio/ssl';

async function main(host: string, port: number) {
  await using sock = await openConnection(host, port, { ssl: true, serverHostname: host });
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

const [host = 'www.python.org', port = '443'] = process.argv.slice(2);
try {
  await run(main, host, Number(port));
} catch (error) {
  if (!(error instanceof SSLError)) throw error;
  console.log('Not safe:', error.message);
}
