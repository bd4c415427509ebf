// Echo over UDP: CPU time a datagram of the whole server process.

import { compile, measure, nodeServer, pythonServers, serving } from './serving.mjs';

export async function udpBenchmarks(report) {
  const generator = compile('load.c');
  const list = [
    { name: 'C epoll', command: [compile('echo.c'), 'udp'], env: {} },
    nodeServer('dgram', 'udp'),
    nodeServer('curio', 'udp', { driver: 'posix' }),
    nodeServer('curio portable', 'udp', { driver: 'portable' }),
    ...pythonServers('udp'),
  ];
  await serving(list, async (servers) => {
    for (const connections of [100, 1]) {
      const load = { mode: 'udp', connections, bytes: 100 };
      const { costs, rates } = await measure(servers, generator, load);
      const who = `${connections} client${connections === 1 ? '' : 's'}`;
      report.costs(`UDP echo, ${who}, 100 B: CPU a request`, 'µs', costs, {});
      report.rates(rates, 'requests/s');
    }
  });
}
