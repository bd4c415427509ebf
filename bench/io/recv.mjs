// recv alone: one connection whose client sends without end, and a server that only receives. Once in pieces of
// 100 bytes, which are there already, and once as much as there is; that again in a process that has something in its heap,
// since garbage collection is most of what it can cost.

import { compile, measure, nodeServer, pythonServers, serving } from './serving.mjs';

const SENT = 65_536;

const cases = [
  {
    bytes: 100,
    peers: ['net read'],
    unit: 'µs',
    rate: 'calls/s',
    what: 'recv(100) of what is there: CPU a call',
    units: SENT / 100,
  },
  {
    bytes: 65_536,
    peers: ['net data', 'net for await'],
    unit: 'µs',
    rate: 'MB/s',
    what: 'recv(65536): CPU a MB',
    units: SENT / 1e6,
  },
  {
    bytes: 65_536,
    objects: 1_000_000,
    peers: ['net data', 'net for await'],
    unit: 'µs',
    rate: 'MB/s',
    what: 'recv(65536) beside a million objects: CPU a MB',
    units: SENT / 1e6,
  },
];

export async function recvBenchmarks(report) {
  const generator = compile('load.c');
  const program = compile('echo.c');
  for (const { bytes, objects, peers, unit, rate, what, units } of cases) {
    const args = [bytes, objects ?? 0].map(String);
    const list = [
      { name: 'C epoll', command: [program, 'sink', args[0]], env: {} },
      ...peers.map((peer) => nodeServer(peer, 'sink', { args })),
      nodeServer('curio', 'sink', { driver: 'posix', args }),
      nodeServer('curio portable', 'sink', { driver: 'portable', args }),
      ...(objects === undefined ? pythonServers('sink', args) : []),
    ];
    await serving(list, async (servers) => {
      const load = { mode: 'flood', connections: 1, bytes: SENT, units };
      const { costs, rates } = await measure(servers, generator, load);
      report.costs(what, unit, costs, {});
      report.rates(rates, rate);
    });
  }
}
