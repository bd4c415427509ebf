// Talks to a TLS server whose authority NODE_EXTRA_CA_CERTS names.

import { fileURLToPath } from 'node:url';
import { openConnection, run } from 'curio';
import { createDefaultContext } from 'curio/ssl';

const port = Number(process.argv[2]);

await run(async () => {
  const another = createDefaultContext();
  another.loadVerifyLocations(fileURLToPath(new URL('../kit/certificates/self-signed.pem', import.meta.url)));
  for (const [name, ssl] of [
    ['default', true],
    ['with another', another],
  ] as const) {
    await using sock = await openConnection('localhost', port, { ssl });
    await sock.sendall('hello');
    console.log(`${name}: ${await sock.recv(100)}`);
  }
  try {
    await openConnection('localhost', port, { ssl: true, serverHostname: 'example.com' });
  } catch (error) {
    console.log(`wrong host: ${(error as { code?: string }).code}`);
  }
});
