// Echo over TCP: CPU time a request of the whole server process.

import { compile, measure, nodeServer, pythonServers, STREAM_LOOPS, serving } from './serving.mjs';

const cases = [
  { connections: 200, bytes: 100, limits: { 'C epoll': 1.25, 'net data': 0.7 }, portable: 1.3 },
  { connections: 200, bytes: 16_384, limits: {} },
  { connections: 1, bytes: 100, limits: {} },
  { connections: 1, bytes: 16_384, limits: {} },
];

export async function echoBenchmarks(report) {
  const generator = compile('load.c');
  const list = [
    { name: 'C epoll', command: [compile('echo.c'), 'tcp'], env: {} },
    nodeServer('net data', 'tcp'),
    nodeServer('net for await', 'tcp'),
    nodeServer('curio', 'tcp', { driver: 'posix' }),
    nodeServer('curio streams', 'tcp', { driver: 'posix', peer: 'curio streams' }),
    nodeServer('curio portable', 'tcp', { driver: 'portable' }),
    ...pythonServers('tcp'),
    ...pythonServers('tcp', [], STREAM_LOOPS),
  ];
  await serving(list, async (servers) => {
    for (const { connections, bytes, limits, portable } of cases) {
      const load = { mode: 'tcp', connections, bytes };
      // What is held to a target is measured so often that one moment of the machine's does not decide.
      const rounds = portable === undefined ? 5 : 21;
      const { costs, rates } = await measure(servers, generator, load, { rounds, seconds: 0.3 });
      const what = `${connections} connection${connections === 1 ? '' : 's'}, ${bytes} B`;
      report.costs(`echo, ${what}: CPU a request`, 'µs', costs, limits);
      if (portable !== undefined)
        report.ratio(
          'portable driver against net data',
          costs['curio portable'] / costs['net data'],
          portable,
        );
      report.rates(rates, 'requests/s');
    }
    const brief = { mode: 'brief', connections: 50, bytes: 100 };
    const { costs, rates } = await measure(servers, generator, brief, { rounds: 9, seconds: 0.3 });
    report.costs('a connection for each request of 100 B: CPU a connection', 'µs', costs, {});
    report.rates(rates, 'connections/s');
  });
}
