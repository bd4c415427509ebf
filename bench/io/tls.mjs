// Echo over TLS 1.3: CPU time a request of the whole server process, the handshakes left out.

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { compile, measure, nodeServer, pythonServers, scratch, serving } from './serving.mjs';

const cases = [
  { connections: 200, bytes: 100, limits: { 'tls data': 1.15 } },
  { connections: 50, bytes: 16_384, limits: {} },
];

/** A key and a certificate, which nobody looks at. */
function makeCertificate() {
  const key = join(scratch, 'key.pem');
  const certificate = join(scratch, 'certificate.pem');
  const args =
    'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost';
  execFileSync('openssl', [...args.split(' '), '-keyout', key, '-out', certificate], { stdio: 'ignore' });
  return [certificate, key];
}

export async function tlsBenchmarks(report) {
  const args = makeCertificate();
  const generator = compile('load.c', ['-DTLS', '-lssl', '-lcrypto']);
  const list = [
    nodeServer('tls data', 'tls', { args }),
    nodeServer('tls for await', 'tls', { args }),
    nodeServer('curio', 'tls', { driver: 'posix', args }),
    nodeServer('curio portable', 'tls', { driver: 'portable', args }),
    ...pythonServers('tls', args),
  ];
  await serving(list, async (servers) => {
    for (const { connections, bytes, limits } of cases) {
      const load = { mode: 'tls', connections, bytes };
      const { costs, rates } = await measure(servers, generator, load, { rounds: 11 });
      report.costs(`TLS echo, ${connections} connections, ${bytes} B: CPU a request`, 'µs', costs, limits);
      report.rates(rates, 'requests/s');
    }
  });
}
