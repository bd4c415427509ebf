// A server that speaks TLS.
//
// It needs a certificate and the key that belongs to it. Make yourself a pair:
//
//     openssl req -x509 -newkey rsa:2048 -nodes -days 365 -subj /CN=localhost \
//       -addext subjectAltName=DNS:localhost -keyout privkey_rsa -out certificate.crt
//
// and ask for a page with one of
//
//     curl --cacert certificate.crt https://localhost:10000/
//     openssl s_client -connect localhost:10000
//
// or with a browser, which will warn you: it has no reason to trust a certificate that says of itself that it can be
// trusted. The handler is the same as without TLS. A client that is silent, or speaks something else, ends only itself.
//
// Port, certificate and key may be given as arguments.

import { run, tcpServer } from 'curio';
import type { Address, Socket } from 'curio/socket';
import { createDefaultContext, Purpose } from 'curio/ssl';

const [port = '10000', CERTFILE = 'certificate.crt', KEYFILE = 'privkey_rsa'] = process.argv.slice(2);

async function handler(client: Socket, _: Address) {
  const stream = client.asStream();

  // Read the HTTP request.
  for await (const bytes of stream) {
    const line = bytes.toString().trim();
    if (line === '') break;
    console.log(line);
  }

  // Send a response.
  await stream.write('HTTP/1.0 200 OK\r\nContent-type: text/plain\r\n\r\n');
  await stream.write("If you're seeing this, it probably worked. Yay!\n");
  await stream.write(`${new Date().toUTCString()}\n`);
}

const context = createDefaultContext(Purpose.CLIENT_AUTH);
context.loadCertChain(CERTFILE, KEYFILE);
await run(tcpServer, '', Number(port), handler, { ssl: context });
